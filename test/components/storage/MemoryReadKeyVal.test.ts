import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { MemoryReadKeyVal } from "../../../src/components/storage/MemoryReadKeyVal.ts"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { runComponent } from "../harness.ts"
import { agent, missing, read, remove, run, write } from "./memory.ts"

describe("MemoryReadKeyVal", () => {
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

  it.effect("belongs to the agent: another one, and nobody, sees nothing", () =>
    Effect.gen(function*() {
      yield* agent(write({}))
      assert.deepStrictEqual(yield* Candidate.as(read(), Candidate.agent("a2")), missing)
      assert.include((yield* Effect.flip(read())).message, "no identity")
    }).pipe(Effect.provide(RAMCache.layer({}))))
})
