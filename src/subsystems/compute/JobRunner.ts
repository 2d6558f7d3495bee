/** The fiber that runs jobs when they are due: claims them, holds them while they run, and writes down how it went. */
import {
  Cause,
  Clock,
  type Context,
  Duration,
  Effect,
  Exit,
  FiberSet,
  Option,
  ParseResult,
  Ref,
  Schedule,
  type Scope
} from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import { half, Places } from "../../kernel/Places.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Tenants from "../../security/Tenants.ts"
import type { JobKinds, Kind } from "./JobKinds.ts"
import { type Job, JobFromJson, RunRecordFromJson } from "./Jobs.ts"
import type { RunRecord } from "./Jobs.ts"
import * as JobSchedule from "./JobSchedule.ts"
import type { Claim, SchedulerConnector } from "./Scheduler.ts"

type Connector = Context.Tag.Service<SchedulerConnector>

/**
 * Runs jobs until the scope closes; then those under way are ended, and may be claimed by others at once. A tenant that has
 * something due stands in line once, and what it is for is claimed when its turn has come.
 */
export const start = (
  connector: Connector,
  kinds: Context.Tag.Service<JobKinds>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { concurrency, concurrencyPerTenant = half(concurrency), lease, poll } = connector.options
    const tenants = yield* Tenants.make
    const places = new Places({ total: concurrency, each: [concurrencyPerTenant] })
    const fibers = yield* FiberSet.make<void>()
    /** Of tenants in line: who of them has something due. */
    const standing = new Map<string, Set<string>>()

    const claimOf = Effect.fnUntraced(function*(owners: Iterable<string>) {
      const known = yield* kinds.all
      const now = yield* Clock.currentTimeMillis
      const until = now + Duration.toMillis(lease)
      for (const owner of owners) {
        const claim = yield* connector.claim({ owner, kinds: Array.from(known.keys()), now, until })
        if (Option.isSome(claim)) return Option.some([claim.value, known.get(claim.value.kind)] as const)
      }
      return Option.none()
    })

    const stand = (tenant: string) =>
      Effect.gen(function*() {
        yield* places.place([tenant])
        const owners = standing.get(tenant) ?? []
        standing.delete(tenant)
        const claim = yield* claimOf(owners)
        if (Option.isNone(claim)) return
        // There may be more of it.
        yield* kinds.wake
        yield* Effect.zipRight(execute(connector, ...claim.value), kinds.wake)
      }).pipe(
        Effect.scoped,
        Effect.catchAll((error) => Effect.logWarning(`Scheduler: ${error.message}`))
      )

    const round = Effect.gen(function*() {
      const names = Array.from((yield* kinds.all).keys())
      if (names.length === 0) return Duration.infinity
      const now = yield* Clock.currentTimeMillis
      for (const owner of yield* connector.due(names, now)) {
        const tenant = yield* Effect.orElseSucceed(
          Effect.flatMap(ParseResult.decode(Candidate.FromString)(owner), tenants.of),
          () => owner
        )
        const owners = standing.get(tenant)
        if (owners !== undefined) owners.add(owner)
        else {
          standing.set(tenant, new Set([owner]))
          yield* FiberSet.run(fibers, stand(tenant))
        }
      }
      return Option.match(yield* connector.next(names, now), {
        onNone: () => poll,
        onSome: (time) => Duration.min(poll, Duration.millis(time - now))
      })
    }).pipe(
      Effect.catchAll((error) =>
        Effect.as(Effect.logWarning(`Scheduler: ${error.message}`), Duration.max(poll, "1 second"))
      )
    )

    const wait = (duration: Duration.Duration) =>
      Duration.isFinite(duration) ? Effect.raceFirst(Effect.sleep(duration), kinds.woken) : kinds.woken
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(round, wait)))
  })

/** More often than this a job is not started for one run: whoever held it vanished each time, so it may be why. */
const maxClaims = 5

