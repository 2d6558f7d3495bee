import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicAtMost } from "../../../src/components/logic/LogicAtMost.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicAtMost", () => {
  it.effect("counts set inputs up to its number", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicAtMost, [1, 1, 0], { maxSetInputs: 1 }), unverified)
      assert.deepStrictEqual(yield* gate(LogicAtMost, [1, 0, undefined], { maxSetInputs: "1" }), verified)
      assert.deepStrictEqual(yield* gate(LogicAtMost, [0], { maxSetInputs: 0 }), verified)
    }))

  it.effect("is verified when it has fewer inputs than it allows", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicAtMost, [1, 1, 1], { maxSetInputs: 5 }), verified)
    }))

  it.effect("refuses a number that is none from 0 to 9", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gate(LogicAtMost, [1], { maxSetInputs: "many" }))
      assert.include(error.message, "expected a whole number from 0 to 9, got \"many\"")
    }))
})
