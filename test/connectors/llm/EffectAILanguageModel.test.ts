import * as Chat from "@effect/ai/Chat"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Schema, Stream } from "effect"
import { AnthropicLLM } from "../../../src/connectors/llm/AnthropicLLM.ts"
import * as EffectAILanguageModel from "../../../src/connectors/llm/EffectAILanguageModel.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as AnthropicServer from "../../fixtures/AnthropicServer.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"

/** Runs a program of `@effect/ai` on a model of ours, over a server that answers with these turns. */
const on = <A, E>(
  turns: ReadonlyArray<Turn>,
  program: Effect.Effect<A, E, LanguageModel.LanguageModel>
) =>
  Effect.gen(function*() {
    const server = yield* AnthropicServer.make(...turns)
    const model = EffectAILanguageModel.layer({ model: "claude-sonnet-4-5" }).pipe(
      Layer.provide(AnthropicLLM.layer({ baseURL: server.baseURL, apiKey: "sk-1" }))
    )
    const value = yield* Effect.provide(program, model).pipe(Candidate.as(Candidate.user("u1")))
    return { value, bodies: server.requests.map(({ body }) => body) }
  })

const Sum = Tool.make("Sum", {
  description: "Adds two numbers.",
  parameters: { a: Schema.Number, b: Schema.Number },
  success: Schema.Number
})

describe("a model of ours as an @effect/ai LanguageModel", () => {
  it.scopedLive("generates text, with thoughts and usage", () =>
    Effect.gen(function*() {
      const { value } = yield* on([{ reasoning: "hm", text: "Hello!" }], LanguageModel.generateText({ prompt: "hi" }))
      assert.strictEqual(value.text, "Hello!")
      assert.strictEqual(value.reasoningText, "hm")
      assert.strictEqual(value.finishReason, "stop")
      assert.deepInclude({ ...value.usage }, { inputTokens: 10, outputTokens: 5, totalTokens: 15 })
    }))

  it.scopedLive("streams parts that begin and end", () =>
    Effect.gen(function*() {
      const { value } = yield* on(
        [{ reasoning: "hm", text: "Hello you" }],
        Stream.runCollect(LanguageModel.streamText({ prompt: "hi" }))
      )
      assert.deepStrictEqual(Chunk.toReadonlyArray(value).map(({ type }) => type), [
        ...["reasoning-start", "reasoning-delta", "reasoning-end", "text-start", "text-delta", "text-delta"],
        ...["text-end", "finish"]
      ])
    }))

  it.scopedLive("runs its toolkits, and goes on with the results", () =>
    Effect.gen(function*() {
      const toolkit = Toolkit.make(Sum)
      const handlers = toolkit.toLayer({ Sum: ({ a, b }) => Effect.succeed(a + b) })
      const { bodies, value } = yield* on(
        [{ toolCalls: [{ id: "c1", name: "Sum", arguments: { a: 20, b: 22 } }] }, "It is 42."],
        Effect.gen(function*() {
          const chat = yield* Chat.empty
          const first = yield* chat.generateText({ prompt: "20 + 22?", toolkit })
          assert.deepStrictEqual(first.toolResults.map(({ result }) => result), [42])
          return (yield* chat.generateText({ prompt: "so?", toolkit })).text
        }).pipe(Effect.provide(handlers))
      )
      assert.strictEqual(value, "It is 42.")
      assert.include(bodies[0], "Adds two numbers.")
      assert.include(bodies[1], `"tool_use_id":"c1"`)
    }))

  it.scopedLive("generates objects by their schema", () =>
    Effect.gen(function*() {
      const { bodies, value } = yield* on(
        [`{"city":"Oslo"}`],
        LanguageModel.generateObject({ prompt: "where?", schema: Schema.Struct({ city: Schema.String }) })
      )
      assert.deepStrictEqual(value.value, { city: "Oslo" })
      assert.include(bodies[0], `"type":"json_schema"`)
    }))

  it.scopedLive("fails as its programs expect", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(on(
        [{ status: 401, body: { error: { message: "no" } } }],
        LanguageModel.generateText({ prompt: "hi" })
      ))
      assert.strictEqual(error._tag, "UnknownError")
      assert.include(error.message, "refused the key")
    }))
})