const execute = (connector: Connector, claim: Claim, kind: Kind | undefined): Effect.Effect<void> =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeMillis
    const scheduled = Option.getOrElse(claim.due, () => started)
    const settle = (due: Option.Option<number>, record: Option.Option<RunRecord>) =>
      Effect.flatMap(
        Effect.transposeMapOption(record, ParseResult.encode(RunRecordFromJson)),
        (text) => Effect.retry(connector.settle(claim, { due, record: text }), settling)
      )
    const recordOf = (due: number, outcome: RunRecord["outcome"], attempts: number, error?: string) =>
      Effect.map(Clock.currentTimeMillis, (finished): RunRecord => ({
        due: new Date(due),
        started: new Date(started),
        finished: new Date(finished),
        outcome,
        attempts,
        ...(error === undefined ? {} : { error: error.slice(0, 1000) })
      }))

    const job = yield* ParseResult.decode(JobFromJson)(claim.job)
    const owner = yield* ParseResult.decode(Candidate.FromString)(claim.owner)
    const planned = JobSchedule.toRun(job, claim.created, scheduled, started)
    if (Option.isNone(planned)) {
      const record = yield* recordOf(scheduled, "missed", 0)
      return yield* settle(JobSchedule.nextAfter(job.schedule, claim.created, started), Option.some(record))
    }
    const due = planned.value
    const end = Effect.fnUntraced(function*(attempts: number, error?: string) {
      const record = yield* recordOf(due, error === undefined ? "succeeded" : "failed", attempts, error)
      yield* settle(JobSchedule.dueAfter(job, claim.created, due, record.finished.getTime()), Option.some(record))
    })
    if (claim.claims > maxClaims) {
      return yield* end(0, `whoever ran it vanished ${maxClaims} times`)
    }
    const attempts = yield* Ref.make(0)
    const work = tries(
      Effect.zipRight(
        Ref.update(attempts, (count) => count + 1),
        kind === undefined
          ? Effect.fail({ message: `there is no task of kind "${claim.kind}"` })
          : kind.run(job.task.data, { owner, job: claim.id, due })
      ),
      job
    ).pipe(Candidate.as(owner), Effect.exit)
    const outcome = yield* Effect.raceFirst(work, hold(connector, claim)).pipe(
      // Ended from outside: somebody else may have it.
      Effect.onInterrupt(() => Effect.ignore(connector.settle(claim, { due: claim.due, record: Option.none() })))
    )
    if (outcome === "lost") {
      return yield* Effect.logInfo(`Scheduler: the run of ${claim.owner}/${claim.id} was ended: it is no longer ours`)
    }
    yield* end(yield* Ref.get(attempts), Exit.isSuccess(outcome) ? undefined : messageOf(outcome.cause))
  }).pipe(
    Effect.catchAll((error) =>
      Effect.logError(
        `Scheduler: the run of ${claim.owner}/${claim.id} could not be kept: ${
          "message" in error ? error.message : JobSchedule.issuesOf(error)
        }`
      )
    )
  )

/** Each try for itself has the timeout. */
const tries = <A>(once: Effect.Effect<A, { readonly message: string }>, { retries, timeout }: Job) =>
  once.pipe(
    Effect.timeoutFail({
      duration: JobSchedule.lengthOf(timeout),
      onTimeout: () => ({ message: `it took longer than ${timeout}` })
    }),
    Effect.retry({
      times: retries.times,
      schedule: Schedule.exponential(JobSchedule.lengthOf(retries.delay)).pipe(
        Schedule.modifyDelay((_, delay) => Duration.min(delay, Duration.hours(1)))
      )
    })
  )

/** Keeps the claim alive, and is done when it is lost: the job was replaced, removed or taken over. */
const hold = (connector: Connector, claim: Claim): Effect.Effect<"lost"> => {
  const { lease } = connector.options
  const renew = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    // While the backend cannot be asked the lease runs on; whether it is lost shows when it answers again.
    Effect.orElseSucceed(connector.renew(claim, now + Duration.toMillis(lease)), () => true))
  return Effect.as(
    Effect.repeat(Effect.delay(renew, Duration.times(lease, 1 / 3)), { while: (isHeld) => isHeld }),
    "lost"
  )
}

const settling = {
  while: (error: ConnectorError) => error.isRetryable,
  schedule: Schedule.intersect(Schedule.exponential("100 millis"), Schedule.recurs(8))
}

const messageOf = (cause: Cause.Cause<{ readonly message: string }>) => {
  const error = Cause.squash(cause)
  return typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)
}
