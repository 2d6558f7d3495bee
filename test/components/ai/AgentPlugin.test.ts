import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { Agents } from "../../../src/agents/Agents.ts"
import { AgentPlugin } from "../../../src/components/ai/AgentPlugin.ts"
import * as Component from "../../../src/components/Component.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"
import { agentDocument, endpoint, type Short } from "../../agents/documents.ts"
import * as System from "../../fixtures/System.ts"

/** Says who is asking. */
const WhoAmI = Component.make("WhoAmI", {
  description: "Says who is asking.",
  category: "data",
  openInputs: true,
  openOutputs: true,
  run: () => Effect.map(Candidate.current, (who) => ({ who: Candidate.format(who) }))
})

const asUser = Candidate.as(Candidate.user("a"))

const system = (turns: ReadonlyArray<TestLLM.Turn>) =>
  Effect.gen(function*() {
    const llm = TestLLM.layer(turns)
    const layer = System.layer({
      components: [WhoAmI],
      llm,
      agents: { maxAgentDepth: 2 },
      teams: {
        ta: { users: { a: {} }, agents: { agentA: {}, a1: {} } },
        tb: { users: { b: {} }, agents: { agentB: {} } }
      }
    })
    const context = yield* Layer.build(Layer.merge(layer, llm))
    const agents = Context.get(context, Agents)
    const load = (
      id: string,
      parts: Record<string, Short>,
      connections: ReadonlyArray<string>,
      rest: Record<string, unknown> = {}
    ) => {
      const entry = {
        ...endpoint("x"),
        data: { endpoint: "go", method: "POST", ai_exposed: true, description: "Goes" }
      }
      const document = agentDocument({ E: entry, ...parts }, connections, {
        id,
        behavior: `I am ${id}.`,
        defaultModel: "gpt-4o-mini",
        ...rest
      })
      return Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load)
    }
    /** The agent `id` asks `other` what it gets. */
    const plugin = (id: string, other: string, data: Record<string, unknown> = {}) =>
      load(id, { P: { name: "AgentPlugin", data: { agentId: other, ...data }, in: ["Prompt"] } }, ["E.x -> P.Prompt"])
    const call = (id: string, x: unknown) =>
      Effect.map(agents.call(id, { endpoint: "go", body: { x } }), ({ answer }) => JSON.stringify(answer))
    return { agents, call, load, plugin, requests: Context.get(context, TestLLM.TestLLM).requests }
  })

const useTool = { toolCalls: [{ name: "go", arguments: { x: "y" } }] }

describe("AgentPlugin", () => {
  it.scopedLive("another agent answers, with its own prompt, tools and identity", () =>
    Effect.gen(function*() {
      const { call, load, plugin, requests } = yield* system([useTool, "{\"Mood\":\"good\"}"])
      yield* asUser(load("a1", { W: { name: "WhoAmI", in: ["x"] } }, ["E.x -> W.x"]))
      yield* asUser(plugin("agentA", "a1", { descForModel: "For {{Prompt}}." }))
      const answer = yield* asUser(call("agentA", { mood: 1 }))
      assert.include(answer, "{\"Response\":{\"Mood\":\"good\"}}")
      const [first, second] = yield* requests
      assert.deepStrictEqual(first?.messages[0], { role: "system", content: "I am a1." })
      assert.deepInclude(first?.messages[1]?.content[0] as object, { text: "For {\"mood\":1}.\n\n{\"mood\":1}" })
      assert.include(JSON.stringify(second?.messages.at(-1)), "agent:a1")
    }))

  it.scopedLive("another model than the agent's own may be asked, and the answer streamed on", () =>
    Effect.gen(function*() {
      const { agents, load, plugin, requests } = yield* system(["one", "two", "three"])
      yield* asUser(load("a1", { W: { name: "WhoAmI", in: ["x"] } }, ["E.x -> W.x"]))
      const ask = (data: Record<string, unknown>) =>
        Effect.zipRight(
          plugin("agentA", "a1", data),
          Stream.runCollect(agents.stream("agentA", { endpoint: "go", body: { x: "hi" } }))
        ).pipe(asUser, Effect.map((events) => JSON.stringify(Array.from(events))))
      const kept = yield* ask({ model: "gpt-4.1-mini", openAiModel: "gpt-4.1" })
      const passed = yield* ask({ openAiModel: "gpt-4.1", passthrough: true })
      yield* ask({})
      assert.deepStrictEqual((yield* requests).map(({ modelId }) => modelId), [
        "gpt-4.1-mini",
        "gpt-4.1",
        "gpt-4o-mini"
      ])
      assert.notInclude(kept, `"text":"one"`)
      assert.include(passed, `"text":"two"`)
    }))

  it.scopedLive("a version that cannot be chosen is told when the document is loaded", () =>
    Effect.gen(function*() {
      const problems = (version: string) =>
        AgentPlugin.check({ ...config, version }, undefined as never).map(({ setting }) => setting)
      const config = Schema.decodeUnknownSync(AgentPlugin.config)({ agentId: "a1" })
      assert.deepStrictEqual(["", "same-as-parent", "prod-latest", "1.2"].map(problems), [[], [], [], ["version"]])
    }))

  it.scopedLive("an agent that the asking one may not call is not told apart from none", () =>
    Effect.gen(function*() {
      const { call, load, plugin, requests } = yield* system([])
      yield* Candidate.as(load("agentB", { W: { name: "WhoAmI", in: ["x"] } }, ["E.x -> W.x"]), Candidate.user("b"))
      yield* asUser(plugin("agentA", "agentB"))
      const hidden = yield* asUser(call("agentA", "hi"))
      assert.include(hidden, "_error")
      yield* asUser(plugin("agentA", "agentC"))
      const none = yield* asUser(call("agentA", "hi"))
      assert.strictEqual(hidden, none.replaceAll("agentC", "agentB"))
      assert.lengthOf(yield* requests, 0)
    }))

  it.scopedLive("agents that ask each other in a circle come to an end", () =>
    Effect.gen(function*() {
      const { call, plugin, requests } = yield* system([useTool, useTool, "gave up", "done"])
      yield* asUser(plugin("a1", "agentA"))
      yield* asUser(plugin("agentA", "a1"))
      assert.include(yield* asUser(call("agentA", "hi")), "done")
      const asked = yield* requests
      assert.lengthOf(asked, 4)
      assert.include(JSON.stringify(asked[2]?.messages.at(-1)), "Do they ask in a circle?")
    }))
})
