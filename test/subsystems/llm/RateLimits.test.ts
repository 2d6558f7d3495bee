import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Redacted, Schema, Stream, TestClock } from "effect"
import { RAMBudgets } from "../../../src/connectors/budgets/RAMBudgets.ts"
import { RAMRateLimits } from "../../../src/connectors/ratelimits/RAMRateLimits.ts"
import type { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Governed from "../../../src/subsystems/llm/Governed.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as RateLimits from "../../../src/subsystems/llm/RateLimits.ts"
import { finish, layer } from "./scripted.ts"

const decode = Schema.decodeSync(RateLimits.Settings)
const request = (apiKey: string, more: Partial<LLM.Request & LLM.ModelSpec> = {}): LLM.Request => ({
  model: { provider: "Test", modelId: "m", apiKey: Redacted.make(apiKey), ...more },
  messages: [Prompt.user("hi")],
  maxTokens: more.maxTokens
})

/** When each request was let through, in seconds from the start; none for one that was refused. */
const letThrough = (settings: typeof RateLimits.Settings.Encoded, requests: ReadonlyArray<LLM.Request>) =>
  Effect.gen(function*() {
    const llm = yield* LLM.LLM
    const started = yield* Clock.currentTimeMillis
    const call = (one: LLM.Request): Effect.Effect<number | LLM.LLMError> =>
      Stream.runDrain(llm.stream(one)).pipe(
        Effect.zipRight(Clock.currentTimeMillis),
        Effect.map((now) => (now - started) / 1000),
        Effect.catchAll(Effect.succeed)
      )
    const fiber = yield* Effect.fork(Effect.forEach(requests, call, { concurrency: "unbounded" }))
    yield* TestClock.adjust("5 minutes")
    return yield* Fiber.join(fiber)
  }).pipe(
    Candidate.as(Candidate.user("u1")),
    Effect.provide(Layer.provide(layer({}, () => Stream.make(finish)), governor(settings)))
  )

const governor = (settings: typeof RateLimits.Settings.Encoded) =>
  Layer.provide(Governed.governor({ RateLimits: decode(settings) }), [
    Layer.orDie(RAMBudgets.layer({})),
    Layer.orDie(RAMRateLimits.layer({}))
  ])

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
