/** What callers get wrong, over the wire: a typed failure that names provider, model and cause, and no secret. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import * as Compatible from "../../../src/connectors/llm/CompatibleLLMs.ts"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import type { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as Conversation from "../../../src/subsystems/llm/Conversation.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as LLMContext from "../../../src/subsystems/memory/LLMContext.ts"
import { memoryVault } from "../../../src/testing/MemoryVault.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"

const secret = "sk-very-secret-key-of-u1"
const u1 = Candidate.as(Candidate.user("u1"))
const u2 = Candidate.as(Candidate.user("u2"))

const model = (provider: string, baseURL: string) =>
  ({ provider, modelId: "gpt-4o", credentials: "vault", tokens: 128_000, baseURL }) as const

/** Models `openai`, `perplexity` and `groq` of a server of the test; `u1` has the keys. */
const setup = (...turns: ReadonlyArray<OpenAIServer.Turn>) =>
  Effect.gen(function*() {
    const server = yield* OpenAIServer.make(...turns)
    const { baseURL } = server
    const names = ["openai", "perplexity", "groq"]
    const system = Layer.mergeAll(LLM.layer, Layer.provide(LLMContext.layer, MemoryStorage.layer({}))).pipe(
      Layer.provideMerge(
        JSONModels.layer({ models: Object.fromEntries(names.map((name) => [name, model(name, baseURL)])) })
      ),
      Layer.provide([
        LLM.providers([
          OpenAILLM.contract({}),
          Compatible.PerplexityLLM.contract({}),
          Compatible.GroqLLM.contract({})
        ]),
        Layer.provide(Vault.layer, memoryVault({ "user:u1": Object.fromEntries(names.map((name) => [name, secret])) }))
      ])
    )
    const context = yield* Layer.build(system)
    const ask = (request: Partial<LLM.Request> = {}) =>
      Context.get(context, LLM.LLM).generate({ model: "openai", messages: [Prompt.user("hello")], ...request })
    return { ask, context, server }
  })

type Refused = { readonly _tag: string; readonly message: string }

/** The failure, which shows no secret in any form. */
const refusal = <A, E extends Refused>(self: Effect.Effect<A, E>) =>
  Effect.tap(Effect.flip(self), (error) =>
    Effect.sync(() => {
      assert.notInclude(JSON.stringify(error) + String(error) + error.message, "very-secret")
      assert.notInclude(error._tag, "Exception")
    }))

const echoing = (status: number): OpenAIServer.Turn => ({ headers }) => ({
  status,
  body: { error: { message: `not with ${headers.authorization}` } }
})

const schema = { type: "object", properties: {} }
const tool = (parameters: Readonly<Record<string, unknown>>): Prompt.Tool => ({
  name: "f",
  description: "F",
  parameters
})

describe("refused before anybody is asked:", () => {
  const file = (mediaType: string): LLM.Request["messages"] => [
    Prompt.user("see", [{ type: "file", mediaType, data: "AAAA", fileName: "a.bin" }])
  ]
  const circular: Record<string, unknown> = { type: "object" }
  circular["properties"] = circular

  const cases: ReadonlyArray<readonly [string, Partial<LLM.Request>, typeof u1, ReadonlyArray<string>]> = [
    ["no key", {}, u2, ["openai", "vault"]],
    ["an unknown model", { model: "openay" }, u1, [`Unknown model "openay"`, `"openai"`]],
    ["a search, of a provider that has none", { model: "groq", webSearch: {} }, u1, [
      "Groq",
      `model "gpt-4o"`,
      "leave webSearch out"
    ]],
    ["tools, of models that call none", { model: "perplexity", tools: [tool(schema)] }, u1, [
      "Perplexity",
      "tools out"
    ]],
    [
      "a computer, of models without a tool for it",
      { model: "groq", computer: { width: 800, height: 600 } },
      u1,
      [`"groq"`, "Groq"]
    ],
    ["a file of a type that is not taken", { messages: file("video/mp4") }, u1, [
      "OpenAI",
      `model "gpt-4o"`,
      "a.bin",
      "video/mp4"
    ]],
    ["a tool whose schema is no JSON", { tools: [tool(circular)] }, u1, ["OpenAI", "cannot be built"]]
  ]
  for (const [what, request, as, told] of cases) {
    it.scopedLive(what, () =>
      Effect.gen(function*() {
        const { ask, server } = yield* setup("never sent")
        const error = yield* refusal(as(ask(request)))
        for (const word of told) assert.include(error.message, word)
        assert.lengthOf(server.requests, 0)
      }))
  }

  it.scopedLive("20 MB in a conversation", () =>
    Effect.gen(function*() {
      const { context, server } = yield* setup("never sent")
      const message = "so many words ".repeat(1_500_000)
      const talk = Effect.flatMap(
        Conversation.make({ model: "openai", system: "", tools: [] }),
        ({ ask }) => ask(message)
      )
      const error = yield* refusal(u1(Effect.provide(talk, context)))
      assert.strictEqual(error._tag, "ContextExceeded")
      assert.lengthOf(server.requests, 0)
    }))
})

