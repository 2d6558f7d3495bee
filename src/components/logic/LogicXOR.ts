import * as Gate from "./Gate.ts"

export const LogicXOR = Gate.make("LogicXOR", {
  description: "Opens Verified when exactly one input is set, else Unverified.",
  holds: (count) => count === 1
})
