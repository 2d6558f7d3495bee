import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Redacted, Schema, Stream, TestClock } from "effect"
import type { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as RateLimits from "../../../src/subsystems/llm/RateLimits.ts"
import { finish, layer } from "./scripted.ts"

const decode = Schema.decodeSync(RateLimits.Settings)
const request = (apiKey: string, more: Partial<LLM.ProviderRequest> = {}): LLM.ProviderRequest => ({
  modelId: "m",
  messages: [Prompt.user("hi")],
  baseURL: undefined,
  apiKey: Redacted.make(apiKey),
  outputTokens: undefined,
  ...more
})

/** When each request was let through, in seconds from the start; none for one that was refused. */
const letThrough = (settings: typeof RateLimits.Settings.Encoded, requests: ReadonlyArray<LLM.ProviderRequest>) =>
  Effect.gen(function*() {
    const providers = yield* LLM.Providers
    const started = yield* Clock.currentTimeMillis
    const call = (one: LLM.ProviderRequest): Effect.Effect<number | ConnectorError> =>
      Stream.runDrain(providers.get("test")!.stream(one)).pipe(
        Effect.zipRight(Clock.currentTimeMillis),
        Effect.map((now) => (now - started) / 1000),
        Effect.catchAll(Effect.succeed)
      )
    const fiber = yield* Effect.fork(Effect.forEach(requests, call, { concurrency: "unbounded" }))
    yield* TestClock.adjust("5 minutes")
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(Layer.provide(
    RateLimits.layer(decode(settings)),
    layer({}, () => Stream.make(finish))
  )))

const limits = (limit: object, maxWait = 120_000) => ({ providers: { test: limit }, maxWait })

it.effect("requests of one key beyond those of a minute wait for the next one, those of another key do not", () =>
  Effect.gen(function*() {
    const requests = ["a", "a", "a", "b", "b"].map((key) => request(key))
    assert.deepStrictEqual(yield* letThrough(limits({ requestsPerMinute: 2 }), requests), [0, 0, 60, 0, 0])
    assert.deepStrictEqual(yield* letThrough({ providers: {} }, requests), [0, 0, 0, 0, 0])
    const elsewhere = [request("a"), request("a", { baseURL: "https://other.test" })]
    assert.deepStrictEqual(yield* letThrough(limits({ requestsPerMinute: 1 }), elsewhere), [0, 0])
  }))

it.effect("tokens count with those the answer may have, and a request larger than a minute's is let through alone", () =>
  Effect.gen(function*() {
    const requests = [105, 105, 5000].map((maxTokens) => request("a", { maxTokens }))
    assert.deepStrictEqual(yield* letThrough(limits({ tokensPerMinute: 200 }), requests), [0, 60, 120])
  }))

it.effect("who would wait too long is told", () =>
  Effect.gen(function*() {
    const [first, second] = yield* letThrough(limits({ requestsPerMinute: 1 }, 30_000), [request("a"), request("a")])
    assert.strictEqual(first, 0)
    assert.deepInclude({ ...(second as ConnectorError) }, { connector: "Test", reason: "RateLimited" })
    assert.notInclude(JSON.stringify(second), "Redacted")
  }))
