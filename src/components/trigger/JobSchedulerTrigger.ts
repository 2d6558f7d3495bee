/** Starts runs at the times of a schedule, also after a restart. */
import { Effect, Either, ParseResult, Predicate, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as JobSchedule from "../../subsystems/compute/JobSchedule.ts"
import * as Component from "../Component.ts"
import * as Entry from "../Entry.ts"
import * as Settings from "../Settings.ts"

const Config = Schema.Struct({
  ...Entry.settings,
  /** `30s`, `10m`, `2h`, `1d`, `2w`. Without it and without cron: ten seconds. */
  interval: Settings.optional(JobSchedule.Interval),
  /** In place of the interval: five fields, or six with seconds first. */
  cron: Settings.optional(Settings.text({ max: 200 })),
  /** Of the cron, such as `Europe/Berlin`. Default: UTC. */
  timeZone: Settings.optional(Settings.text({ max: 100 })),
  /** An object, or its JSON text. */
  payload: Settings.optional(Schema.Unknown)
})
type Config = typeof Config.Type

export const JobSchedulerTrigger = Component.make("JobSchedulerTrigger", {
  description: "Starts a run at the times of a schedule, an interval or a cron, with a payload of its own.",
  category: "entry",
  config: Config,
  outputs: Schema.Struct(Entry.outputs),
  openOutputs: true,
  entry: {
    kind: "poll",
    schedule: (config) => scheduleOf(config),
    begin: () => Effect.succeed(""),
    // A time that was delivered before the process ended is not delivered again.
    look: (cursor, due) => Effect.succeed({ items: cursor === String(due) ? [] : [String(due)], cursor: String(due) }),
    load: (_item, { config }) => Effect.succeedSome(payloadOf(config))
  },
  check: (config) =>
    Either.match(decodeSchedule(scheduleOf(config)), {
      onLeft: (error) => [{ problem: `its schedule makes no sense: ${JobSchedule.issuesOf(error)}` }],
      onRight: () => []
    }),
  run: ({ step }) => ({ Payload: step.run.request.body })
})

const scheduleOf = ({ cron, interval, timeZone }: Config): typeof JobSchedule.JobSchedule.Encoded => ({
  ...(cron === undefined ? { interval: interval ?? "10s" } : interval === undefined ? {} : { interval }),
  ...(cron === undefined ? {} : { cron }),
  ...(timeZone === undefined ? {} : { timeZone })
})

const decodeSchedule = ParseResult.decodeUnknownEither(JobSchedule.JobSchedule)

const payloadOf = ({ payload }: Config) => {
  const value = Json.extract(payload)
  return Predicate.isRecord(value) ? value : {}
}
