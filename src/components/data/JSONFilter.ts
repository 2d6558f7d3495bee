import { Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"

/** `a, b`: names of properties. Empty text names none. */
const Names = Schema.String.pipe(
  Schema.maxLength(30_000),
  Schema.compose(Schema.split(",")),
  Schema.compose(Schema.Array(Schema.Trim))
)

export const JSONFilter = Component.make("JSONFilter", {
  description: "Keeps the listed properties of an object, at every level, and drops all others.",
  category: "data",
  config: Schema.Struct({ fields: Names }),
  inputs: Schema.Struct({ Input: Port.Any }),
  outputs: Schema.Struct({ Output: Port.Any }),
  run: ({ config, inputs }) => ({ Output: keep(inputs.Input, new Set(config.fields), new Map()) })
})

/** Below a property that is not listed nothing is kept. Lists are filtered item by item; what is no object stays. */
const keep = (value: unknown, names: ReadonlySet<string>, kept: Map<object, unknown>): unknown => {
  const isList = Array.isArray(value)
  if (!isList && Object.prototype.toString.call(value) !== "[object Object]") return value
  const known = kept.get(value as object)
  if (known !== undefined) return known
  const filtered = isList ? value.map((item) => keep(item, names, kept)) : Object.fromEntries(
    Object.entries(value as object).filter(([name]) => names.has(name)).map((
      [name, one]
    ) => [name, keep(one, names, kept)])
  )
  // A value may hold another many times over; each is filtered once.
  kept.set(value as object, filtered)
  return filtered
}
