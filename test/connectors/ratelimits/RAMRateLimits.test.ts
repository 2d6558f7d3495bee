import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, FastCheck as fc, TestClock } from "effect"
import { RAMRateLimits } from "../../../src/connectors/ratelimits/RAMRateLimits.ts"
import { RateLimitStoreConnector } from "../../../src/subsystems/llm/RateLimitStore.ts"
import { suite } from "../../../src/testing/conformance/rateLimits.ts"

it.effect.prop(
  "no minute holds more than the limit, whenever calls come and whatever they take; nobody overtakes",
  [
    fc.integer({ min: 1, max: 40 }),
    fc.array(fc.record({ after: fc.integer({ min: 0, max: 20_000 }), takes: fc.integer({ min: 1, max: 40 }) }), {
      maxLength: 60
    })
  ],
  ([limit, calls]) =>
    Effect.gen(function*() {
      const { take } = yield* RateLimitStoreConnector
      const turns: Array<{ readonly at: number; readonly takes: number }> = []
      for (const { after, takes } of calls) {
        yield* TestClock.adjust(after)
        const shares = [{ of: "tokens", limit, takes: Math.min(takes, limit) }]
        const { wait } = yield* take("key", shares, Duration.infinity)
        turns.push({ at: (yield* Clock.currentTimeMillis) + Duration.toMillis(wait), takes: Math.min(takes, limit) })
      }
      for (const [n, { at }] of turns.entries()) {
        if (n > 0) assert.isAtLeast(at, turns[n - 1]!.at)
        const held = turns.filter((one) => one.at <= at && one.at > at - 60_000)
        assert.isAtMost(held.reduce((sum, { takes }) => sum + takes, 0), limit)
      }
    }).pipe(Effect.provide(RAMRateLimits.contract({}))),
  { fastCheck: { numRuns: 40 } }
)

it.effect("the key unused for longest is forgotten beyond the bound", () =>
  Effect.gen(function*() {
    const { take } = yield* RateLimitStoreConnector
    const wait = (key: string) =>
      Effect.map(take(key, [{ of: "requests", limit: 1, takes: 1 }], Duration.infinity), ({ wait }) =>
        Duration.toSeconds(wait))
    assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "b", "c", "b", "a"], wait), [0, 0, 60, 0, 120, 0])
  }).pipe(Effect.provide(RAMRateLimits.contract({ maxKeys: 2 }))))

suite("RAM", RAMRateLimits.contract({}))
