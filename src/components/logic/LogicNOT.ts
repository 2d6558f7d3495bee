import * as Gate from "./Gate.ts"

export const LogicNOT = Gate.make("LogicNOT", {
  description: "Opens Verified when no input is set, else Unverified.",
  holds: (count) => count === 0
})
