import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicXNOR } from "../../../src/components/logic/LogicXNOR.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicXNOR", () => {
  it.effect("wants inputs that agree", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicXNOR, [1, "x"]), verified)
      assert.deepStrictEqual(yield* gate(LogicXNOR, [0, ""]), verified)
      assert.deepStrictEqual(yield* gate(LogicXNOR, [1, 0]), unverified)
      assert.deepStrictEqual(yield* gate(LogicXNOR, [1, undefined]), unverified)
      assert.deepStrictEqual(yield* gate(LogicXNOR, [1, 1, 0]), unverified)
      assert.deepStrictEqual(yield* gate(LogicXNOR, [1, 1, 1]), verified)
      assert.deepStrictEqual(yield* gate(LogicXNOR, []), verified)
    }))
})
