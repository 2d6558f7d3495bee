/**
 * Scheduler: jobs of a candidate that run by themselves, also after a restart. A job names what to run as data, `{ kind, data }`;
 * the layer above registers what a kind does with {@link handler}. It runs as the candidate whose home the job is in.
 */
import { Clock, Context, type Duration, Effect, Layer, Option, ParseResult, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Acl from "../../security/Acl.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as JobKinds from "./JobKinds.ts"
import * as JobRunner from "./JobRunner.ts"
import { Job, JobFromJson, type RunRecord, RunRecordFromJson } from "./Jobs.ts"
import * as JobSchedule from "./JobSchedule.ts"

export { handler, JobKinds, type Occurrence } from "./JobKinds.ts"
export { Job, RunRecord, Task } from "./Jobs.ts"

export interface JobInfo {
  /** As the asker writes it. */
  readonly id: string
  readonly job: Job
  readonly status: "active" | "paused" | "ended"
  readonly created: Date
  /** The next run, unless paused or ended; in the past while it runs. */
  readonly next: Option.Option<Date>
}

export class InvalidJob extends Schema.TaggedError<InvalidJob>()("InvalidJob", {
  id: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `The job "${this.id}" cannot be scheduled: ${this.problem}`
  }
}

export class JobNotFound extends Schema.TaggedError<JobNotFound>()("JobNotFound", { id: Schema.String }) {
  override get message(): string {
    return `No job "${this.id}"`
  }
}

export type SchedulerError = Access.AccessError | Address.InvalidKey

/** A job as it is kept; times are milliseconds since 1970. */
export interface StoredJob {
  /** `agent:a1`. */
  readonly owner: string
  readonly id: string
  readonly kind: string
  /** JSON of {@link Job}. */
  readonly job: string
  readonly created: number
  readonly paused: boolean
  /** None: never again. */
  readonly due: Option.Option<number>
}

export interface Claim extends StoredJob {
  /** Opaque; who holds it holds the job. */
  readonly token: string
  /** How often it was claimed for this run; more than once when its holder vanished. */
  readonly claims: number
}

/**
 * Keeps jobs; no access code, and no rules of time. A claim is held until its lease ends or it is settled; a job that is replaced
 * or removed is no longer held.
 */
export class SchedulerConnector extends Context.Tag("effect-sre/SchedulerConnector")<SchedulerConnector, {
  readonly options: Options
  /** Replaces a job of the same owner and id, whose history stays. */
  readonly put: (job: StoredJob) => Effect.Effect<void, ConnectorError>
  readonly get: (owner: string, id: string) => Effect.Effect<Option.Option<StoredJob>, ConnectorError>
  readonly list: (owner: string) => Effect.Effect<ReadonlyArray<StoredJob>, ConnectorError>
  /** Leaves whoever runs it at work. False when there is no such job. */
  readonly update: (
    job: Pick<StoredJob, "owner" | "id" | "paused" | "due">
  ) => Effect.Effect<boolean, ConnectorError>
  readonly remove: (owner: string, id: string) => Effect.Effect<void, ConnectorError>
  /** Whose jobs of these kinds are due and held by nobody, each once; who waits for longest first. */
  readonly due: (kinds: ReadonlyArray<string>, now: number) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
  /** The earliest of these jobs of one owner, for one claimant alone. */
  readonly claim: (request: {
    readonly owner: string
    readonly kinds: ReadonlyArray<string>
    readonly now: number
    readonly until: number
  }) => Effect.Effect<Option.Option<Claim>, ConnectorError>
  /** False when the claim is lost. */
  readonly renew: (claim: Claim, until: number) => Effect.Effect<boolean, ConnectorError>
  /** Ends the claim, if it is still held: the next time, and a line (JSON) for the history. */
  readonly settle: (
    claim: Claim,
    next: { readonly due: Option.Option<number>; readonly record: Option.Option<string> }
  ) => Effect.Effect<void, ConnectorError>
  /** Latest first. */
  readonly history: (owner: string, id: string) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
  /** When the earliest job of these kinds can be claimed that cannot be now. */
  readonly next: (
    kinds: ReadonlyArray<string>,
    now: number
  ) => Effect.Effect<Option.Option<number>, ConnectorError>
}>() {}

export interface Options {
  /** Whether this process runs jobs, or only manages them. */
  readonly runs: boolean
  /** Runs at once in this process. */
  readonly concurrency: number
  /** Of these, of one tenant. Default: half. */
  readonly concurrencyPerTenant?: number | undefined
  /** How often to look for jobs that other processes added. */
  readonly poll: Duration.Duration
  /** A job is taken over when its holder was not heard of for this long. */
  readonly lease: Duration.Duration
}

/** A key is in the asker's home; a job in a team's, `smythfs://<id>.team/<key>`, runs as the team. */
export class Scheduler extends Context.Tag("effect-sre/Scheduler")<Scheduler, {
  /** A job of the same id is replaced, and ended if it is running; its history stays. */
  readonly add: (id: string, job: typeof Job.Encoded) => Effect.Effect<void, SchedulerError | InvalidJob>
  readonly get: (id: string) => Effect.Effect<Option.Option<JobInfo>, SchedulerError>
  /** The asker's own. */
  readonly list: Effect.Effect<ReadonlyArray<JobInfo>, SchedulerError>
  /** Holds for runs to come; one that is under way goes on. */
  readonly pause: (id: string) => Effect.Effect<void, SchedulerError | JobNotFound>
  /** Times that passed meanwhile are not run. */
  readonly resume: (id: string) => Effect.Effect<void, SchedulerError | JobNotFound>
  /** Also ends it if it is running, and succeeds when there is no such job. */
  readonly remove: (id: string) => Effect.Effect<void, SchedulerError>
  /** Latest first; at most as many as the connector keeps. */
  readonly history: (id: string) => Effect.Effect<ReadonlyArray<RunRecord>, SchedulerError>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* SchedulerConnector
  const kinds = yield* JobKinds.JobKinds
  const guard = yield* Access.guard("Scheduler")

  const locate = Effect.fnUntraced(function*(operation: string, key: string, level: Acl.Level) {
    const who = yield* guard.candidate(operation)
    const { home, key: resource, path } = yield* Address.resolve(key, who)
    yield* guard.check(Access.ofHome(home), { operation, level, resource })
    return { owner: Candidate.format(home), id: path }
  })

  const find = Effect.fnUntraced(function*(operation: string, key: string, level: Acl.Level) {
    const { id, owner } = yield* locate(operation, key, level)
    return { owner, id, found: yield* retrying(connector.get(owner, id)) }
  })

  const change = Effect.fnUntraced(function*(
    operation: string,
    key: string,
    to: (job: StoredJob) => Effect.Effect<Pick<StoredJob, "paused" | "due">, ConnectorError>
  ) {
    const { found, id, owner } = yield* find(operation, key, "owner")
    const job = yield* Effect.mapError(found, () => new JobNotFound({ id }))
    const isThere = yield* retrying(connector.update({ owner, id, ...yield* to(job) }))
    if (!isThere) return yield* new JobNotFound({ id })
    yield* kinds.wake
  })

  return Scheduler.of({
    add: Effect.fnUntraced(function*(key, given) {
      const { found, id, owner } = yield* find("add", key, "owner")
      const invalid = (problem: string) => new InvalidJob({ id, problem })
      const job = yield* Effect.mapError(checkJob(given), (error) => invalid(JobSchedule.issuesOf(error)))
      yield* Effect.mapError(kinds.check(job.task), invalid)
      const text = yield* Effect.mapError(encodeJob(job), (error) => invalid(JobSchedule.issuesOf(error)))
      if (text.length > maxJob) return yield* invalid(`it is longer than ${maxJob} characters of JSON`)
      if (Option.isNone(found) && (yield* retrying(connector.list(owner))).length >= maxJobs) {
        return yield* invalid(`${owner} has ${maxJobs} jobs already; remove one first`)
      }
      const created = yield* Clock.currentTimeMillis
      const due = JobSchedule.first(job.schedule, created)
      if (Option.isNone(due)) return yield* invalid("its schedule has no time to come")
      yield* connector.put({ owner, id, kind: job.task.kind, job: text, created, paused: false, due })
      yield* kinds.wake
    }, traced("Scheduler.add")),
    get: Effect.fnUntraced(function*(key) {
      return yield* Effect.transposeMapOption((yield* find("get", key, "read")).found, infoOf)
    }, traced("Scheduler.get")),
    list: guard.candidate("list").pipe(
      Effect.flatMap((who) => retrying(connector.list(Candidate.format(who)))),
      Effect.flatMap(Effect.forEach(infoOf)),
      traced("Scheduler.list")
    ),
    pause: Effect.fnUntraced(function*(key) {
      yield* change("pause", key, ({ due }) => Effect.succeed({ paused: true, due }))
    }, traced("Scheduler.pause")),
    resume: Effect.fnUntraced(function*(key) {
      yield* change(
        "resume",
        key,
        Effect.fnUntraced(function*({ created, due, id, job, paused }) {
          const now = yield* Clock.currentTimeMillis
          if (!paused || Option.exists(due, (time) => time > now)) return { paused: false, due }
          const { schedule } = yield* decodeJob(id, job)
          return { paused: false, due: JobSchedule.nextAfter(schedule, created, now) }
        })
      )
    }, traced("Scheduler.resume")),
    remove: Effect.fnUntraced(function*(key) {
      const { id, owner } = yield* locate("remove", key, "owner")
      yield* retrying(connector.remove(owner, id))
    }, traced("Scheduler.remove")),
    history: Effect.fnUntraced(function*(key) {
      const { id, owner } = yield* locate("history", key, "read")
      return yield* Effect.forEach(yield* retrying(connector.history(owner, id)), (text) => decodeRecord(id, text))
    }, traced("Scheduler.history"))
  })
})

