import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { agent, missing, read, remove, run, write } from "./memory.ts"

describe("MemoryWriteKeyVal", () => {
  it.effect("keeps sessions and requests apart", () =>
    Effect.gen(function*() {
      for (const scope of ["session", "request"]) {
        yield* write({ scope, value: "one" }, {}, run("s1", "w1"))
        yield* write({ scope, value: "two" }, {}, run("s2", "w2"))
        assert.deepStrictEqual(yield* read({}, run("s1", "w1")), { Value: "one" })
        assert.deepStrictEqual(yield* read({}, run("s2", "w2")), { Value: "two" })
        assert.deepStrictEqual(yield* read({}, run("s3", "w3")), missing)
        yield* remove({}, run("s1", "w1"))
        assert.deepStrictEqual(yield* read({}, run("s1", "w1")), missing)
        assert.deepStrictEqual(yield* read({}, run("s2", "w2")), { Value: "two" })
        yield* remove({}, run("s2", "w2"))
      }
      yield* write({ scope: "session" }, {}, run("s1", "w1"))
      assert.deepStrictEqual(yield* read({}, run("s1", "w9")), { Value: "v" })
      yield* write({ scope: "request", key: "r" }, {}, run("s1", "w1"))
      assert.property(yield* read({ key: "r" }, run("s1", "w9")), "_warning")
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("keeps for three hours, or as long as the scope ttl says", () =>
    Effect.gen(function*() {
      yield* write({ key: "plain", ttl: "300" })
      yield* write({ key: "short", scope: "ttl", ttl: "300" })
      yield* write({ key: "long", scope: "TTL", ttl: 604_800 })
      yield* TestClock.adjust("299 seconds")
      assert.deepStrictEqual(yield* read({ key: "short" }), { Value: "v" })
      yield* TestClock.adjust("2 seconds")
      assert.property(yield* read({ key: "short" }), "_warning")
      assert.deepStrictEqual(yield* read({ key: "plain" }), { Value: "v" })
      yield* TestClock.adjust("3 hours")
      assert.property(yield* read({ key: "plain" }), "_warning")
      assert.deepStrictEqual(yield* read({ key: "long" }), { Value: "v" })
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("confuses no two names and keys, whatever is in them", () =>
    Effect.gen(function*() {
      const pairs = [["a:b", "c"], ["a", "b:c"], ["a", "b"], ["a", "b_scope"], ["..", "/"], ["a/b", "c"], ["a", "b/c"]]
      for (const [memoryName, key] of pairs) yield* write({ memoryName, key, value: `${memoryName}|${key}` })
      for (const [memoryName, key] of pairs) {
        assert.deepStrictEqual(yield* read({ memoryName, key }), { Value: `${memoryName}|${key}` })
      }
      const long = "ü".repeat(255)
      yield* write({ memoryName: long, key: long })
      assert.deepStrictEqual(yield* read({ memoryName: long, key: long }), { Value: "v" })
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("refuses wrong settings, naming them", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(write({ scope: "forever" }))).message, "scope")
      assert.include((yield* Effect.flip(write({ scope: "ttl", ttl: 299 }))).message, "300 to 604800")
      assert.include((yield* Effect.flip(write({ memoryName: "" }))).message, "memoryName")
      assert.include((yield* Effect.flip(write({ key: "{{empty}}" }, { empty: "" }))).message, "key")
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))
})
