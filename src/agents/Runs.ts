/** The runs of all agents: those under way, those that are held, and for a while those that ended in the background. */
import { Cause, Deferred, type Duration, Effect, Exit, Fiber, Option, Schedule, Scope } from "effect"
import { toText } from "../kernel/Json.ts"
import { isTraced } from "../kernel/Trace.ts"
import * as Candidate from "../security/Candidate.ts"
import * as Log from "../subsystems/io/Log.ts"
import type { RuntimeContextError } from "../subsystems/memory/RuntimeContext.ts"
import { RunNotFound, RunNotReady } from "./AgentErrors.ts"
import type { AgentEventBody } from "./AgentEvents.ts"
import type { DebugChange } from "./AgentRequests.ts"
import { AgentRun, eventOf, nextOf, type Origin, type RunFailure, type Target } from "./AgentRun.ts"
import type { RunResult } from "./Answer.ts"
import { Debugger, type DebugOptions } from "./Debugger.ts"
import { EndedRuns } from "./EndedRuns.ts"
import { EventLog } from "./EventLog.ts"
import * as HeldRuns from "./HeldRuns.ts"
import * as PausedRuns from "./PausedRuns.ts"
import type { Process } from "./Process.ts"
import type { Place, Plan } from "./Program.ts"
import * as Run from "./Run.ts"
import * as RunAttempt from "./RunAttempt.ts"
import type { Advance } from "./RunControl.ts"
import { type Overloaded, RunGate, type RunLimits, ShuttingDown } from "./RunGate.ts"
import { RunJobs } from "./RunJobs.ts"
import type { RunOptions } from "./RunState.ts"
import * as SavedRun from "./SavedRun.ts"
import { take } from "./Snapshot.ts"
import type { StepRunner } from "./Step.ts"

export interface RunsOptions extends RunLimits, HeldRuns.HeldLimits {
  /** Rounds of cycles in one run. */
  readonly maxRounds: number
  /** After this a run, or a job, is stopped; time in which it is held does not count. */
  readonly runTimeout: Duration.Duration
  readonly jobTimeout: Duration.Duration
  /** How long shutdown waits for runs before it stops them. */
  readonly drainTimeout: Duration.Duration
  /** Says when the process itself is too busy for another run. */
  readonly busy: Effect.Effect<Overloaded | undefined> | undefined
}

export interface Watch {
  /** Whether its events are kept. */
  readonly events: boolean
  /** Told as well as kept. */
  readonly tell?: ((event: AgentEventBody) => void) | undefined
  readonly debug?: DebugOptions | undefined
  /** Wraps its steps, when it is not debugged. */
  readonly around?: StepRunner | undefined
}

export type Runs = Effect.Effect.Success<ReturnType<typeof make>>

