/** What an operator may bound, in code or in the configuration. */
import { type Duration, Schema } from "effect"
import { BackPressure } from "./BackPressure.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const count = Schema.Int.pipe(Schema.positive())

/** Times are milliseconds in a configuration. */
export const AgentSettings = Schema.Struct({
  /** Runs at once, over all agents. Default 1000. */
  maxRuns: optional(count),
  /** Default: as many as `maxRuns`. */
  maxRunsPerAgent: optional(count),
  /** Runs at once that one candidate asked for. Default: as many as `maxRuns`. */
  maxRunsPerCandidate: optional(count),
  /**
   * Runs that wait for a place, 0 for none; and how long. Callers take turns; beyond, the latest run of the caller who has most
   * in line is refused. Default 1000, and 10 seconds.
   */
  maxQueued: optional(Schema.NonNegativeInt),
  maxWait: optional(Schema.DurationFromMillis),
  /** Runs that may be held at once, over all agents. Default 20,000. */
  maxPaused: optional(count),
  /** Of the agents of one team, or of one agent that is in none. Default: half of `maxPaused`. */
  maxPausedPerTenant: optional(count),
  /** Of one agent. Default 10,000. */
  maxPausedPerAgent: optional(count),
  backPressure: optional(BackPressure),
  /** Rounds of cycles in one run. Default 100. */
  maxRounds: optional(count),
  /** Agents that wait for each other's answers at most, one behind the other. Default 8. */
  maxAgentDepth: optional(count),
  /** After this a run is stopped; time in which it is held does not count. Default 5 minutes. */
  runTimeout: optional(Schema.DurationFromMillis),
  /** The same of a job. Default 6 hours. */
  jobTimeout: optional(Schema.DurationFromMillis),
  /** How long shutdown waits for runs before it stops them. Default 10 seconds. */
  drainTimeout: optional(Schema.DurationFromMillis)
})
type Decoded = typeof AgentSettings.Type

export type AgentSettings = {
  readonly [K in keyof Decoded]: Decoded[K] extends Duration.Duration | undefined ? Duration.DurationInput : Decoded[K]
}
