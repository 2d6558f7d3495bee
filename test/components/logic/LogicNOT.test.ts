import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicNOT } from "../../../src/components/logic/LogicNOT.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicNOT", () => {
  it.effect("turns one input around, and wants none of several", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicNOT, [0]), verified)
      assert.deepStrictEqual(yield* gate(LogicNOT, [""]), verified)
      assert.deepStrictEqual(yield* gate(LogicNOT, [1]), unverified)
      assert.deepStrictEqual(yield* gate(LogicNOT, ["false"]), unverified)
      assert.deepStrictEqual(yield* gate(LogicNOT, [0, 0]), verified)
      assert.deepStrictEqual(yield* gate(LogicNOT, [0, 1]), unverified)
      assert.deepStrictEqual(yield* gate(LogicNOT, [undefined]), verified)
    }))
})
