/** Conversations that are fitted to the window by what the provider of their model counts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream, TestClock } from "effect"
import { AnthropicLLM } from "../../../src/connectors/llm/AnthropicLLM.ts"
import { JSONModelsLive } from "../../../src/connectors/models/JSONModels.ts"
import * as ContextWindow from "../../../src/subsystems/llm/ContextWindow.ts"
import * as Conversation from "../../../src/subsystems/llm/Conversation.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as LLMContext from "../../../src/subsystems/memory/LLMContext.ts"
import * as AnthropicServer from "../../fixtures/AnthropicServer.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"
import { as, context, tool } from "./conversations.ts"

const model = "claude-sonnet-4-5"
const turn = (at: number) => [
  Prompt.user(`question ${at} ${"about something ".repeat(20)}`),
  Prompt.assistant(`answer ${at} ${"and that is that ".repeat(20)}`)
]
const talk: ReadonlyArray<Prompt.Message> = [
  Prompt.system("be brief"),
  ...Array.from({ length: 20 }, (_, at) => turn(at)).flat()
]

/** Counts are answered with `counted`, all else with `ok`. */
const serving = (counted: Turn) =>
  AnthropicServer.make((request) =>
    request.url === "/v1/messages/count_tokens"
      ? typeof counted === "function" ? counted(request) : counted
      : "ok"
  )

const layerOf = (baseURL: string, settings: ContextWindow.Settings) =>
  Layer.merge(
    AnthropicLLM.layer({ baseURL, apiKey: "sk-1" }),
    ContextWindow.layer(settings)
  )

/** What is left of the talk, twice over in one turn; `own` is its size as counted here, and `declared` that of the tools. */
const fitted = (
  counted: (own: number, declared: number) => Turn,
  window: (own: number) => ContextWindow.Window,
  more: Partial<LLM.Request> = {}
) =>
  Effect.gen(function*() {
    const { declared, sizeOf } = yield* Effect.flatMap(
      LLM.LLM,
      (llm) => ContextWindow.fitter(llm, { model, ...more })
    ).pipe(Effect.provide(layerOf("http://127.0.0.1:1", { tokenizer: "gpt" })))
    const own = sizeOf(talk)
    const { baseURL, requests } = yield* serving(counted(own, declared))
    return yield* Effect.gen(function*() {
      const fitter = yield* ContextWindow.fitter(yield* LLM.LLM, { model, ...more })
      const left = yield* fitter.fit(talk, window(own))
      assert.deepStrictEqual(yield* fitter.fit(talk, window(own)), left)
      return { fitter, left, own, requests }
    }).pipe(as, Effect.provide(layerOf(baseURL, { tokenizer: "vendor" })))
  })

const all = (own: number) => ({ contextTokens: own + 100, reserve: 100 })
const twice = (own: number) => AnthropicServer.counted(own * 2)

