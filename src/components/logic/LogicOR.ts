import * as Gate from "./Gate.ts"

export const LogicOR = Gate.make("LogicOR", {
  description: "Opens Verified when at least one input is set, else Unverified.",
  holds: (count) => count > 0
})
