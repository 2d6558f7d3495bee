/** Runs a gate whose inputs are those given, `undefined` ones declared but without a value. */
import type { Schema } from "effect"
import type * as Component from "../../../src/components/Component.ts"
import { runComponent } from "../harness.ts"

export const gate = <C extends Schema.Struct.Fields, O extends Schema.Struct.Fields>(
  component: Component.Component<string, C, {}, O, never>,
  values: ReadonlyArray<unknown>,
  settings: Record<string, unknown> = {}
) =>
  runComponent(component, {
    settings,
    inputs: Object.fromEntries(values.map((value, position) => [`in${position}`, value])),
    variables: { other: true }
  })

export const verified = { Output: true, Verified: true }
export const unverified = { Unverified: true }