describe("refused by the provider:", () => {
  const cases: ReadonlyArray<readonly [string, number, Partial<LLM.Request>, ConnectorError["reason"]]> = [
    ["a wrong key", 401, {}, "Unauthorized"],
    ["a model that it does not know", 404, {}, "NotFound"],
    ["a prompt of 20 MB", 413, { messages: [Prompt.user("x".repeat(20_000_000))] }, "InvalidInput"],
    ["a tool with an invalid schema", 400, { tools: [tool({ type: "fish" })] }, "InvalidInput"]
  ]
  for (const [what, status, request, reason] of cases) {
    it.scopedLive(what, () =>
      Effect.gen(function*() {
        const { ask, server } = yield* setup(echoing(status))
        const error = yield* refusal(u1(ask(request)))
        assert.deepInclude({ ...error }, { _tag: "ConnectorError", connector: "OpenAI", reason })
        assert.include(error.message, `model "gpt-4o"`)
        assert.lengthOf(server.requests, 1)
      }))
  }
})

describe("an answer", () => {
  const utf8 = (text: string) => Buffer.from(text)

  it.scopedLive("that is not UTF-8 is read as far as it can be", () =>
    Effect.gen(function*() {
      const [before, after] = OpenAIServer.delta({ content: "a|b" }, "stop").split("|")
      const { ask } = yield* setup({
        packets: [utf8(before!), Uint8Array.of(0xff, 0xfe), utf8(after!), OpenAIServer.event("[DONE]")]
      })
      assert.strictEqual((yield* u1(ask())).text, "a\uFFFD\uFFFDb")
    }))

  it.scopedLive("that breaks off has been heard so far", () =>
    Effect.gen(function*() {
      const { context } = yield* setup({ text: "I was about to", finish: null, done: false, then: "cut" })
      const heard: Array<string> = []
      const stream = Context.get(context, LLM.LLM).stream({ model: "openai", messages: [Prompt.user("hello")] })
      yield* refusal(u1(Stream.runForEach(stream, (event) =>
        Effect.sync(() => {
          if (event.type === "text") heard.push(event.delta)
        }))))
      assert.strictEqual(heard.join(""), "I was about to")
    }))

  it.scopedLive("that is not JSON where JSON was asked for is kept in the failure", () =>
    Effect.gen(function*() {
      const { context } = yield* setup("I'd rather not.")
      const request = { model: "openai", messages: [Prompt.user("hello")] }
      const asked = LLM.object(request, Schema.Struct({ n: Schema.Number }))
      const error = yield* refusal(u1(Effect.provide(asked, context)))
      assert.deepInclude({ ...error }, { _tag: "InvalidAnswer", model: "openai", text: "I'd rather not." })
    }))
})

describe("a tool", () => {
  const calls = { toolCalls: [{ name: "f", arguments: {} }] }
  const events = (run: Conversation.ConversationTool["run"], ...turns: ReadonlyArray<OpenAIServer.Turn>) =>
    Effect.gen(function*() {
      const { context } = yield* setup(...turns)
      const talk = Effect.flatMap(
        Conversation.make({
          model: "openai",
          system: "",
          tools: [{ tool: tool(schema), status: "", run }],
          toolTimeout: "50 millis",
          maxRounds: 3
        }),
        ({ prompt }) => Stream.runCollect(prompt("go"))
      )
      const said = Array.from(yield* u1(Effect.provide(talk, context)))
      assert.notInclude(JSON.stringify(said), "very-secret")
      return said
    })
  const results = (said: ReadonlyArray<Conversation.ConversationEvent>) =>
    said.flatMap((event) => event.type === "toolResult" ? [String(event.result)] : [])

  it.scopedLive("that hangs or throws fails alone, and the model is told", () =>
    Effect.gen(function*() {
      const hung = yield* events(() => Effect.never, calls, "well")
      assert.match(results(hung)[0] ?? "", /did not answer within 50ms/)
      const thrown = yield* events(
        () => {
          throw new Error(secret)
        },
        calls,
        "well"
      )
      assert.match(results(thrown)[0] ?? "", /^The tool crashed/)
      assert.deepInclude(thrown.at(-1), { type: "end", text: "well" })
    }))

  it.scopedLive("that the model calls for ever is not", () =>
    Effect.gen(function*() {
      const said = yield* events(() => Effect.succeed("again"), calls)
      assert.deepStrictEqual(results(said).filter((one) => one === "again").length, 3)
      assert.isTrue(said.some((event) => event.type === "interrupted" && event.reason === "max_tool_calls"))
    }))
})
