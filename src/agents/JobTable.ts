/** The background jobs of one agent: they outlive the answer of the run that started them, not the agent. */
import { Clock, Deferred, Duration, Effect, Exit, type Scope } from "effect"
import * as Component from "../components/Component.ts"
import * as Ids from "../kernel/Ids.ts"

export interface JobTable extends Component.Jobs {
  /** Starts work in the background and gives its id; refuses beyond the bound. */
  readonly start: <R>(
    componentId: string,
    work: Effect.Effect<{ readonly answer: unknown }, { readonly message: string }, R>
  ) => Effect.Effect<string, Component.ComponentFailed, R>
}

interface Job {
  readonly done: Deferred.Deferred<void>
  state: Component.JobState
  /** Milliseconds since 1970; while it runs, none. */
  endedAt: number | undefined
}

/** Jobs of one agent that run or whose results are kept. */
const maxJobs = 1000
/** How long the result of a job is kept. */
const keptMillis = Duration.toMillis("1 hour")

export const make: Effect.Effect<JobTable, never, Scope.Scope> = Effect.map(Effect.scope, (scope) => {
  const jobs = new Map<string, Job>()

  /** Forgets results that are old, and the oldest ones when there are too many. */
  const sweep = (now: number) => {
    for (const [id, { endedAt }] of jobs) {
      if (endedAt !== undefined && (now - endedAt > keptMillis || jobs.size >= maxJobs)) jobs.delete(id)
    }
  }

  return {
    start: (componentId, work) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        if (jobs.size >= maxJobs) sweep(now)
        if (jobs.size >= maxJobs) {
          return yield* new Component.ComponentFailed({ message: `${maxJobs} jobs are running, no more are started` })
        }
        const job: Job = { done: yield* Deferred.make<void>(), state: { status: "pending" }, endedAt: undefined }
        const id = yield* Ids.make(componentId)
        jobs.set(id, job)
        yield* work.pipe(
          Effect.onExit((exit) =>
            Effect.flatMap(Clock.currentTimeMillis, (endedAt) => {
              job.endedAt = endedAt
              job.state = Exit.match(exit, {
                onSuccess: ({ answer }) => ({ status: "done", output: answer }),
                onFailure: (cause) => ({
                  status: "failed",
                  output: cause._tag === "Fail" ? cause.error.message : "the job was stopped"
                })
              })
              return Deferred.succeed(job.done, undefined)
            })
          ),
          Effect.ignore,
          Effect.forkIn(scope)
        )
        return id
      }),
    wait: (ids, count, timeout) =>
      Effect.gen(function*() {
        const known = ids.flatMap((id) => jobs.get(id) ?? [])
        const enough = yield* Deferred.make<void>()
        let left = Math.min(count, known.length)
        const arrived = Effect.suspend(() => --left === 0 ? Deferred.succeed(enough, undefined) : Effect.void)
        if (left > 0) {
          yield* Effect.forEach(known, ({ done }) => Effect.zipRight(Deferred.await(done), arrived), {
            concurrency: "unbounded",
            discard: true
          }).pipe(
            Effect.raceFirst(Deferred.await(enough)),
            Effect.timeoutOption(timeout)
          )
        }
        return Object.fromEntries(
          ids.map((id) => [id, jobs.get(id)?.state ?? { status: "unknown_job" }] as const)
        )
      })
  }
})
