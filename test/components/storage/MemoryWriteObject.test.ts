import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { agent, missing, read, run, writeObject } from "./memory.ts"

describe("MemoryWriteObject", () => {
  it.effect("keeps every property, nested ones whole", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* writeObject({ a: 1, b: { c: 2 }, t: `say "hi"`, z: null }), {
        Keys: ["a", "b", "t", "z"],
        Count: 4
      })
      assert.deepStrictEqual(yield* read({ key: "a" }), { Value: "1" })
      assert.deepStrictEqual(yield* read({ key: "b" }), { Value: `{"c":2}` })
      assert.deepStrictEqual(yield* read({ key: "t" }), { Value: `say "hi"` })
      assert.deepStrictEqual(yield* read({ key: "z" }), { Value: "null" })
      assert.deepStrictEqual(yield* writeObject(`{"a":1,"b":{"c":2}}`), { Keys: ["a", "b"], Count: 2 })
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("keeps them for those its scope says, and as long", () =>
    Effect.gen(function*() {
      yield* writeObject({ k: 1 }, { scope: "session" })
      assert.deepStrictEqual(yield* read({}, run("s1", "w9")), { Value: "1" })
      assert.deepStrictEqual(yield* read({}, run("s2")), missing)
      yield* writeObject({ t: 1 }, { scope: "ttl", ttl: "300" })
      yield* TestClock.adjust("299 seconds")
      assert.deepStrictEqual(yield* read({ key: "t" }), { Value: "1" })
      yield* TestClock.adjust("2 seconds")
      assert.property(yield* read({ key: "t" }), "_warning")
      assert.include((yield* Effect.flip(writeObject({}, { scope: "ttl", ttl: 1 }))).message, "300 to 604800")
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("refuses what is no object", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(writeObject([1]))).message, "Data")
      assert.include((yield* Effect.flip(writeObject("text"))).message, "Data")
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))
})
