import { Effect, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Memory from "./Memory.ts"

export const MemoryWriteObject = Component.make("MemoryWriteObject", {
  description: "Remembers every property of an object under its name: text as it is, anything else as JSON.",
  category: "storage",
  config: Schema.Struct({ memoryName: Settings.text({ max: 255 }), ...Memory.settings }),
  inputs: Schema.Struct({ Data: Port.Record }),
  outputs: Schema.Struct({ Keys: Port.List, Count: Port.Integer }),
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const entries = Object.entries(inputs.Data).filter(([, value]) => value !== undefined)
    yield* Effect.forEach(
      entries,
      ([key, value]) =>
        Memory.write(
          { memory: config.memoryName, key, run: step.run },
          typeof value === "string" ? value : JSON.stringify(value),
          config
        ),
      { concurrency: 8, discard: true }
    )
    return { Keys: entries.map(([key]) => key), Count: entries.length }
  })
})
