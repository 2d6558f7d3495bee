import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicAND } from "../../../src/components/logic/LogicAND.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicAND", () => {
  it.effect("wants every declared input set", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicAND, [1, 1, 1]), verified)
      assert.deepStrictEqual(yield* gate(LogicAND, [1, 1, 0]), unverified)
      assert.deepStrictEqual(yield* gate(LogicAND, [1, undefined]), unverified)
      assert.deepStrictEqual(yield* gate(LogicAND, []), verified)
    }))

  it.effect("takes any text but the empty one for set", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicAND, [1, "false", "0"]), verified)
      for (const unset of [0, "", false, null]) assert.deepStrictEqual(yield* gate(LogicAND, [unset, 1]), unverified)
    }))
})
