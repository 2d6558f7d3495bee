/** The background jobs of an agent: runs of their own, which outlive the answer of the run that started them. */
import { Deferred, type Duration, Effect } from "effect"
import * as Component from "../components/Component.ts"
import * as Ids from "../kernel/Ids.ts"
import { add } from "../kernel/Places.ts"
import type { AgentEventBody } from "./AgentEvents.ts"
import type { AgentRun, Origin } from "./AgentRun.ts"
import { bodyOf } from "./Loops.ts"
import type { Process } from "./Process.ts"
import type { RunOptions, RunState } from "./RunState.ts"
import type { Jobs } from "./Step.ts"

/** Jobs of one agent under way at once. */
const maxJobs = 1000

/** What jobs need of the table that they stand in as all runs do. */
export interface Table {
  readonly runs: ReadonlyMap<string, AgentRun>
  /** Adds a job of a run and lets it go on in the background. */
  readonly launch: (
    parent: AgentRun,
    id: string,
    target: Origin["target"],
    begin: (options: RunOptions) => RunState
  ) => Effect.Effect<void>
  readonly stop: (run: AgentRun, reason: string) => Effect.Effect<void>
  readonly tell: (run: AgentRun, event: AgentEventBody) => void
}

export class RunJobs {
  readonly #table: Table
  /** Under way, by agent. */
  readonly counts = new Map<string, number>()

  constructor(table: Table) {
    this.#table = table
  }

  /** The jobs as a run sees them. */
  of(run: AgentRun): Jobs {
    return {
      start: (around, opener, region, step, inputs) =>
        Effect.suspend(() => {
          const agent = run.process.id
          if ((this.counts.get(agent) ?? 0) >= maxJobs) return tooMany
          const { atEnd } = opener.component.region as Component.Job<never>
          const id = Ids.unsafeMake(opener.info.id)
          const target = { _tag: "Job", opener: opener.info.id, atEnd: atEnd(opener.config as never) } as const
          add(this.counts, agent, 1)
          run.hasJobs = true
          this.#table.tell(run, { _tag: "JobStarted", ...step.place(), jobId: id })
          return Effect.as(
            this.#table.launch(run, id, target, (options) => bodyOf(around, region, inputs, `${step.key}/`, options)),
            id
          )
        }),
      wait: (ids, count, timeout) => wait((id) => this.#table.runs.get(id), run.process, ids, count, timeout)
    }
  }

  /** Until those have ended that the run is to wait for. */
  awaited(run: AgentRun): Effect.Effect<void> {
    return Effect.forEach(
      this.#underWay(run).filter(({ target }) => target._tag === "Job" && target.atEnd === "await"),
      ({ outcome }) => Effect.exit(Deferred.await(outcome)),
      { discard: true }
    )
  }

  /** Stops those that were to end with the run; all of them when it was stopped. */
  stopped(run: AgentRun): Effect.Effect<void> {
    return Effect.forEach(
      this.#underWay(run).filter(({ target }) =>
        run.status === "stopped" || (target._tag === "Job" && target.atEnd === "stop")
      ),
      (job) => this.#table.stop(job, run.stopping ?? "the run that started it has ended"),
      { concurrency: "unbounded", discard: true }
    )
  }

  /** To be told of each run that ends. */
  ended(run: AgentRun): void {
    if (run.target._tag !== "Job") return
    add(this.counts, run.process.id, -1)
    const parent = run.parent === undefined ? undefined : this.#table.runs.get(run.parent)
    if (parent !== undefined && !parent.isOver) {
      this.#table.tell(parent, { _tag: "JobEnded", jobId: run.id, failed: run.status !== "answered" })
    }
  }

  #underWay(run: AgentRun): ReadonlyArray<AgentRun> {
    return run.hasJobs
      ? Array.from(this.#table.runs.values()).filter(({ isOver, parent }) => parent === run.id && !isOver)
      : []
  }
}

const tooMany = new Component.ComponentFailed({ message: `${maxJobs} jobs are running, no more are started` })

/** Waits until `count` of the jobs have ended; an id that is no job of this agent waits for nothing. */
const wait = (
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
