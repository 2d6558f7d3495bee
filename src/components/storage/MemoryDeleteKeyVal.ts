import { Effect, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Memory from "./Memory.ts"

export const MemoryDeleteKeyVal = Component.make("MemoryDeleteKeyVal", {
  description: "Forgets what is remembered under a key.",
  category: "storage",
  config: Schema.Struct({ memoryName: Settings.text({ max: 255 }), key: Settings.template({ max: 255 }) }),
  outputs: Schema.Struct({ Key: Port.Text, deleted: Port.Boolean, _warning: Port.Text }),
  openInputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const place = yield* Memory.place(config, step)
    return (yield* Memory.remove(place)) ? { Key: place.key, deleted: true } : Memory.missed(place, step)
  })
})
