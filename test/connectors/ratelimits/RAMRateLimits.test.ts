import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, FastCheck as fc, TestClock } from "effect"
import { RAMRateLimits } from "../../../src/connectors/ratelimits/RAMRateLimits.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
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

const waitOf = (key: string) =>
  Effect.flatMap(
    RateLimitStoreConnector,
    ({ take }) =>
      Effect.map(take(key, [{ of: "requests", limit: 1, takes: 1 }], Duration.infinity), ({ wait }) =>
        Duration.toSeconds(wait))
  )

it.effect("beyond the bound, the key is forgotten that is used least; the one before all that is over", () =>
  Effect.gen(function*() {
    const waits = Effect.forEach(["a", "b", "b", "c", "b", "a"], waitOf)
    assert.deepStrictEqual(yield* waits, [0, 0, 60, 0, 120, 0])
    yield* TestClock.adjust("2 minutes")
    // Of "b" a turn is still to come.
    assert.deepStrictEqual(yield* Effect.forEach(["d", "b"], waitOf), [0, 60])
  }).pipe(Effect.provide(RAMRateLimits.contract({ maxKeys: 2 }))))

it.effect("nobody gets a key of another's forgotten by making up keys", () =>
  Effect.gen(function*() {
    const ann = Candidate.as(Candidate.user("ann"))
    const eve = Candidate.as(Candidate.user("eve"))
    assert.strictEqual(yield* ann(waitOf("ann's")), 0)
    assert.deepStrictEqual(yield* eve(Effect.forEach(["all's", "all's"], waitOf)), [0, 60])
    yield* eve(Effect.forEach(Array.from({ length: 50 }, (_, n) => `made up ${n}`), waitOf))
    assert.deepStrictEqual(yield* ann(Effect.forEach(["ann's", "all's"], waitOf)), [60, 120])
  }).pipe(Effect.provide(RAMRateLimits.contract({ maxKeys: 10 }))))

suite("RAM", RAMRateLimits.contract({}))
