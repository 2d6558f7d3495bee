import { Effect, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Memory from "./Memory.ts"

export const MemoryWriteKeyVal = Component.make("MemoryWriteKeyVal", {
  description: "Remembers a text under a key.",
  category: "storage",
  config: Schema.Struct({
    memoryName: Settings.text({ max: 255 }),
    key: Settings.template({ max: 255 }),
    value: Settings.template({ max: 100_000 }),
    ...Memory.settings
  }),
  outputs: Schema.Struct({ Key: Port.Text }),
  openInputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const place = yield* Memory.place(config, step)
    yield* Memory.write(place, step.render(config.value), config)
    return { Key: place.key }
  })
})
