/** Runs what hangs on `Loop` once for every item, in order; then gives the results together. */
import { Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const ForEach = Component.make("ForEach", {
  description: "Repeats the components behind Loop for every item of a list, and gives all their results.",
  category: "flow",
  config: Schema.Struct({
    /** Records of the leaves; their outputs alone; or the values of their outputs in one flat list. */
    format: Settings.literal(["full", "minimal", "results-array"], { default: "full" }),
    /** Items at once. Results stay in the order of the items. */
    concurrency: Settings.integer({ min: 1, max: 1000, default: 1 }),
    /** Whether an item that fails ends the loop, or has its failure among the results. */
    onError: Settings.literal(["collect", "stop"], { default: "collect" }),
    /** Whether an object is one item, or each of its entries is one: `{ key, value }`. */
    entries: Settings.boolean({ default: false })
  }),
  inputs: Schema.Struct({ Input: Port.Any }),
  outputs: Schema.Struct({ Loop: Port.Any, Result: Port.List }),
  region: {
    kind: "loop",
    leavesBy: ["Result"],
    items: ({ config, inputs }) => itemsOf(inputs["Input"], config.entries),
    feed: (Loop) => ({ Loop }),
    concurrency: ({ concurrency }) => concurrency,
    stops: ({ onError }) => onError === "stop",
    result: ({ format }, items) => ({ Result: items.flat().flatMap((record) => formats[format](record)) })
  },
  run: ({ config, inputs }) => ({ Result: itemsOf(inputs.Input, config.entries) })
})

/** A list; text as one, in JSON or between commas; anything else is the one item. */
const itemsOf = (input: unknown, entries: boolean): ReadonlyArray<unknown> => {
  if (Array.isArray(input)) return input
  if (typeof input === "string") {
    const parsed = input.startsWith("[") ? Json.extract(input) : input.split(",")
    return Array.isArray(parsed) ? parsed : [input]
  }
  return entries && typeof input === "object" && input !== null
    ? Object.entries(input).map(([key, value]) => ({ key, value: value as unknown }))
    : [input]
}

const resultOf = (record: unknown): unknown =>
  typeof record === "object" && record !== null && "result" in record ? record.result : record

/** What one leaf adds to the results. */
const formats: Record<"full" | "minimal" | "results-array", (record: unknown) => ReadonlyArray<unknown>> = {
  full: (record) => [record],
  minimal: (record) => [resultOf(record)],
  "results-array": (record) => {
    const result = resultOf(record)
    return typeof result === "object" && result !== null && !Array.isArray(result)
      ? Object.values(result).flat(Infinity)
      : [result].flat(Infinity)
  }
}
