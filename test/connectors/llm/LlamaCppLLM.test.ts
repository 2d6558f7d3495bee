import { assert, describe, it, layer } from "@effect/vitest"
import { Chunk, Context, Deferred, Effect, Exit, FastCheck, Fiber, Layer, Scope, Stream } from "effect"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as GrammarSchema from "../../../src/connectors/llm/GrammarSchema.ts"
import { LlamaCppLLM } from "../../../src/connectors/llm/LlamaCppLLM.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as ProviderKey from "../../../src/subsystems/llm/ProviderKey.ts"
import { keptPromise } from "../../conformance/llm-wire.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import * as TinyModel from "../../fixtures/TinyModel.ts"

const says = [
  ["greet", "Hello ", "you ", "there."],
  ["forever", "and ", "so ", "on ", "and "],
  ["ponder", "<think>", "hm, ", "</think>", "42"],
  ["compute", "||call: "],
  // After the result of a call.
  ["\n", "It is ", "done."]
]

const processor = { gpu: false, threads: 1, contextTokens: 4096 } as const

type Settings = Parameters<typeof LlamaCppLLM.contract>[0]

/** One good file, and some that are not. */
const files = Effect.gen(function*() {
  const folder = yield* tempFolder
  const whole = TinyModel.bytesOf({ says })
  const other = Buffer.from(whole)
  other.write("llxma", other.indexOf("llama"))
  const contents = { tiny: whole, text: Buffer.from("no model at all"), half: whole.subarray(0, 200_000), other }
  for (const [name, bytes] of Object.entries(contents)) {
    yield* Effect.promise(() => writeFile(join(folder, `${name}.gguf`), bytes))
  }
  return Object.fromEntries([...Object.keys(contents), "missing"].map((name) => [name, join(folder, `${name}.gguf`)]))
})

const asking =
  (provider: LLM.LLMProvider) =>
  (messages: string | ReadonlyArray<Prompt.Message>, asked: Partial<LLM.ProviderRequest> = {}) =>
    keptPromise(
      provider.stream({
        modelId: "tiny",
        baseURL: undefined,
        apiKey: undefined,
        outputTokens: undefined,
        messages: typeof messages === "string" ? [Prompt.user(messages)] : messages,
        ...asked
      })
    )

/** A connector of one's own. */
const setup = (settings: Settings = {}, options: TinyModel.Options = {}) =>
  Effect.gen(function*() {
    const tiny = yield* TinyModel.make({ says, ...options })
    const context = yield* Layer.build(LlamaCppLLM.contract({ ...processor, models: { tiny }, ...settings }))
    return asking(Context.get(context, LLM.LLMConnector))
  })

const shared = Effect.map(LLM.LLMConnector, asking)

const refusal = <A, E>(stream: Stream.Stream<A, E>) => Effect.flip(Stream.runDrain(stream))

const add: Prompt.Tool = {
  name: "add",
  description: "Adds numbers.",
  parameters: { type: "object", properties: { a: { type: "number" }, b: { type: "string" } }, required: ["a"] }
}

describe("a schema as a grammar", () => {
  it("keeps what grammars can say, and allows anything for the rest", () => {
    const anything = GrammarSchema.from({ allOf: [{ minimum: 1 }] })
    assert.deepStrictEqual(
      GrammarSchema.from({
        type: "object",
        title: "T",
        properties: {
          name: { type: "string", pattern: "^a", maxLength: 20, description: "Who" },
          when: { type: "string", format: "date" },
          tree: { $ref: "#/$defs/node" },
          lost: { $ref: "#/definitions/node" },
          many: { type: "array", items: { anyOf: [{ type: "integer" }, { type: "null" }] }, maxItems: 100_000 },
          odd: { enum: [{ a: 1 }] }
        },
        $defs: { node: { type: ["string", "null"] } }
      }),
      {
        type: "object",
        properties: {
          name: { type: "string", maxLength: 20, description: "Who" },
          when: { type: "string", format: "date" },
          tree: { $ref: "#/$defs/node" },
          lost: anything,
          many: { type: "array", items: { oneOf: [{ type: "integer" }, { type: "null" }] } },
          odd: anything
        },
        additionalProperties: false,
        $defs: { node: { oneOf: [{ type: "string" }, { type: "null" }] } }
      } as never
    )
  })

  it.prop("is made of any JSON", [FastCheck.jsonValue()], ([schema]) => {
    assert.isObject(GrammarSchema.from(schema))
  })
})

