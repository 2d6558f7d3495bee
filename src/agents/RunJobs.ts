/** The background jobs of an agent: runs of their own, which outlive the answer of the run that started them. */
import { Deferred, type Duration, Effect } from "effect"
import * as Component from "../components/Component.ts"
import type { AgentRun } from "./AgentRun.ts"
import type { Process } from "./Process.ts"

/** Jobs of one agent under way at once. */
export const maxJobs = 1000

export const tooMany = new Component.ComponentFailed({ message: `${maxJobs} jobs are running, no more are started` })

/** Waits until `count` of the jobs have ended; an id that is no job of this agent waits for nothing. */
export const wait = (
  find: (id: string) => AgentRun | undefined,
  process: Process,
  ids: ReadonlyArray<string>,
  count: number,
  timeout: Duration.DurationInput
): Effect.Effect<Readonly<Record<string, Component.JobState>>> =>
  Effect.gen(function*() {
    const jobOf = (id: string) => {
      const run = find(id)
      return run?.target._tag === "Job" && run.process.id === process.id ? run : undefined
    }
    const known = ids.flatMap((id) => jobOf(id) ?? [])
    const enough = yield* Deferred.make<void>()
    let left = Math.min(count, known.length)
    const arrived = Effect.suspend(() => --left === 0 ? Deferred.succeed(enough, undefined) : Effect.void)
    if (left > 0) {
      yield* Effect.forEach(known, ({ outcome }) => Effect.zipRight(Effect.exit(Deferred.await(outcome)), arrived), {
        concurrency: "unbounded",
        discard: true
      }).pipe(Effect.raceFirst(Deferred.await(enough)), Effect.timeoutOption(timeout))
    }
    // What has ended is held here, should it be forgotten meanwhile.
    const seen = new Map(known.map((job) => [job.id, job]))
    return Object.fromEntries(ids.map((id) => [id, stateOf(jobOf(id) ?? seen.get(id))] as const))
  })

const stateOf = (job: AgentRun | undefined): Component.JobState => {
  if (job === undefined) return { status: "unknown_job" }
  const { result } = job
  if (result === undefined) return { status: "pending" }
  if (result._tag === "Success") return { status: "done", output: result.value.answer }
  const { cause } = result
  return { status: "failed", output: cause._tag === "Fail" ? cause.error.message : "the job was stopped" }
}
