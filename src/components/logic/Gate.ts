/** What the logic gates share: they count which of their declared inputs are set, and open one of two branches. */
import { Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"

/**
 * Set is what JavaScript calls truthy: the texts `"false"` and `"0"` are, an input without a value is not. Variables of the
 * agent do not count. Inputs that may be missing have to be optional, or the gate does not run at all.
 */
export const make = <const Name extends string, C extends Schema.Struct.Fields = {}>(name: Name, options: {
  readonly description: string
  readonly config?: Schema.Struct<C>
  /** Whether `count` set inputs of `declared` ones open the branch `Verified`. */
  readonly holds: (count: number, declared: number, config: Schema.Struct.Type<C>) => boolean
}) =>
  Component.make(name, {
    description: options.description,
    category: "logic",
    ...(options.config === undefined ? {} : { config: options.config }),
    outputs: Schema.Struct({ Output: Port.Boolean, Verified: Port.Boolean, Unverified: Port.Boolean }),
    openInputs: true,
    run: ({ config, inputs, step }) => {
      const declared = step.component.inputs
      const count = declared.filter(({ name }) => Object.hasOwn(inputs, name) && Boolean(inputs[name])).length
      return options.holds(count, declared.length, config) ? { Output: true, Verified: true } : { Unverified: true }
    }
  })
