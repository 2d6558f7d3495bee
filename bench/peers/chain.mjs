// A chain of trivial steps in other engines, and as plain code: microseconds of a step, one JSON text a line.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [which] = process.argv.slice(2)

const report = (what, samples) => {
  const sorted = samples.sort((a, b) => a - b)
  console.log(JSON.stringify({
    what,
    unit: "µs",
    median: sorted[sorted.length >> 1],
    least: sorted[0],
    most: sorted.at(-1)
  }))
}

/** Of `length` steps, after one turn as a warm-up. */
const measured = async (turn, length, turns, runs = 5) => {
  await turn()
  const samples = []
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    for (let i = 0; i < turns; i++) await turn()
    samples.push((performance.now() - started) * 1000 / turns / length)
  }
  return samples
}

const range = (length) => Array.from({ length }, (_, index) => index)

const engines = {
  "plain async": async () => {
    const steps = range(100).map(() => async (x) => x)
    const turn = async () => {
      let x = "x"
      for (const step of steps) x = await step(x)
      return x
    }
    report("a step in a chain of 100: plain async functions", await measured(turn, 100, 1000))
  },
  langgraph: async () => {
    const { Annotation, END, START, StateGraph } = await import("@langchain/langgraph")
    let graph = new StateGraph(Annotation.Root({ x: Annotation() }))
    for (const n of range(100)) graph = graph.addNode(`P${n}`, ({ x }) => ({ x }))
    graph = graph.addEdge(START, "P0").addEdge("P99", END)
    for (const n of range(99)) graph = graph.addEdge(`P${n}`, `P${n + 1}`)
    const app = graph.compile()
    const turn = () => app.invoke({ x: "x" }, { recursionLimit: 1000 })
    report("a step in a chain of 100: @langchain/langgraph", await measured(turn, 100, 5))
  },
  // It has no graph: its steps are turns of a model, which here asks at once for a trivial tool.
  ai: async () => {
    const { generateText, stepCountIs, tool } = await import("ai")
    const { MockLanguageModelV2 } = await import("ai/test")
    const { z } = await import("zod")
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
    let calls = 0
    const doGenerate = async () => ({
      content: [{ type: "tool-call", toolCallId: `c${calls++}`, toolName: "pass", input: `{"x":"x"}` }],
      finishReason: "tool-calls",
      usage,
      warnings: []
    })
    const pass = tool({ inputSchema: z.object({ x: z.string() }), execute: async ({ x }) => x })
    const turn = async () => {
      const { steps } = await generateText({
        model: new MockLanguageModelV2({ doGenerate }),
        prompt: "x",
        tools: { pass },
        stopWhen: stepCountIs(100)
      })
      if (steps.length !== 100) throw new Error(`${steps.length} steps`)
    }
    report("a step in a chain of 100 tool calls: ai", await measured(turn, 100, 3))
  },
  mastra: async () => {
    const { createStep, createWorkflow } = await import("@mastra/core/workflows")
    const { z } = await import("zod")
    const schema = z.object({ x: z.string() })
    const ports = { inputSchema: schema, outputSchema: schema }
    let workflow = createWorkflow({ id: "chain", ...ports })
    for (const n of range(100)) {
      workflow = workflow.then(createStep({ id: `P${n}`, ...ports, execute: async ({ inputData }) => inputData }))
    }
    workflow.commit()
    const turn = async () => (await workflow.createRunAsync()).start({ inputData: { x: "x" } })
    report("a step in a chain of 100: @mastra/core", await measured(turn, 100, 5))
    const each = createWorkflow({ id: "each", inputSchema: z.array(schema), outputSchema: z.array(schema) })
      .foreach(createStep({ id: "P", ...ports, execute: async ({ inputData }) => inputData })).commit()
    const items = range(1000).map(() => ({ x: "x" }))
    const loop = async () => (await each.createRunAsync()).start({ inputData: items })
    report("an item of a loop over 1,000: @mastra/core", await measured(loop, 1000, 3))
  },
  // Its components cost so much that ten of them are a chain; the cheapest it has is a hash.
  sre: async () => {
    const home = mkdtempSync(join(tmpdir(), "bench-"))
    mkdirSync(join(home, ".smyth", ".sre"), { recursive: true })
    writeFileSync(join(home, ".smyth", ".sre", "vault.json"), JSON.stringify({ default: { echo: "", openai: "none" } }))
    process.env["HOME"] = home
    const { AgentProcess, SRE } = await import("@smythos/sre")
    SRE.init({})
    const port = (name, more) => ({ name, type: "Any", index: 0, default: true, ...more })
    const component = (id, name, data, input, output) => ({
      id,
      name,
      displayName: name,
      title: name,
      data,
      inputs: [input],
      outputs: [output]
    })
    const ids = range(10).map((n) => `H${n}`)
    const agent = {
      id: "a1",
      name: "Chain",
      version: "1.0.0",
      components: [
        component(
          "E",
          "APIEndpoint",
          { endpoint: "go", method: "POST" },
          port("x"),
          port("x", { expression: "body.x" })
        ),
        ...ids.map((id) => component(id, "FHash", { algorithm: "md5", encoding: "hex" }, port("Data"), port("Hash")))
      ],
      connections: ids.map((id, n) => ({
        sourceId: n === 0 ? "E" : ids[n - 1],
        sourceIndex: n === 0 ? "x" : "Hash",
        targetId: id,
        targetIndex: "Data"
      }))
    }
    const turn = () => AgentProcess.load(agent).run({ method: "POST", path: "/api/go", body: { x: "x" } })
    report("a step in a chain of 10 hashes: @smythos/sre", await measured(turn, 10, 2, 3))
    rmSync(home, { recursive: true, force: true })
  }
}

await engines[which]()
process.exit(0)