/** The guarded service, where the layers above say what jobs can do, and the fiber that runs them. */
export const layer: Layer.Layer<Scheduler | JobKinds.JobKinds, never, SchedulerConnector> = Layer.effect(
  Scheduler,
  make
)
  .pipe(
    Layer.merge(Layer.scopedDiscard(Effect.flatMap(
      Effect.all([SchedulerConnector, JobKinds.JobKinds]),
      ([connector, kinds]) => connector.options.runs ? JobRunner.start(connector, kinds) : Effect.void
    ))),
    Layer.provideMerge(JobKinds.layer)
  )

const maxJobs = 1000
const maxJob = 100_000

const checkJob = ParseResult.decodeUnknown(Job, { errors: "all", onExcessProperty: "error" })
const encodeJob = ParseResult.encode(JobFromJson)

const decodeJob = (id: string, text: string) => decodeText(ParseResult.decode(JobFromJson), id, text)
const decodeRecord = (id: string, text: string) => decodeText(ParseResult.decode(RunRecordFromJson), id, text)

const decodeText = <A>(
  decode: (text: string) => Effect.Effect<A, ParseResult.ParseIssue>,
  id: string,
  text: string
): Effect.Effect<A, ConnectorError> =>
  Effect.mapError(decode(text), () =>
    new ConnectorError({
      connector: "Scheduler",
      method: "get",
      reason: "Corrupted",
      detail: `the job "${id}" cannot be read; remove or replace it`
    }))

const infoOf = ({ created, due, id, job, paused }: StoredJob) =>
  Effect.map(decodeJob(id, job), (decoded): JobInfo => ({
    id,
    job: decoded,
    status: Option.isNone(due) ? "ended" : paused ? "paused" : "active",
    created: new Date(created),
    next: paused ? Option.none() : Option.map(due, (time) => new Date(time))
  }))
