/** Runs what hangs on its other outputs in the background; `JobID` names the job, at once. */
import { Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const Async = Component.make("Async", {
  description: "Starts the components behind it as a background job and goes on with the id of the job.",
  category: "flow",
  config: Schema.Struct({
    /** What becomes of the job when the run that started it ends first. Whatever it is, no job outlives the agent. */
    atEnd: Settings.literal(["outlive", "await", "stop"], { default: "outlive" })
  }),
  outputs: Schema.Struct({ JobID: Port.Text }),
  openInputs: true,
  openOutputs: true,
  region: { kind: "job", leavesBy: ["JobID"], atEnd: ({ atEnd }) => atEnd },
  run: ({ inputs }) => inputs
})
