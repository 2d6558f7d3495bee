import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicAtLeast } from "../../../src/components/logic/LogicAtLeast.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicAtLeast", () => {
  it.effect("counts set inputs up to its number", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicAtLeast, [1, 0, 0], { minSetInputs: "2" }), unverified)
      assert.deepStrictEqual(yield* gate(LogicAtLeast, [1, 0, "x"], { minSetInputs: 2 }), verified)
      assert.deepStrictEqual(yield* gate(LogicAtLeast, [0], { minSetInputs: 0 }), verified)
    }))

  it.effect("is unverified, not silent, when it has fewer inputs than it wants", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicAtLeast, [1, 1, 1], { minSetInputs: 5 }), unverified)
    }))

  it.effect("refuses a number that is none from 0 to 9", () =>
    Effect.gen(function*() {
      for (const minSetInputs of ["", "two", 10, -1, 1.5, undefined]) {
        const error = yield* Effect.flip(gate(LogicAtLeast, [1], { minSetInputs }))
        assert.include(error.message, "minSetInputs")
      }
    }))
})
