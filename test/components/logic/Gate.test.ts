import { assert, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { LogicAND } from "../../../src/components/logic/LogicAND.ts"
import { LogicAtLeast } from "../../../src/components/logic/LogicAtLeast.ts"
import { LogicAtMost } from "../../../src/components/logic/LogicAtMost.ts"
import { LogicOR } from "../../../src/components/logic/LogicOR.ts"
import { LogicXOR } from "../../../src/components/logic/LogicXOR.ts"
import { runComponent } from "../harness.ts"
import { gate, unverified, verified } from "./gates.ts"

const aValue = FastCheck.constantFrom<unknown>(0, 1, "", "0", "x", false, true, null, undefined, [], {})

it.effect.prop(
  "gates are what boolean algebra says",
  [FastCheck.array(aValue, { maxLength: 9 }), FastCheck.nat(9)],
  ([values, k]) =>
    Effect.gen(function*() {
      const atLeast = (minSetInputs: number) => gate(LogicAtLeast, values, { minSetInputs })
      const atMost = (maxSetInputs: number) => gate(LogicAtMost, values, { maxSetInputs })
      const one = yield* atLeast(1)
      assert.deepStrictEqual(yield* gate(LogicOR, values), one)
      assert.deepStrictEqual(yield* gate(LogicAND, values), yield* atLeast(values.length))
      const exactlyOne = one === verified || ("Verified" in one && "Verified" in (yield* atMost(1)))
      assert.deepStrictEqual(yield* gate(LogicXOR, values), exactlyOne ? verified : unverified)
      if (k > 0) assert.notDeepEqual(yield* atLeast(k), yield* atMost(k - 1))
    })
)

it.effect("an input named like a property all objects have is not set by that", () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* runComponent(LogicOR, { ports: ["toString", "constructor"] }), unverified)
  }))
