import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, TestClock } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Cache, CacheConnector, layer as cacheLayer } from "../../../src/subsystems/memory/Cache.ts"
import { suite } from "../../../src/testing/conformance/cache.ts"

const asAnn = Candidate.as(Candidate.user("ann"))

describe("RAMCache", () => {
  it.effect("tells time by the clock: an entry lives to its last millisecond", () =>
    Effect.gen(function*() {
      const cache = yield* Cache
      yield* cache.set("a", "1", { timeToLive: Duration.hours(2) })
      yield* TestClock.adjust(Duration.millis(7_199_999))
      assert.deepStrictEqual(yield* cache.timeToLive("a"), Option.some(Duration.millis(1)))
      yield* TestClock.adjust(Duration.millis(1))
      assert.deepStrictEqual(yield* cache.get("a"), Option.none())
    }).pipe(asAnn, Effect.provide(RAMCache.layer({}))))

  it.effect("when it is full, what has expired goes first, then what was used least recently", () =>
    Effect.gen(function*() {
      const cache = yield* Cache
      const value = "x".repeat(10_000)
      for (const key of ["a", "b", "c"]) yield* cache.set(key, value)
      yield* cache.set("short", value, { timeToLive: "1 second" })
      yield* cache.get("a")
      yield* TestClock.adjust("2 seconds")
      yield* cache.set("d", value)
      assert.deepStrictEqual(yield* Effect.forEach(["b", "c", "d", "a"], cache.exists), [true, true, true, true])
      yield* cache.set("e", value)
      const left = yield* Effect.forEach(["a", "b", "c", "d", "e"], cache.exists)
      assert.deepStrictEqual(left, [true, false, true, true, true])
    }).pipe(asAnn, Effect.provide(RAMCache.layer({ maxBytes: "88kb" }))))

  it.effect("whoever fills it drives out nothing but its own, also as many candidates of one team", () =>
    Effect.gen(function*() {
      const cache = yield* Cache
      const value = "x".repeat(10_000)
      yield* asAnn(cache.set("a", value))
      for (let n = 0; n < 20; n++) yield* Candidate.as(cache.set(`b${n}`, value), Candidate.agent(`greedy${n}`))
      assert.isTrue(yield* asAnn(cache.exists("a")))
      const left = yield* Effect.forEach(
        [0, 17, 18, 19],
        (n) => Candidate.as(cache.exists(`b${n}`), Candidate.agent(`greedy${n}`))
      )
      assert.deepStrictEqual(left, [false, true, true, true])
    }).pipe(Effect.provide(Layer.provide(
      RAMCache.layer({ maxBytes: "88kb" }),
      Layer.succeed(Access.Teams, ({ id }) => Effect.succeed(id.startsWith("greedy") ? ["greedy"] : []))
    ))))

  it.effect("a value larger than the whole cache is refused and evicts nothing", () =>
    Effect.gen(function*() {
      const cache = yield* Cache
      yield* cache.set("a", "small")
      const error = yield* Effect.flip(cache.set("b", "x".repeat(10_000)))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.isTrue(yield* cache.exists("a"))
    }).pipe(asAnn, Effect.provide(RAMCache.layer({ maxBytes: 4000 }))))

  it.effect("an entry nobody can read back is refused, not open", () =>
    Effect.gen(function*() {
      const cache = yield* Cache
      const connector = yield* CacheConnector
      for (const text of ["", "no list", "{}\nvalue", "{\"acl\":{\"grants\":\"all\"}}\nvalue", "null\nvalue"]) {
        yield* connector.set(`user:ann/${text.length}`, text, Duration.infinity, Option.none())
        assert.deepInclude(yield* Effect.flip(cache.get(String(text.length))), { reason: "Corrupted" })
      }
    }).pipe(asAnn, Effect.provide(Layer.provideMerge(cacheLayer, RAMCache.contract({})))))

  it.effect("is bounded as its setting says, and says what it accepts", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(RAMCache.fromUnknown({ maxBytes: "lots" }, "Cache.Settings")))
      )
      assert.include(error.message, "Cache.Settings.maxBytes")
      assert.include(error.message, "64mb")
    }))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("RAM", RAMCache.contract({}), { entries: 100_000 })
