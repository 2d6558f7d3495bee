import { Duration, Effect, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const FSleep = Component.make("FSleep", {
  description: "Waits, then passes its input on.",
  category: "flow",
  config: Schema.Struct({
    /** Seconds, also parts of one; a day at most. */
    delay: Settings.number({ min: 0, max: 86_400, default: 1 })
  }),
  inputs: Schema.Struct({ Input: Port.Any }),
  outputs: Schema.Struct({ Output: Port.Any }),
  run: ({ config, inputs }) => Effect.as(Effect.sleep(Duration.seconds(config.delay)), { Output: inputs.Input })
})
