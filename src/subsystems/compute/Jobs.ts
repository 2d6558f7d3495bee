/** What a job is: a task, a schedule, and what to do when things go wrong; and what is kept of its runs. */
import { Schema } from "effect"
import * as JobSchedule from "./JobSchedule.ts"

const Text = Schema.String.pipe(Schema.maxLength(1000))

/** What to run, of a kind that is registered. Who runs it stands in no data: it is the owner of the job. */
export const Task = Schema.Struct({ kind: Schema.NonEmptyString, data: Schema.Unknown })
export type Task = typeof Task.Type

/** Lengths of time are text: `30s`, `10m`. */
export const Job = Schema.Struct({
  task: Task,
  schedule: JobSchedule.JobSchedule,
  missed: Schema.optionalWith(JobSchedule.Missed, { default: () => "once" as const }),
  retries: Schema.optionalWith(
    Schema.Struct({
      times: Schema.Int.pipe(Schema.between(0, 20)),
      /** Before the first retry; doubled for each that follows, up to an hour. Default: one second. */
      delay: Schema.optionalWith(JobSchedule.Interval, { default: () => "1s" })
    }),
    { default: () => ({ times: 0, delay: "1s" }) }
  ),
  /** Of each try, which is interrupted then. Default: ten minutes. */
  timeout: Schema.optionalWith(JobSchedule.Interval, { default: () => "10m" }),
  name: Schema.optional(Text),
  description: Schema.optional(Text),
  tags: Schema.optionalWith(Schema.Array(Text).pipe(Schema.maxItems(50)), { default: () => [] })
})
export type Job = typeof Job.Type

export const RunRecord = Schema.Struct({
  /** The time of the schedule it was for. */
  due: Schema.Date,
  started: Schema.Date,
  finished: Schema.Date,
  /** `missed`: left out, because it was too late. */
  outcome: Schema.Literal("succeeded", "failed", "missed"),
  /** Tries it took. */
  attempts: Schema.Int,
  error: Schema.optional(Schema.String)
})
export type RunRecord = typeof RunRecord.Type

/** As text of JSON, which is how connectors keep them. */
export const JobFromJson = Schema.parseJson(Job)
export const RunRecordFromJson = Schema.parseJson(RunRecord)
