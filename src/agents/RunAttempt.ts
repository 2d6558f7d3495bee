/** One go at a run: from the door to the answer, or to where it is held. */
import { type Duration, Effect, Exit, Fiber, FiberId, type Scope } from "effect"
import type { Services } from "../components/Services.ts"
import * as Deadlines from "../kernel/Deadlines.ts"
import { traced } from "../kernel/Trace.ts"
import * as Candidate from "../security/Candidate.ts"
import { inRun } from "../subsystems/llm/Usage.ts"
import { type RunStopped, RunTimedOut } from "./AgentErrors.ts"
import type { AgentRun, RunFailure } from "./AgentRun.ts"
import * as Run from "./Run.ts"
import type { RunGate } from "./RunGate.ts"
import type { RunJobs } from "./RunJobs.ts"

/** What an attempt needs of the table its run stands in. */
export interface Table {
  readonly gate: RunGate
  readonly jobs: RunJobs
  /** It has its place now. */
  readonly begins: (run: AgentRun) => void
  /** It is over, or held when the outcome is none. */
  readonly settle: (run: AgentRun, exit: Exit.Exit<Run.Outcome, RunFailure>) => Effect.Effect<void>
}

export interface TimeLimits {
  readonly runTimeout: Duration.Duration
  readonly jobTimeout: Duration.Duration
}

export const make = Effect.fnUntraced(function*(
  { jobTimeout, runTimeout }: TimeLimits,
  { begins, gate, jobs, settle }: Table
): Effect.fn.Return<(run: AgentRun) => Effect.Effect<Run.Outcome, RunFailure>, never, Services | Scope.Scope> {
  const services = yield* Effect.context<Services>()
  const runTime = { deadlines: yield* Deadlines.make(runTimeout), after: runTimeout }
  const jobTime = { deadlines: yield* Deadlines.make(jobTimeout), after: jobTimeout }

  /** Works on what has to be waited for, in a fiber that can be stopped without stopping whoever waits. */
  const inFiber = <A, E>(
    run: AgentRun,
    interruptible: Interruptible,
    work: Effect.Effect<A, E>,
    time?: TimeLimit
  ): Effect.Effect<A, E | RunStopped | RunTimedOut> =>
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(work)), (fiber) => {
      run.fiber = fiber
      let isLate = false
      const deadline = time?.deadlines.start(() => {
        isLate = true
        fiber.unsafeInterruptAsFork(FiberId.none)
      })
      const waited = () => {
        run.fiber = undefined
        if (deadline !== undefined) time?.deadlines.cancel(deadline)
      }
      const waiting = Effect.onInterrupt(interruptible(Fiber.await(fiber)), () => {
        waited()
        return Fiber.interrupt(fiber)
      })
      return Effect.flatMap(waiting, (exit): Effect.Effect<A, E | RunStopped | RunTimedOut> => {
        waited()
        if (!Exit.isInterrupted(exit)) return exit
        return run.stopping !== undefined ? run.stopped : isLate && time !== undefined ? timedOut(run, time) : exit
      })
    })

  const timedOut = ({ process, what }: AgentRun, { after }: TimeLimit) =>
    new RunTimedOut({ agent: process.id, endpoint: what, after })

  /** From the door to the answer, or to where the run is held. Jobs are let in by the run that starts them. */
  const execute = (run: AgentRun): Effect.Effect<Run.Outcome, RunFailure> =>
    Effect.uninterruptibleMask((interruptible) => {
      const isJob = run.target._tag === "Job"
      const agent = run.process.id
      const caller = isJob ? "" : Candidate.format(run.caller)
      const leave = () => isJob ? undefined : gate.leave(agent, caller)
      const entering = isJob ? undefined : gate.enter(agent, caller)
      if (entering === undefined) return inside(run, interruptible, leave)
      // Who goes away in the moment its place is given gives it back.
      let placed = false
      const entered = Effect.tap(entering, () => Effect.sync(() => void (placed = true)))
      return Effect.matchCauseEffect(inFiber(run, interruptible, entered), {
        onSuccess: () => inside(run, interruptible, leave),
        onFailure: (cause) => {
          if (placed) leave()
          return settled(run, Exit.failCause(cause))
        }
      })
    }).pipe(traced("agent.run", { "agent.id": run.process.id, "run.id": run.id }))

  /** Most runs never wait: those are over when this returns, without a fiber or a time limit of their own. */
  const inside = (
    run: AgentRun,
    interruptible: Interruptible,
    leave: () => void
  ): Effect.Effect<Run.Outcome, RunFailure> => {
    const left = (exit: Exit.Exit<Run.Outcome, RunFailure>) => {
      leave()
      return run.hasJobs && Exit.isSuccess(exit) && exit.value !== undefined
        ? Effect.flatMap(
          Effect.exit(interruptible(jobs.awaited(run))),
          (waited) => settled(run, Exit.zipRight(waited, exit))
        )
        : settled(run, exit)
    }
    if (run.stopping !== undefined) return left(Exit.fail(run.stopped))
    run.status = "running"
    begins(run)
    let begun: Run.Outcome | Run.Rest
    try {
      begun = Run.proceed(run.state!)
    } catch (defect) {
      return left(Exit.die(defect))
    }
    if (!Effect.isEffect(begun)) return left(Exit.succeed(begun))
    const time = run.target._tag === "Job" ? jobTime : runTime
    return Effect.flatMap(Effect.exit(inFiber(run, interruptible, asAgent(run, begun), time)), left)
  }

  const asAgent = ({ info, process }: AgentRun, rest: Run.Rest) =>
    Effect.provide(rest, services).pipe(inRun(info.workflowId), Candidate.as(process.candidate))

  const settled = (
    run: AgentRun,
    exit: Exit.Exit<Run.Outcome, RunFailure>
  ): Effect.Effect<Run.Outcome, RunFailure> => Effect.zipRight(settle(run, exit), exit)

  return execute
})

interface TimeLimit {
  readonly deadlines: Deadlines.Deadlines
  readonly after: Duration.Duration
}

type Interruptible = <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E>
