/** When the process itself is too busy to begin another run. */
import { Duration, Effect, Option, Schema } from "effect"
import { Resources } from "../subsystems/memory/Resources.ts"
import { Overloaded } from "./RunGate.ts"

/** Bounds above which no run begins; what is left out is not looked at. Samples are up to five seconds old. */
export const BackPressure = Schema.Struct({
  /** 99th percentile of how late timers fire; milliseconds in a configuration. */
  eventLoopDelay: Schema.optional(Schema.DurationFromMillis),
  heapUsedBytes: Schema.optional(Schema.Positive),
  residentBytes: Schema.optional(Schema.Positive),
  /** Share of all cores, 0 to 1. */
  cpuLoad: Schema.optional(Schema.Positive)
})
export interface BackPressure extends Schema.Schema.Type<typeof BackPressure> {}

/** None when nothing is bounded, or nothing is measured. */
export const busyAbove = (bounds: BackPressure | undefined) =>
  Effect.map(Effect.serviceOption(Resources), (resources) => {
    if (bounds === undefined || Option.isNone(resources)) return undefined
    const { cpuLoad, eventLoopDelay, heapUsedBytes, residentBytes } = bounds
    const above = (resource: string, value: number, max: number | undefined) =>
      max !== undefined && value > max ? new Overloaded({ limit: "resources", max, resource }) : undefined
    return Effect.map(resources.value.current, (now) =>
      above(
        "the event loop's delay in ms",
        Duration.toMillis(now.eventLoopDelay.p99),
        eventLoopDelay && Duration.toMillis(eventLoopDelay)
      ) ?? above("the heap in bytes", now.heapUsedBytes, heapUsedBytes) ??
        above("the resident memory in bytes", now.residentBytes, residentBytes) ??
        above("the load of the processors", now.cpuLoad, cpuLoad))
  })
