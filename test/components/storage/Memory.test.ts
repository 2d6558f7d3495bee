import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import type { RunInfo } from "../../../src/components/Component.ts"
import { MemoryDeleteKeyVal } from "../../../src/components/storage/MemoryDeleteKeyVal.ts"
import { MemoryReadKeyVal } from "../../../src/components/storage/MemoryReadKeyVal.ts"
import { MemoryWriteKeyVal } from "../../../src/components/storage/MemoryWriteKeyVal.ts"
import { MemoryWriteObject } from "../../../src/components/storage/MemoryWriteObject.ts"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { runComponent } from "../harness.ts"

type Values = Readonly<Record<string, unknown>>

const run = (sessionId = "s1", workflowId = "w1"): RunInfo => ({
  id: "r1",
  sessionId,
  workflowId,
  conversationId: undefined,
  request: { method: "POST", endpoint: "go", headers: {}, body: {}, query: {} }
})

const write = (settings: Values, inputs: Values = {}, place = run()) =>
  runComponent(MemoryWriteKeyVal, {
    settings: { memoryName: "m", key: "k", value: "v", ...settings },
    inputs,
    step: { run: place }
  })
const read = (settings: Values = {}, place = run()) =>
  runComponent(MemoryReadKeyVal, { settings: { memoryName: "m", key: "k", ...settings }, step: { run: place } })
const remove = (settings: Values = {}, place = run()) =>
  runComponent(MemoryDeleteKeyVal, { settings: { memoryName: "m", key: "k", ...settings }, step: { run: place } })
const writeObject = (Data: unknown, settings: Values = {}) =>
  runComponent(MemoryWriteObject, { settings: { memoryName: "m", ...settings }, inputs: { Data } })

const agent = <A, E, R>(effect: Effect.Effect<A, E, R>) => Candidate.as(effect, Candidate.agent("a1"))
const missing = { _warning: `The memory "m" holds nothing under "k" for this run` }

describe("Memory", () => {
  it.effect("gives back what was written, text as it was and objects as JSON", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* write({ key: "{{name}}", value: `a {{v}}` }, { name: "k", v: `"q"\\\n` }), {
        Key: "k"
      })
      assert.deepStrictEqual(yield* read(), { Value: `a "q"\\\n` })
      yield* write({ value: "{{o}}" }, { o: { x: [1] } })
      assert.deepStrictEqual(yield* read(), { Value: `{"x":[1]}` })
      yield* write({ value: "{{n}}" }, { n: 0 })
      assert.deepStrictEqual(yield* read(), { Value: "0" })
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("warns of a miss on its own port and in the log, without failing", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const outputs = yield* runComponent(MemoryReadKeyVal, {
        settings: { memoryName: "m", key: "k" },
        step: { log: (level, message) => lines.push(`${level} ${message}`) }
      })
      assert.deepStrictEqual(outputs, missing)
      assert.deepStrictEqual(lines, [`warning ${missing._warning}`])
      assert.deepStrictEqual(yield* remove(), missing)
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("forgets", () =>
    Effect.gen(function*() {
      yield* write({})
      assert.deepStrictEqual(yield* remove(), { Key: "k", deleted: true })
      assert.deepStrictEqual(yield* read(), missing)
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

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

  it.effect("reads the value written last of those a run may see", () =>
    Effect.gen(function*() {
      yield* write({ scope: "session", value: "old" })
      yield* TestClock.adjust("1 second")
      yield* write({ scope: "", value: "new" })
      assert.deepStrictEqual(yield* read(), { Value: "new" })
      yield* TestClock.adjust("1 second")
      yield* write({ scope: "session", value: "newest" })
      assert.deepStrictEqual(yield* read(), { Value: "newest" })
      assert.deepStrictEqual(yield* read({}, run("s2", "w2")), { Value: "new" })
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

  it.effect("belongs to the agent: another one, and nobody, sees nothing", () =>
    Effect.gen(function*() {
      yield* agent(write({}))
      assert.deepStrictEqual(yield* Candidate.as(read(), Candidate.agent("a2")), missing)
      assert.include((yield* Effect.flip(read())).message, "no identity")
    }).pipe(Effect.provide(RAMCache.layer({}))))

  it.effect("MemoryWriteObject keeps every property, nested ones whole", () =>
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

  it.effect("refuses wrong settings and data, naming them", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(write({ scope: "forever" }))).message, "scope")
      assert.include((yield* Effect.flip(write({ scope: "ttl", ttl: 299 }))).message, "300 to 604800")
      assert.include((yield* Effect.flip(write({ memoryName: "" }))).message, "memoryName")
      assert.include((yield* Effect.flip(write({ key: "{{empty}}" }, { empty: "" }))).message, "key")
      assert.include((yield* Effect.flip(writeObject([1]))).message, "Data")
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))
})
