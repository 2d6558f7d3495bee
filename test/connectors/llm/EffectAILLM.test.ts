import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as AiTool from "@effect/ai/Tool"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import * as EffectAILLM from "../../../src/connectors/llm/EffectAILLM.ts"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import { LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { keptPromise } from "../../conformance/llm-wire.ts"

const usage = { inputTokens: 100, outputTokens: 50, totalTokens: 150, cachedInputTokens: 80, reasoningTokens: 30 }

const parts = (...list: ReadonlyArray<Response.StreamPartEncoded>) => Stream.fromIterable(list)

/** The answer of a model that streams these parts, and what it was asked. */
const ask = (
  answer: Stream.Stream<Response.StreamPartEncoded, AiError.AiError>,
  asked: Partial<ProviderRequest> = {}
) =>
  Effect.gen(function*() {
    const seen: Array<LanguageModel.ProviderOptions> = []
    const model = Layer.effect(
      LanguageModel.LanguageModel,
      LanguageModel.make({
        generateText: () => Effect.succeed([]),
        streamText: (options) => {
          seen.push(options)
          return answer
        }
      })
    )
    const context = yield* Layer.build(EffectAILLM.contract("Mine", model))
    const events = Context.get(context, LLMConnector).stream({
      modelId: "m",
      baseURL: undefined,
      apiKey: undefined,
      outputTokens: undefined,
      messages: [Prompt.user("hello")],
      ...asked
    })
    const heard = Effect.flatMap(Stream.runCollect(keptPromise(events)), (all) => collect(Stream.fromChunk(all)))
    return { answer: yield* Effect.either(heard), seen }
  })

const tool: Prompt.Tool = {
  name: "add",
  description: "Adds.",
  parameters: { type: "object", properties: { a: { type: "number" } }, required: ["a"] }
}

describe("an @effect/ai LanguageModel as a provider", () => {
  it.scoped("streams text, thoughts and usage", () =>
    Effect.gen(function*() {
      const { answer } = yield* ask(parts(
        { type: "reasoning-delta", id: "0", delta: "hm" },
        { type: "text-delta", id: "1", delta: "Hello" },
        { type: "finish", reason: "stop", usage }
      ))
      assert.deepStrictEqual(yield* answer, {
        text: "Hello",
        reasoning: "hm",
        toolCalls: [],
        reason: "stop",
        usage: { inputTokens: 20, outputTokens: 50, cacheReadTokens: 80, cacheWriteTokens: 0, reasoningTokens: 30 }
      })
    }))

  it.scoped("declares tools by their JSON Schema, and hands calls on as they are", () =>
    Effect.gen(function*() {
      const { answer, seen } = yield* ask(
        parts(
          { type: "tool-call", id: "c1", name: "add", params: { a: 1 } },
          { type: "tool-call", id: "c2", name: "add", params: { a: "two" } },
          { type: "finish", reason: "tool-calls", usage }
        ),
        { tools: [tool], toolChoice: "required" }
      )
      const declared = seen[0]?.tools[0]
      assert.deepInclude(declared && AiTool.getJsonSchemaFromSchemaAst(declared.parametersSchema.ast), tool.parameters)
      assert.strictEqual(seen[0]?.toolChoice, "required")
      assert.deepStrictEqual((yield* answer).toolCalls, [
        { id: "c1", name: "add", arguments: `{"a":1}` },
        { id: "c2", name: "add", arguments: `{"a":"two"}` }
      ])
    }))

  it.scoped("is told the whole conversation", () =>
    Effect.gen(function*() {
      const { seen } = yield* ask(parts({ type: "finish", reason: "stop", usage }), {
        messages: [
          Prompt.system("be brief"),
          Prompt.user("look", [{ type: "file", mediaType: "image/png", data: "AAAA" }]),
          { role: "assistant", content: [{ type: "tool-call", id: "c1", name: "add", params: { a: 1 } }] },
          {
            role: "tool",
            content: [{ type: "tool-result", id: "c1", name: "add", result: { sum: 1 }, isFailure: false }]
          }
        ]
      })
      assert.deepStrictEqual(
        seen[0]?.prompt.content.map(({ content, role }) => [
          role,
          typeof content === "string" ? content : content.map(({ type }) => type)
        ]),
        [["system", "be brief"], ["user", ["text", "file"]], ["assistant", ["tool-call"]], ["tool", ["tool-result"]]]
      )
    }))

  it.scoped("is shown the image a tool gave after its result, which holds none", () =>
    Effect.gen(function*() {
      const image: Prompt.FilePart = { type: "file", mediaType: "image/png", data: "AAAA", fileName: "a.png" }
      const { seen } = yield* ask(parts({ type: "finish", reason: "stop", usage }), {
        messages: [
          Prompt.user("look"),
          { role: "assistant", content: [{ type: "tool-call", id: "c1", name: "shot", params: {} }] },
          {
            role: "tool",
            content: [{ type: "tool-result", id: "c1", name: "shot", result: image, isFailure: false }]
          }
        ]
      })
      const last = seen[0]?.prompt.content.at(-1)
      assert.strictEqual(last?.role, "user")
      assert.deepInclude(last?.content[0], { type: "file", mediaType: "image/png", fileName: "a.png" })
    }))

  it.scoped("that ends early, breaks off or fails is a failure", () =>
    Effect.gen(function*() {
      const reasonOf = (answer: Stream.Stream<Response.StreamPartEncoded, AiError.AiError>) =>
        Effect.flatMap(ask(answer), ({ answer }) => Effect.map(Effect.flip(answer), ({ reason }) => reason))
      const said = parts({ type: "text-delta", id: "1", delta: "so" })
      assert.strictEqual(yield* reasonOf(said), "Protocol")
      const broken = parts({ type: "error", error: new Error("m") })
      assert.strictEqual(yield* reasonOf(Stream.concat(said, broken)), "Unavailable")
      const refused = new AiError.MalformedInput({ module: "Mine", method: "streamText", description: "m" })
      assert.strictEqual(yield* reasonOf(Stream.fail(refused)), "InvalidInput")
    }))
})