describe("a count of the provider", () => {
  it.scopedLive("shortens, by whole turns, what seemed to fit", () =>
    Effect.gen(function*() {
      const { fitter, left, own, requests } = yield* fitted(twice, all)
      const rest = left.slice(1)
      assert.deepStrictEqual(left[0], talk[0])
      assert.deepStrictEqual(rest, talk.slice(-rest.length))
      assert.strictEqual(rest[0]?.role, "user")
      assert.isAtMost(fitter.sizeOf(left), own)
      assert.isAbove(fitter.sizeOf([...left, ...turn(1)]), own)
      assert.strictEqual(fitter.sizeOf(talk), own * 2)
      assert.lengthOf(requests, 1, "the provider is asked once a turn")
    }))

  it.scopedLive("keeps what did not seem to fit", () =>
    Effect.gen(function*() {
      const { left } = yield* fitted(
        () => (request) => AnthropicServer.counted(Math.floor(JSON.parse(request.body).messages.length * 20))(request),
        (own) => ({ contextTokens: Math.floor(own * 0.8), reserve: 0 })
      )
      assert.deepStrictEqual(left, talk)
    }))

  it.scopedLive("is of the tools, too, which take from the room as much more", () =>
    Effect.gen(function*() {
      const tools = [tool("find").tool, tool("look").tool]
      const reserving = (own: number) => ({ contextTokens: own + 500, reserve: 500 })
      const bare = yield* fitted(twice, reserving)
      const { fitter, left, own, requests } = yield* fitted(
        (own, declared) => AnthropicServer.counted((own + declared) * 2),
        reserving,
        { tools }
      )
      assert.include(requests[0]?.body, `"name":"look"`)
      assert.strictEqual(fitter.sizeOf(talk), own * 2)
      assert.isAtMost(fitter.sizeOf(left) + fitter.declared, own)
      assert.isAtMost(left.length, bare.left.length)
    }))

  it.scopedLive("is believed within bounds", () =>
    Effect.gen(function*() {
      const many = yield* fitted(() => AnthropicServer.counted(100_000_000), all)
      assert.strictEqual(many.fitter.sizeOf(talk), many.own * 4)
      const few = yield* fitted(() => AnthropicServer.counted(1), all)
      assert.strictEqual(few.fitter.sizeOf(talk), Math.ceil(few.own / 4))
    }))

  it.scopedLive("is not asked for while the conversation takes half of the room at most", () =>
    Effect.gen(function*() {
      const { left, requests } = yield* fitted(twice, (own) => ({ contextTokens: own * 2 + 1, reserve: 1 }))
      assert.deepStrictEqual(left, talk)
      assert.lengthOf(requests, 0)
    }))

  for (
    const [title, answer] of [
      ["is refused", { status: 401, body: { error: { message: "no" } } }],
      ["is not to be had at this address", { status: 404, body: "" }],
      ["is no number", { body: { input_tokens: "many" } }]
    ] as const
  ) {
    it.scopedLive(`that ${title} changes nothing`, () =>
      Effect.gen(function*() {
        const window = (own: number) => ({ contextTokens: Math.floor(own * 0.8), reserve: 0 })
        const { fitter, left, own, requests } = yield* fitted(() => answer, window)
        assert.isBelow(left.length, talk.length)
        assert.strictEqual(fitter.sizeOf(talk), own)
        assert.lengthOf(requests, 1)
      }))
  }

  it.scopedLive("shortens what a conversation sends, and costs it nothing when it fails", () =>
    Effect.gen(function*() {
      const sent = (counted: Turn) =>
        Effect.gen(function*() {
          const { baseURL, requests } = yield* serving(counted)
          const answer = yield* Effect.gen(function*() {
            const history = yield* LLMContext.LLMContext
            yield* history.append("c1", talk.slice(1))
            const conversation = yield* Conversation.make({
              model,
              system: "be brief",
              tools: [],
              history: { id: "c1" },
              contextTokens: 6000,
              parameters: { maxTokens: 1000 }
            })
            return yield* conversation.ask("and now?")
          }).pipe(
            as,
            Effect.provide(Layer.mergeAll(layerOf(baseURL, { tokenizer: "vendor" }), context, JSONModelsLive))
          )
          assert.strictEqual(answer, "ok")
          assert.deepStrictEqual(requests.map(({ url }) => url), ["/v1/messages/count_tokens", "/v1/messages"])
          return JSON.parse(requests[1]?.body ?? "").messages.length as number
        })
      const whole = yield* sent({ status: 500, body: { error: { message: "oops" } } })
      assert.strictEqual(whole, talk.length)
      const shorter = yield* sent(AnthropicServer.counted(10_000))
      assert.isBelow(shorter, whole)
      assert.strictEqual(shorter % 2, 1, "whole turns, and the question")
    }))
})

describe("LLM.count", () => {
  const count = Effect.flatMap(
    LLM.LLM,
    (llm) => llm.count({ model: { provider: "Own", modelId: "m" }, messages: [Prompt.user("hi")] })
  )
  const counting = (count: Pick<LLM.LLMProvider, "count">) =>
    Layer.provide(
      LLM.standalone,
      Layer.succeed(LLM.LLMConnector, {
        provider: "Own",
        credentials: { environment: undefined, required: false },
        stream: () => Stream.empty,
        ...count
      })
    )

  it.effect("is refused to nobody known", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(count)
      assert.deepInclude({ ...error }, { _tag: "NoCandidate", operation: "LLM.count" })
    }).pipe(Effect.provide(counting({ count: () => Effect.succeedSome(1) }))))

  it.effect("is none where the provider does not count", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* as(count), Option.none())
    }).pipe(Effect.provide(counting({}))))

  it.effect("is waited for, but not for ever", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.flip(as(count)))
      yield* TestClock.adjust("20 seconds")
      assert.deepInclude({ ...(yield* Fiber.join(fiber)) }, { connector: "Own", method: "count", reason: "Timeout" })
    }).pipe(Effect.provide(counting({ count: () => Effect.never }))))
})
