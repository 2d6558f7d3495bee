/** What agents of older systems suffered from, where no test of one component shows that it is gone. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Stream, TestClock } from "effect"
import { createHash } from "node:crypto"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import { Classifier } from "../../src/components/ai/Classifier.ts"
import { GenAILLM } from "../../src/components/ai/GenAILLM.ts"
import { LLMAssistant } from "../../src/components/ai/LLMAssistant.ts"
import { MultimodalLLM } from "../../src/components/ai/MultimodalLLM.ts"
import { PromptGenerator } from "../../src/components/ai/PromptGenerator.ts"
import { VisionLLM } from "../../src/components/ai/VisionLLM.ts"
import { ServerlessCode } from "../../src/components/code/ServerlessCode.ts"
import { builtIn } from "../../src/components/registry.ts"
import { ECMASandbox } from "../../src/connectors/code/ECMASandbox.ts"
import { NullVault } from "../../src/connectors/vault/NullVault.ts"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { agentDocument, endpoint, type Short } from "../agents/documents.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import * as System from "../fixtures/System.ts"
import * as Kernel from "./ai/kernel.ts"
import { runComponent } from "./harness.ts"

const asA = Candidate.as(Candidate.user("a"))
let documents = 0

const load = (
  components: Record<string, Short>,
  connections: ReadonlyArray<string>,
  { skills, ...rest }: Record<string, unknown> & { readonly skills?: AgentDefinition.AgentDefinition["skills"] } = {}
) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    const id = String(rest["id"] ?? `f${documents++}`)
    const document = { ...agentDocument({ E: endpoint("x"), ...components }, connections, rest), id }
    const definition = yield* AgentDefinition.fromUnknown(document)
    yield* agents.load(skills === undefined ? definition : { ...definition, skills })
    return {
      call: (x: unknown) => agents.call(id, { endpoint: "go", body: { x } }),
      events: (x: unknown) => agents.stream(id, { endpoint: "go", body: { x } })
    }
  })

describe("models", () => {
  const png =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
  const asking = [
    [GenAILLM, { prompt: "x" }, { Input: "hi" }],
    [PromptGenerator, { prompt: "x" }, { Input: "hi" }],
    [VisionLLM, { prompt: "x" }, { Images: png }],
    [MultimodalLLM, { prompt: "x" }, { Input: png }],
    [LLMAssistant, { behavior: "x" }, { UserInput: "hi", UserId: "u", ConversationId: "c" }],
    [Classifier, { prompt: "x" }, { Input: "hi" }]
  ] as const
  const set = {
    model: "gpt-4o-mini",
    temperature: 0.25,
    maxTokens: 33,
    topP: 0.5,
    topK: "7",
    frequencyPenalty: 0.5,
    presencePenalty: "1",
    stopSequences: "END, STOP\nHALT",
    verbosity: "LOW",
    useReasoning: "true",
    reasoningEffort: "high",
    maxThinkingTokens: 500
  }

  for (const [component, more, inputs] of asking) {
    it.scopedLive(`${component.name} heeds its settings, and those of one step leave the next one alone`, () =>
      Effect.gen(function*() {
        const kernel = yield* Kernel.make([`{"a": 1}`, "plain"])
        const settings = { ...set, ...more }
        const options = { settings, inputs }
        yield* kernel.run(component as typeof PromptGenerator, { ...options, outputs: ["a"] })
        const later = { ...settings, reasoningEffort: "default", responseFormat: "text" }
        yield* Effect.either(kernel.run(component as typeof PromptGenerator, {
          ...options,
          settings: later,
          outputs: component === Classifier ? ["a"] : []
        }))
        const [first, second] = yield* kernel.requests
        const sent = {
          temperature: 0.25,
          maxTokens: 33,
          topP: 0.5,
          topK: 7,
          frequencyPenalty: 0.5,
          presencePenalty: 1,
          stopSequences: ["END", "STOP", "HALT"],
          maxThinkingTokens: 500,
          verbosity: "low"
        } as const
        assert.deepInclude(first, { ...sent, responseFormat: "json", reasoningEffort: "high" })
        assert.deepInclude(second, { ...sent, responseFormat: "text" })
        assert.isUndefined(second?.reasoningEffort)
        assert.deepInclude(settings, set)
      }))

    it.scopedLive(`${component.name} fails where the provider does, also while it streams the answer on`, () =>
      Effect.gen(function*() {
        const down = new ConnectorError({ connector: "OpenAI", method: "stream", reason: "Unauthorized", detail: "no" })
        const kernel = yield* Kernel.make([{ text: "half", failure: down }])
        const settings = { ...set, ...more, passthrough: true }
        const options = { settings, inputs, outputs: component === Classifier ? ["a"] : [] }
        const error = yield* Effect.flip(kernel.run(component as typeof PromptGenerator, options))
        assert.include(error.message, "Unauthorized")
      }))
  }
})

describe("components", () => {
  it("one component answers to both names of older documents", () => {
    const named = (name: string) => builtIn.filter((one) => one.name === name || one.aliases.includes(name))
    assert.strictEqual(named("GPTPlugin").length, 1)
    assert.strictEqual(named("GPTPlugin")[0], named("OpenAPI")[0])
  })

  it.effect("ServerlessCode begins at once", () =>
    Effect.gen(function*() {
      const code = "async function main() { return 1 }"
      const started = yield* TestClock.currentTimeMillis
      const run = runComponent(ServerlessCode, { settings: { code } })
      assert.deepStrictEqual(yield* run, { Output: 1 })
      assert.strictEqual(yield* TestClock.currentTimeMillis, started)
    }).pipe(
      Candidate.as(Candidate.agent("a1")),
      Effect.provide(Layer.merge(ECMASandbox.layer({ workers: 1 }), NullVault.layer({})))
    ))
})

// Last: it replaces the `it.effect` of all that is described after it.
layer(System.layer({ secrets: { "team:tb": { pepper: "of tb" } }, allow: ["127.0.0.1"] }), {
  excludeTestServices: true,
  timeout: "30 seconds"
})("agents", (it) => {
  it.effect("a document that claims another team reads none of its secrets", () =>
    Effect.gen(function*() {
      const sign: Short = { name: "FSign", data: { key: "{{KEY(pepper)}}" }, in: ["Data"] }
      const claims = { teamId: "tb", parentTeamId: "tb" }
      const { call } = yield* asA(load({ S: sign }, ["E.x -> S.Data"], { id: "agentA", ...claims }))
      const { answer, failed } = yield* asA(call("x"))
      assert.isTrue(failed)
      assert.include(JSON.stringify(answer), "pepper")
      assert.notInclude(JSON.stringify(answer), "of tb")
      assert.notInclude(JSON.stringify(answer), createHash("md5").update("of tb").digest("hex"))
    }))

  it.scoped("a call that fails fires its _error alone, and what it says of itself holds no header and no body", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => HttpServer.json(response, 500, { why: "down" }))
      const call: Short = {
        name: "APICall",
        in: ["v"],
        data: {
          method: "POST",
          url: server.url,
          headers: { "x-secret": "header-secret" },
          contentType: "application/json",
          body: `{"b": "{{v}}"}`
        },
        out: ["Response", "Headers", "_error"]
      }
      const keep: Short = { name: "APIOutput", data: { format: "minimal" }, in: ["v"] }
      const { events } = yield* load(
        { C: call, R: keep, F: keep },
        ["E.x -> C.v", "C.Response -> R.v", "C._error -> F.v"]
      )
      const seen = Array.from(yield* Stream.runCollect(events("body-secret")))
      const ran = seen.flatMap(({ event }) =>
        "componentId" in event && event._tag === "StepStarted" ? [event.componentId] : []
      )
      assert.deepStrictEqual(ran, ["E", "C", "F"])
      const told = JSON.stringify(seen)
      assert.include(told, "500")
      for (const secret of ["header-secret", "body-secret"]) assert.notInclude(told, secret)
    }).pipe(asA))

  it.scoped("a branch in the background runs once, also where the document was left in debugging", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => HttpServer.json(response, 200, {}))
      const { call } = yield* load(
        {
          A: { name: "Async", in: ["v"] },
          C: { name: "APICall", data: { url: server.url }, in: ["v"] },
          W: { name: "Await", data: { jobs_count: 1, max_time: 20 }, in: ["Jobs"] }
        },
        ["E.x -> A.v", "A.v -> C.v", "A.JobID -> W.Jobs"],
        { debugSessionEnabled: true }
      )
      const { answer } = yield* call(1)
      assert.include(JSON.stringify(answer), `"status":"done"`)
      assert.lengthOf(server.requests, 1)
    }).pipe(asA))

  it.effect("whatever fails, the error is text", () =>
    Effect.gen(function*() {
      const failing: Record<string, Short> = {
        api: { name: "APICall", data: { url: "http://10.0.0.1/" }, in: ["Input"] },
        code: {
          name: "ECMASandbox",
          data: { code: "async function main() { throw { not: 'an error' } }" },
          in: ["Input"]
        },
        sign: { name: "FSign", data: { key: "" }, in: ["Data"] },
        lookup: { name: "DataSourceLookup", data: { namespace: "none" }, in: ["Query"] },
        model: { name: "PromptGenerator", data: { model: "no-such-model", prompt: "x" }, in: ["Input"] },
        mcp: { name: "MCPClient", data: { mcpUrl: "nonsense", tool: "t" }, in: ["Input"] },
        await: { name: "FHash", data: { algorithm: "md5" }, in: ["Data"] }
      }
      for (const [title, short] of Object.entries(failing)) {
        const input = String(short.in?.[0])
        const { call } = yield* load({ C: short }, [`E.x -> C.${input}`])
        const { answer } = yield* call({ a: [1] })
        const { _error } = (answer as { readonly result: { readonly _error: unknown } }).result
        assert.isString(_error, `${title}: ${JSON.stringify(answer)}`)
        assert.notStrictEqual(_error, "")
      }
    }).pipe(asA))

  it.effect("a skill that returns nothing is an answer without a value, not a crash", () =>
    Effect.gen(function*() {
      const { call } = yield* load({}, [], { skills: new Map([["E", () => Effect.void]]) })
      const { answer, failed } = yield* call(1)
      assert.isFalse(failed)
      assert.notInclude(JSON.stringify(answer ?? null), "crashed")
    }).pipe(asA))
})