if (TinyModel.canRun()) {
  describe("LlamaCpp", () => {
    it.scopedLive("ends where its context does, refuses a prompt that fills it, and serves others at the same time", () =>
      Effect.gen(function*() {
        const ask = yield* setup({ contextTokens: 256, concurrency: 3 })
        const { reason, usage } = yield* collect(ask("forever"))
        assert.strictEqual(reason, "length")
        assert.isBelow(usage.inputTokens + usage.outputTokens, 256)
        const error = yield* refusal(ask(`${"x".repeat(300)} greet`))
        assert.deepInclude({ ...error }, { connector: "LlamaCpp", reason: "InvalidInput" })
        assert.match(error.message, /the prompt takes 3\d\d tokens, and the context has 256/)
        const prompts = Array.from({ length: 30 }, (_, n) => n % 2 === 0 ? "greet" : "ponder")
        const answers = yield* Effect.forEach(prompts, (prompt) => collect(ask(prompt)), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          answers.map(({ text }) => text),
          prompts.map((prompt) => prompt === "greet" ? "Hello you there." : "42")
        )
      }))

    it.scopedLive("reads all anew where nothing is to be kept", () =>
      Effect.gen(function*() {
        const ask = yield* setup({ cache: false })
        const first = yield* collect(ask("please greet"))
        assert.deepStrictEqual((yield* collect(ask("please greet"))).usage, first.usage)
      }))

    it.scopedLive("closes with its scope, also in mid-answer", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const ask = yield* Scope.extend(setup(), scope)
        const begun = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(Stream.runForEach(ask("forever"), () => Deferred.succeed(begun, undefined)))
        yield* Deferred.await(begun)
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isExit(yield* Fiber.await(fiber)))
      }))

    it.scopedLive("does not begin where memory does not hold its context", () =>
      Effect.gen(function*() {
        const ask = yield* setup({ contextTokens: 1_048_576, concurrency: 16 }, { layers: 64 })
        const error = yield* refusal(ask("greet"))
        assert.deepInclude({ ...error }, { connector: "LlamaCpp", reason: "Full" })
      }))

    it.scopedLive("does not wait for ever for a word", () =>
      Effect.gen(function*() {
        const ask = yield* setup({ timeout: 1, contextTokens: 8192 })
        assert.strictEqual((yield* refusal(ask(`${"x".repeat(7000)} greet`))).reason, "Timeout")
      }))

    it.scopedLive("serves a program by itself", () =>
      Effect.gen(function*() {
        const tiny = yield* TinyModel.make({ says })
        const answer = yield* Effect.flatMap(LLM.LLM, (llm) =>
          llm.generate({ model: { provider: "LlamaCpp", modelId: "tiny" }, messages: [Prompt.user("greet")] })).pipe(
            Candidate.as(Candidate.user("ann")),
            Effect.provide(LlamaCppLLM.layer({ ...processor, models: { tiny } }))
          )
        assert.strictEqual(answer.text, "Hello you there.")
      }))

    it.scopedLive("serves the models that the registry says are its own", () =>
      Effect.gen(function*() {
        const tiny = yield* TinyModel.make({ says })
        const models = { house: { provider: "LlamaCpp", modelId: "tiny", credentials: "none", tokens: 4096 } } as const
        const system = Layer.provide(LLM.layer, [
          LLM.providers([LlamaCppLLM.contract({ ...processor, models: { tiny } })]),
          JSONModels.layer({ models }),
          ProviderKey.withoutVault
        ])
        const answer = yield* Effect.flatMap(LLM.LLM, (llm) =>
          llm.generate({ model: "house", messages: [Prompt.user("greet")] })).pipe(
            Candidate.as(Candidate.user("ann")),
            Effect.provide(system)
          )
        assert.deepInclude(answer, { text: "Hello you there.", reason: "stop" })
      }))
  })

  layer(Layer.unwrapScoped(Effect.map(files, (models) => LlamaCppLLM.contract({ ...processor, models }))), {
    excludeTestServices: true
  })("a model of LlamaCpp", (it) => {
    it.effect("answers word by word, and counts", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const events = Chunk.toReadonlyArray(yield* Stream.runCollect(ask("greet")))
        const tokens = { cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
        assert.deepStrictEqual(events, [
          { type: "text", delta: "Hello " },
          { type: "text", delta: "you " },
          { type: "text", delta: "there." },
          { type: "usage", usage: { inputTokens: 1, outputTokens: 4, ...tokens } },
          { type: "finish", reason: "stop" }
        ])
      }))

    it.effect("reads a conversation to its end, in any script", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const messages = [
          Prompt.system("Be brief, 日本語 👋."),
          Prompt.user("forever"),
          Prompt.assistant("and so on"),
          Prompt.user("please greet")
        ]
        assert.deepInclude(yield* collect(ask(messages)), { text: "Hello you there.", reason: "stop" })
      }))

    it.effect("reads the same beginning once", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const prompt = `${"word ".repeat(50)}greet`
        const first = yield* collect(ask(prompt))
        const again = yield* collect(ask(prompt))
        assert.isAbove(first.usage.inputTokens, 100)
        assert.isBelow(again.usage.inputTokens, 10)
        assert.strictEqual(again.usage.inputTokens + again.usage.cacheReadTokens, first.usage.inputTokens)
      }))

    it.effect("keeps thoughts apart from the answer", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const { reasoning, text, usage } = yield* collect(ask("ponder"))
        assert.deepStrictEqual([reasoning, text], ["hm, ", "42"])
        assert.isAbove(usage.reasoningTokens, 0)
      }))

    it.effect("ends at the bound, and before a word it must not say", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const bounded = yield* collect(ask("forever", { maxTokens: 4 }))
        assert.deepInclude(bounded, { text: "and so on and ", reason: "length" })
        const stopped = yield* collect(ask("greet", { stopSequences: ["there"] }))
        assert.deepInclude(stopped, { text: "Hello you ", reason: "stop" })
      }))

    it.effect("calls tools, and goes on with what they gave", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const { reason, text, toolCalls } = yield* collect(ask("compute", { tools: [add] }))
        const [call] = toolCalls
        assert.deepStrictEqual([reason, text, toolCalls.length, call?.name], ["tool-calls", "", 1, "add"])
        const params = JSON.parse(call!.arguments)
        assert.hasAllKeys(params, ["a", "b"])
        assert.isNumber(params.a)
        const result = { type: "tool-result", id: call!.id, name: "add", result: { sum: 3 }, isFailure: false } as const
        const messages: ReadonlyArray<Prompt.Message> = [
          Prompt.user("compute"),
          { role: "assistant", content: [{ type: "tool-call", id: call!.id, name: "add", params }] },
          { role: "tool", content: [result] }
        ]
        assert.deepInclude(yield* collect(ask(messages, { tools: [add] })), { text: "It is done.", reason: "stop" })
        assert.deepInclude(yield* collect(ask(messages)), { text: "It is done.", reason: "stop" })
        assert.deepInclude(yield* collect(ask("greet", { tools: [add] })), { text: "Hello you there.", toolCalls: [] })
      }))

    it.effect("is held to a schema by a grammar", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const responseSchema = {
          type: "object",
          properties: { ok: { type: "boolean" }, kind: { enum: ["a", "b"] }, note: { type: ["string", "null"] } },
          required: ["ok", "kind", "note"],
          additionalProperties: false
        }
        const answer = JSON.parse((yield* collect(ask("greet", { responseSchema }))).text)
        assert.hasAllKeys(answer, ["ok", "kind", "note"])
        assert.isBoolean(answer.ok)
        assert.oneOf(answer.kind, ["a", "b"])
        assert.isObject(JSON.parse((yield* collect(ask("greet", { responseFormat: "json" }))).text))
      }))

    it.effect("is held to any schema, as far as a grammar can", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const keys = ["type", "properties", "items", "oneOf", "enum", "const", "a"]
        const schema = FastCheck.object({ key: FastCheck.constantFrom(...keys), maxDepth: 3, withNullPrototype: false })
        for (const value of FastCheck.sample(schema, 40)) {
          const responseSchema = { type: "object", properties: { value } }
          assert.match((yield* collect(ask("greet", { responseSchema, maxTokens: 3 }))).text, /^\{\s*"/)
        }
      }))

    it.effect("stops when nobody listens any more, and its place serves the next", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const begun = yield* Deferred.make<void>()
        const endless = yield* Effect.fork(Stream.runForEach(ask("forever"), () => Deferred.succeed(begun, undefined)))
        yield* Deferred.await(begun)
        const waiting = yield* Effect.fork(collect(ask("greet")))
        yield* Fiber.interrupt(waiting)
        yield* Fiber.interrupt(endless)
        assert.lengthOf(yield* Stream.runCollect(Stream.take(ask("forever"), 2)), 2)
        assert.strictEqual((yield* collect(ask("greet"))).text, "Hello you there.")
      }))

    const refusals: ReadonlyArray<readonly [string, Partial<LLM.ProviderRequest>, RegExp]> = [
      ["to answer nothing", { messages: [] }, /nothing to answer/],
      ["a search", { webSearch: {} }, /leave webSearch out/],
      ["to make a model call a tool", { tools: [add], toolChoice: "required" }, /let toolChoice be auto/],
      [
        "files",
        { messages: [Prompt.user("see", [{ type: "file", mediaType: "image/png", data: "AAAA", fileName: "a.png" }])] },
        /a\.png is of type image\/png; accepted: text alone/
      ]
    ]
    for (const [what, asked, told] of refusals) {
      it.effect(`refuses ${what}`, () =>
        Effect.gen(function*() {
          const ask = yield* shared
          const error = yield* refusal(ask("greet", asked))
          assert.strictEqual(error.reason, "InvalidInput")
          assert.match(error.message, told)
        }))
    }

    it.effect("must be configured, and its file one that can be loaded", () =>
      Effect.gen(function*() {
        const ask = yield* shared
        const said = (modelId: string) =>
          Effect.map(refusal(ask("greet", { modelId })), ({ detail, reason }) => `${reason}: ${detail}`)
        assert.strictEqual(
          yield* said("txt"),
          `NotFound: no file is configured for the model "txt". Did you mean "text"? ` +
            "Configured: tiny, text, half, other, missing"
        )
        assert.strictEqual(yield* said("missing"), `NotFound: model "missing": its file cannot be read: ENOENT`)
        assert.strictEqual(yield* said("text"), `Corrupted: model "text": its file is not in the format GGUF`)
        assert.match(yield* said("half"), /^Corrupted: model "half": its file cannot be loaded: .*incomplete/)
        assert.match(yield* said("other"), /^Corrupted: model "other": .* unknown model architecture: 'llxma'/)
      }))
  })
}
