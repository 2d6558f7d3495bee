/** Waits for background jobs and collects what they answered. */
import { Duration, Effect, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const Await = Component.make("Await", {
  description:
    "Waits until enough background jobs have ended, or the time is over, and gives the state of all of them.",
  category: "flow",
  config: Schema.Struct({
    /** Jobs to wait for, whichever end first. */
    jobs_count: Settings.integer({ min: 1, max: 100, default: 1 }),
    /** Seconds. */
    max_time: Settings.number({ min: 1, max: 21_600, default: 1 })
  }),
  inputs: Schema.Struct({ Jobs: Port.Any }),
  outputs: Schema.Struct({ Results: Port.Record }),
  run: ({ config, inputs, step }) => {
    const ids = (Array.isArray(inputs.Jobs) ? inputs.Jobs : [inputs.Jobs]).map(String)
    return Effect.map(
      step.jobs.wait(ids, config.jobs_count, Duration.seconds(config.max_time)),
      (Results) => ({ Results })
    )
  }
})
