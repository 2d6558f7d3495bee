import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogicOR } from "../../../src/components/logic/LogicOR.ts"
import { gate, unverified, verified } from "./gates.ts"

describe("LogicOR", () => {
  it.effect("wants one set input", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* gate(LogicOR, [0, 0, 1]), verified)
      assert.deepStrictEqual(yield* gate(LogicOR, [0, undefined, ""]), unverified)
      assert.deepStrictEqual(yield* gate(LogicOR, []), unverified)
    }))
})
