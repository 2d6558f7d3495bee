import * as Gate from "./Gate.ts"

export const LogicAND = Gate.make("LogicAND", {
  description: "Opens Verified when every input is set, else Unverified.",
  holds: (count, declared) => count === declared
})
