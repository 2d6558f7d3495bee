import * as Gate from "./Gate.ts"

export const LogicXNOR = Gate.make("LogicXNOR", {
  description: "Opens Verified when the inputs agree: all of them are set, or none is; else Unverified.",
  holds: (count, declared) => count === 0 || count === declared
})
