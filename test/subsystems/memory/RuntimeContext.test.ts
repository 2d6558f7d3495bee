import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck, Layer, Option, Schema, TestClock } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Cache from "../../../src/subsystems/memory/Cache.ts"
import * as RuntimeContext from "../../../src/subsystems/memory/RuntimeContext.ts"

const format = {
  version: 1,
  schema: Schema.Struct({ round: Schema.Int, since: Schema.Date, values: Schema.Array(Schema.Unknown) })
}
const state = { round: 2, since: new Date(0), values: [1, null, "x"] }

const alice = Candidate.as(Candidate.agent("alice"))
const bob = Candidate.as(Candidate.agent("bob"))
const onCache = Effect.provide(Layer.provideMerge(RuntimeContext.layer, RAMCache.layer({})))

describe("RuntimeContext", () => {
  it.effect("a saved state comes back until it is removed", () =>
    Effect.gen(function*() {
      const runs = yield* RuntimeContext.RuntimeContext
      yield* runs.save(format, "r1", state)
      assert.deepStrictEqual(yield* runs.load(format, "r1"), Option.some(state))
      yield* runs.save(format, "r1", { ...state, round: 3 })
      assert.strictEqual(Option.getOrThrow(yield* runs.load(format, "r1")).round, 3)
      yield* runs.remove("r1")
      assert.deepStrictEqual(yield* runs.load(format, "r1"), Option.none())
    }).pipe(alice, onCache))

  it.effect("belongs to who saved it, and to nobody without an identity", () =>
    Effect.gen(function*() {
      const runs = yield* RuntimeContext.RuntimeContext
      yield* alice(runs.save(format, "r1", state))
      assert.deepStrictEqual(yield* bob(runs.load(format, "r1")), Option.none())
      yield* bob(runs.remove("r1"))
      assert.isTrue(Option.isSome(yield* alice(runs.load(format, "r1"))))
      assert.strictEqual((yield* Effect.flip(runs.load(format, "r1")))._tag, "NoCandidate")
    }).pipe(onCache))

  it.effect("is gone after its time to live, counted from the last save", () =>
    Effect.gen(function*() {
      const runs = yield* RuntimeContext.RuntimeContext
      const almost = Duration.subtract(RuntimeContext.timeToLive, Duration.minutes(1))
      yield* runs.save(format, "r1", state)
      yield* TestClock.adjust(almost)
      yield* runs.save(format, "r1", state)
      yield* TestClock.adjust(almost)
      assert.isTrue(Option.isSome(yield* runs.load(format, "r1")))
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(yield* runs.load(format, "r1"), Option.none())
    }).pipe(alice, onCache))

  it.effect("a state of another version, a damaged or an unfit one is an error that names the run and no value", () =>
    Effect.gen(function*() {
      const runs = yield* RuntimeContext.RuntimeContext
      const cache = yield* Cache.Cache
      yield* runs.save(format, "r1", state)
      const newer = yield* Effect.flip(runs.load({ ...format, version: 2 }, "r1"))
      assert.include(newer.message, "saved in version 1, this system reads version 2")
      yield* cache.set("runs/r2", "{\"version\":1,\"state\":{\"round\":\"s3cret\"}}", {
        timeToLive: RuntimeContext.timeToLive
      })
      const unfit = yield* Effect.flip(runs.load(format, "r2"))
      assert.strictEqual(unfit._tag, "InvalidState")
      assert.include(unfit.message, "\"r2\"")
      assert.include(unfit.message, "round")
      assert.notInclude(unfit.message, "s3cret")
      yield* cache.set("runs/r3", "{", { timeToLive: RuntimeContext.timeToLive })
      assert.strictEqual((yield* Effect.flip(runs.load(format, "r3")))._tag, "InvalidState")
      const unsavable = yield* Effect.flip(runs.save(format, "r4", { ...state, round: 0.5 }))
      assert.strictEqual(unsavable._tag, "InvalidState")
    }).pipe(alice, onCache))

  it.effect.prop("any JSON state survives", { json: FastCheck.jsonValue() }, ({ json }) =>
    Effect.gen(function*() {
      const runs = yield* RuntimeContext.RuntimeContext
      const any = { version: 1, schema: Schema.Unknown }
      yield* runs.save(any, "r1", json)
      const expected: unknown = JSON.parse(JSON.stringify(json))
      assert.deepStrictEqual(yield* runs.load(any, "r1"), Option.some(expected))
    }).pipe(alice, onCache))
})
