import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicXOR } from "../../../src/components/logic/LogicXOR.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicXOR", () => {
  it.effect("wants exactly one set input, not an odd number of them", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicXOR, [1, 0, 0]), verified)
      assert.deepStrictEqual(yield* gate(LogicXOR, [1, 1, 1]), unverified)
      assert.deepStrictEqual(yield* gate(LogicXOR, [0, 0]), unverified)
      assert.deepStrictEqual(yield* gate(LogicXOR, []), unverified)
    }))
})
