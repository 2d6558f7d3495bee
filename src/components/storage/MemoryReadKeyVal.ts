import { Effect, Option, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Memory from "./Memory.ts"

export const MemoryReadKeyVal = Component.make("MemoryReadKeyVal", {
  description: "Gives the text remembered under a key.",
  category: "storage",
  config: Schema.Struct({ memoryName: Settings.text({ max: 255 }), key: Settings.template({ max: 255 }) }),
  outputs: Schema.Struct({ Value: Port.Text, _warning: Port.Text }),
  openInputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const place = yield* Memory.place(config, step)
    return Option.match(yield* Memory.read(place), {
      onNone: () => Memory.missed(place, step),
      onSome: (Value) => ({ Value })
    })
  })
})