export const make = (options: RunsOptions) =>
  Effect.gen(function*() {
    const saved = yield* PausedRuns.make
    const log = yield* Effect.serviceOption(Log.Log)
    const clock = yield* Effect.clock
    /** Of what runs in the background: shutdown lets it end before it closes this. */
    const background = yield* Scope.make()
    const gate = new RunGate(options, options.busy)
    const table = new Map<string, AgentRun>()
    const ended = new EndedRuns((id) => table.delete(id))
    const paused = yield* HeldRuns.make(options)
    const jobs = new RunJobs({
      runs: table,
      launch: ({ caller, debug, id: parent, info, process }, id, target, begin) =>
        Effect.suspend(() => {
          const origin = { process, target, info, caller, parent, startedAt: now() }
          const mocks = debug && { mocks: debug.mocks }
          const job = create(origin, { events: true, debug: mocks }, id)
          job.state = begin(optionsOf(job))
          return launch(job)
        }),
      stop: (run, reason) => stop(run, reason),
      tell: (run, event) => tell(run, event)
    })
    const now = () => clock.unsafeCurrentTimeMillis()
    const attempt = yield* RunAttempt.make(options, {
      gate,
      jobs,
      begins: (run) => tellBegun(run),
      settle: (run, exit) => settle(run, exit)
    })

    /** A run that is to be held on its way begins only where there is room for it. */
    const execute = (run: AgentRun): Effect.Effect<Run.Outcome, RunFailure> =>
      run.hasBegun || !run.control.holding ? attempt(run) : Effect.uninterruptibleMask((interruptible) =>
        Effect.flatMap(
          paused.full(run.process),
          (full): Effect.Effect<Run.Outcome, RunFailure> =>
            full === undefined ? interruptible(attempt(run)) : Effect.zipRight(settle(run, Exit.fail(full)), full)
        )
      )

    const create = (origin: Origin, { around, debug, events, tell }: Watch, id = origin.info.id): AgentRun => {
      const log = events ? new EventLog(id, now) : undefined
      const run = new AgentRun(id, origin, log, debug && new Debugger(debug.mocks), { around, tell })
      if (debug?.breakpoints !== undefined) run.control.breakAt(debug.breakpoints)
      if (debug?.hold === true) run.control.hold()
      table.set(id, run)
      return run
    }

    /** Tells the watchers of a run, and those of all runs of its agent. */
    const tellerOf = ({ events, id, process, tell }: AgentRun): ((event: AgentEventBody) => void) | undefined => {
      const { monitors } = process
      return events === undefined && monitors === undefined ? tell : (event) => {
        events?.add(event)
        tell?.(event)
        monitors?.forEach((monitor) => monitor.add(event, id))
      }
    }
    const tellBegun = (run: AgentRun) => {
      if (run.hasBegun) return
      run.hasBegun = true
      const { endpoint, method } = run.info.request
      tell(run, { _tag: "RunStarted", agentId: run.process.id, what: run.what, endpoint, method })
    }
    const tell = (run: AgentRun, event: AgentEventBody) => tellerOf(run)?.(event)

    const optionsOf = (run: AgentRun): RunOptions => ({
      agent: run.process.program.agent,
      run: run.info,
      emit: tellerOf(run),
      maxRounds: options.maxRounds,
      jobs: jobs.of(run),
      control: run.control,
      around: run.debug === undefined ? run.around : run.debug.around()
    })

    const settle = (run: AgentRun, exit: Exit.Exit<Run.Outcome, RunFailure>): Effect.Effect<void> => {
      if (Exit.isFailure(exit)) {
        const error = Option.getOrElse(Cause.failureOption(exit.cause), () => run.stopped)
        return end(run, error._tag === "RunStopped" ? "stopped" : "failed", Exit.fail(error))
      }
      return exit.value === undefined
        ? held(run)
        : end(run, exit.value.failed ? "failed" : "answered", Exit.succeed(exit.value))
    }

    const held = (run: AgentRun): Effect.Effect<void> =>
      Effect.flatMap(paused.tenantOf(run), (tenant) => {
        const state = run.state!
        const pause = { state: take(state), path: state.options.path, next: nextOf(state) }
        tell(run, { _tag: "RunPaused", next: pause.next })
        paused.add(run, tenant)
        run.held(pause)
        // Who goes on at once may be at the end before the state is saved.
        const ended = Effect.suspend(() => run.isOver ? saved.forget(run) : Effect.void)
        return run.stopping === undefined ? Effect.zipRight(saved.keep(run, pause), ended) : endPaused(run)
      })

    const endPaused = (run: AgentRun) =>
      Effect.suspend(() => {
        paused.remove(run)
        return end(run, "stopped", Exit.fail(run.stopped))
      })

    const end = (
      run: AgentRun,
      status: "answered" | "failed" | "stopped",
      exit: Exit.Exit<RunResult, RunFailure>
    ): Effect.Effect<void> => {
      if (run.hasBegun) tell(run, eventOf(exit))
      run.events?.end()
      run.over(status, exit, now())
      if (run.kept) ended.add(run)
      else table.delete(run.id)
      jobs.ended(run)
      const logged = record(run)
      return run.saved || run.hasJobs
        ? Effect.all([logged, saved.forget(run), jobs.stopped(run)], { discard: true })
        : logged
    }

    const record = ({ id, process, result, status, what }: AgentRun) =>
      Option.isNone(log) ? Effect.void : log.value.record({
        level: status === "answered" ? "info" : "warning",
        message: `${what} of ${process.id} ${status}`,
        runId: id,
        ...(status === "answered" ? {} : { error: errorOf(result) })
      }).pipe(Effect.ignore, Candidate.as(process.candidate))

    /** In the background: it is under way when this returns, and known for a while after its end. */
    const launch = (run: AgentRun): Effect.Effect<void> => {
      run.kept = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(Effect.exit(execute(run))), background))
    }

    const stop = (run: AgentRun, reason: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (run.isOver) return Effect.void
        run.stopping ??= reason
        if (run.status === "paused") return endPaused(run)
        const { fiber, outcome } = run
        return Effect.zipRight(
          fiber === undefined ? Effect.void : Fiber.interrupt(fiber),
          Effect.exit(Deferred.await(outcome))
        ).pipe(Effect.zipRight(Effect.suspend(() => jobs.stopped(run))))
      })

    const pause = (run: AgentRun) =>
      Effect.suspend((): Effect.Effect<void, RunNotReady | Overloaded> => {
        if (run.isOver) return notReady(run, "it is over")
        return Effect.flatMap(paused.full(run.process), (full) => full ?? Effect.sync(() => run.control.hold()))
      })

    /** Goes on with a run that is held, or about to be; with one step only, waits until it is held again or over. */
    const resume = (run: AgentRun, how: Advance): Effect.Effect<void, RunNotReady> =>
      Effect.suspend(() => {
        if (run.isOver) return notReady(run, "it is over")
        if (run.status !== "paused") {
          if (how === "continue") return Effect.sync(() => run.control.advance(how))
          return run.control.isHeld
            ? Effect.zipRight(Deferred.await(run.rest), resume(run, how))
            : notReady(run, "it can be stepped through while it is paused")
        }
        return Effect.flatMap(isTraced, (traced) => {
          const state = run.pause && SavedRun.stateOf(run, run.pause, optionsOf(run), traced)
          if (state === undefined) return notReady(run, "another call has it go on")
          paused.remove(run)
          run.resumed(state)
          run.control.advance(how)
          tell(run, { _tag: "RunResumed" })
          const { rest } = run
          return Effect.zipRight(launch(run), how === "continue" ? Effect.void : Deferred.await(rest))
        })
      })

    const find = (process: Process, id: string): Effect.Effect<AgentRun, RunNotFound | RuntimeContextError> =>
      Effect.suspend(() => {
        const run = table.get(id)
        return run === undefined ? load(process, id) : run.process.id === process.id
          ? Effect.succeed(run)
          : new RunNotFound({ agent: process.id, run: id })
      })

    /** A run that this process has not seen: held by one that is no more. */
    const load = Effect.fnUntraced(function*(process: Process, id: string) {
      const found = yield* saved.find(process, id)
      const events = new EventLog(id, now, found.nextEvent)
      const run = yield* SavedRun.restored(process, id, found, events, optionsOf)
      const tenant = yield* paused.tenantOf(run)
      const known = table.get(id)
      if (known !== undefined) return known
      paused.add(run, tenant)
      table.set(id, run)
      return run
    })

    yield* Effect.sync(() => ended.sweep(now())).pipe(
      Effect.schedule(Schedule.spaced("1 minute")),
      Effect.forkScoped
    )
    const alive = (isHeld: boolean) =>
      Array.from(table.values()).filter((run) => !run.isOver && (run.status === "paused") === isHeld)
    const stopAll = Effect.suspend(() =>
      Effect.forEach(alive(false), (run) => stop(run, "the system is shutting down"), {
        concurrency: "unbounded",
        discard: true
      })
    )
    /** The state of those that are held stays where it was saved. */
    const leaveHeld = Effect.sync(() => {
      for (const run of alive(true)) run.over("stopped", Exit.fail(new ShuttingDown()), now())
    })
    yield* Effect.addFinalizer(() =>
      Effect.timeoutOption(Effect.interruptible(gate.close), options.drainTimeout).pipe(
        Effect.zipRight(stopAll),
        Effect.zipRight(Scope.close(background, Exit.void)),
        Effect.zipRight(leaveHeld)
      )
    )

    return {
      /** A run about to begin, at an entry or at one component alone: then its inputs are the body of the request. */
      begin: (origin: Pick<Origin, "process" | "info" | "caller">, at: Plan | Place, watch: Watch) =>
        Effect.map(isTraced, (traced) => {
          const target: Target = "key" in at
            ? { _tag: "Endpoint", key: at.key }
            : { _tag: "Component", id: at.node.info.id }
          const { caller, info, process } = origin
          const run = create({ process, info, caller, target, parent: undefined, startedAt: now() }, watch)
          const { program } = process
          const inputs = info.request.body as Readonly<Record<string, unknown>>
          run.state = "key" in at
            ? Run.make(program, at, optionsOf(run), traced)
            : Run.single(program, at, inputs, optionsOf(run), traced)
          return run
        }),
      /** Its answer, also when it is held meanwhile. Who stops waiting stops it, unless it is held. */
      complete: (run: AgentRun): Effect.Effect<RunResult, RunFailure> =>
        Effect.flatMap(
          execute(run),
          (outcome) => outcome === undefined ? Deferred.await(run.outcome) : Effect.succeed(outcome)
        ),
      launch,
      stop,
      pause,
      resume,
      debug: (run: AgentRun, { breakpoints, inject = {}, mocks = {} }: DebugChange) =>
        Effect.suspend((): Effect.Effect<void, RunNotReady> => {
          if (run.debug === undefined) return notReady(run, "it was not started to be debugged")
          if (breakpoints !== undefined) run.control.breakAt(breakpoints)
          for (const [id, outputs] of Object.entries(inject)) run.debug.inject(id, outputs)
          for (const [id, outputs] of Object.entries(mocks)) run.debug.mock(id, outputs)
          return Effect.void
        }),
      find,
      of: (process: Process): ReadonlyArray<AgentRun> =>
        Array.from(table.values()).filter((run) => run.process.id === process.id),
      counts: Effect.sync(() => ({
        running: gate.running,
        queued: gate.queued,
        paused: paused.count(),
        jobs: sum(jobs.counts),
        known: table.size
      }))
    }
  })

const errorOf = (result: AgentRun["result"]): string | undefined =>
  result && Exit.match(result, {
    onSuccess: ({ answer }) => toText(answer),
    onFailure: (cause) => (Cause.squash(cause) as RunFailure).message
  })

const notReady = ({ id, status }: AgentRun, problem: string) => new RunNotReady({ run: id, status, problem })

const sum = (counts: ReadonlyMap<string, number>): number => Array.from(counts.values()).reduce((a, b) => a + b, 0)
