import { Schema } from "effect"
import * as Settings from "../Settings.ts"
import * as Gate from "./Gate.ts"

export const LogicAtLeast = Gate.make("LogicAtLeast", {
  description: "Opens Verified when at least the given number of inputs is set, else Unverified.",
  config: Schema.Struct({ minSetInputs: Settings.integer({ min: 0, max: 9 }) }),
  holds: (count, _, { minSetInputs }) => count >= minSetInputs
})
