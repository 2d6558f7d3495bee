import { Schema } from "effect"
import * as Settings from "../Settings.ts"
import * as Gate from "./Gate.ts"

export const LogicAtMost = Gate.make("LogicAtMost", {
  description: "Opens Verified when at most the given number of inputs is set, else Unverified.",
  config: Schema.Struct({ maxSetInputs: Settings.integer({ min: 0, max: 9 }) }),
  holds: (count, _, { maxSetInputs }) => count <= maxSetInputs
})
