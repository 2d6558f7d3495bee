/** One run in the table: whose it is, how far it is, and what it needs to go on. */
import { Cause, Deferred, Exit, type Fiber, FiberId, Schema } from "effect"
import type { RunInfo } from "../components/Component.ts"
import * as Candidate from "../security/Candidate.ts"
import { RunStopped, type RunTimedOut } from "./AgentErrors.ts"
import type { AgentEventBody } from "./AgentEvents.ts"
import type { RunResult } from "./Answer.ts"
import { type Debugger, SeenStep } from "./Debugger.ts"
import type { EventLog } from "./EventLog.ts"
import type { Process } from "./Process.ts"
import { type AgentProgram, find, type Place, Value } from "./Program.ts"
import { RunControl } from "./RunControl.ts"
import type { Overloaded, ShuttingDown } from "./RunGate.ts"
import type { RunState } from "./RunState.ts"
import type { RoundsExceeded } from "./Schedule.ts"
import { compact, type Snapshot } from "./Snapshot.ts"
import type { StepRunner } from "./Step.ts"

/** Why a run ended without an answer. */
export type RunFailure = Overloaded | ShuttingDown | RoundsExceeded | RunTimedOut | RunStopped

export const RunStatus = Schema.Literal(
  "queued",
  "running",
  /** Asked to pause; a step is still under way. */
  "pausing",
  "paused",
  "answered",
  "failed",
  "stopped"
)
export type RunStatus = typeof RunStatus.Type

export const RunSummary = Schema.Struct({
  id: Schema.String,
  agent: Schema.String,
  /** What it runs: `POST digest`, `trigger orders`, `job A1` of the component that started it, or `component H1` alone. */
  what: Schema.String,
  /** Who asked for it. */
  caller: Candidate.Candidate,
  /** The run that started this job. */
  parent: Schema.optional(Schema.String),
  status: RunStatus,
  /** Milliseconds since 1970. */
  startedAt: Schema.Int,
  endedAt: Schema.optional(Schema.Int),
  /** Keys of the steps that begin next, of a run that is paused. */
  next: Schema.optional(Schema.Array(Schema.String))
})
export interface RunSummary extends Schema.Schema.Type<typeof RunSummary> {}

export const RunInspection = Schema.Struct({
  ...RunSummary.fields,
  /** Connections that carry a value now, outside of loops. */
  values: Schema.Array(Schema.Struct({ from: Schema.String, to: Schema.String, value: Schema.Unknown })),
  breakpoints: Schema.Array(Schema.String),
  /** What each step got and gave; of debugged runs only. */
  steps: Schema.Array(SeenStep)
})
export interface RunInspection extends Schema.Schema.Type<typeof RunInspection> {}

/** What a run starts at: an endpoint or a trigger, the component that opened the job, or one component alone. */
export const Target = Schema.Union(
  Schema.TaggedStruct("Endpoint", { key: Schema.String }),
  Schema.TaggedStruct("Job", { opener: Schema.String, atEnd: Schema.Literal("outlive", "await", "stop") }),
  Schema.TaggedStruct("Component", { id: Schema.String })
)
export type Target = typeof Target.Type

export interface Origin {
  readonly process: Process
  readonly target: Target
  readonly info: RunInfo
  readonly caller: Candidate.Candidate
  readonly parent: string | undefined
  readonly startedAt: number
}

/** A run that is held. */
export interface Pause {
  readonly state: Snapshot
  /** In front of step keys: not empty in jobs. */
  readonly path: string
  /** Keys of the steps that begin next. */
  readonly next: ReadonlyArray<string>
}

export class AgentRun implements Origin {
  readonly id: string
  readonly process: Process
  readonly target: Target
  readonly info: RunInfo
  readonly caller: Candidate.Candidate
  readonly parent: string | undefined
  readonly startedAt: number
  readonly control = new RunControl()
  readonly events: EventLog | undefined
  readonly debug: Debugger | undefined
  /** Somebody who is told its events as they happen. */
  readonly tell: ((event: AgentEventBody) => void) | undefined
  /** What its steps pass, when it is not debugged. */
  readonly around: StepRunner | undefined
  /** While it is under way. */
  state: RunState | undefined = undefined
  /** While it is held: its state as data. */
  pause: Pause | undefined = undefined
  status: RunStatus = "queued"
  endedAt: number | undefined = undefined
  /** Whether it ever got its place. */
  hasBegun = false
  /** Whether it started jobs. */
  hasJobs = false
  /** Whether it stays known after its end. */
  kept = false
  /** Whether its state was saved. */
  saved = false
  /** Why it is to stop. */
  stopping: string | undefined = undefined
  /** What works on it, as far as that has to be waited for. */
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  result: Exit.Exit<RunResult, RunFailure> | undefined = undefined
  #outcome: Deferred.Deferred<RunResult, RunFailure> | undefined = undefined
  #rest: Deferred.Deferred<void> | undefined = undefined

  constructor(
    id: string,
    origin: Origin,
    events: EventLog | undefined,
    debug: Debugger | undefined,
    { around, tell }: Pick<AgentRun, "around" | "tell"> = { around: undefined, tell: undefined }
  ) {
    this.id = id
    this.tell = tell
    this.around = around
    this.process = origin.process
    this.target = origin.target
    this.info = origin.info
    this.caller = origin.caller
    this.parent = origin.parent
    this.startedAt = origin.startedAt
    this.events = events
    this.debug = debug
  }

  get what(): string {
    return whatOf(this.target)
  }

  /** How it ends when it is stopped. */
  get stopped(): RunStopped {
    const reason = this.stopping ?? "whoever waited for it went away"
    return new RunStopped({ agent: this.process.id, run: this.id, reason })
  }

  get isOver(): boolean {
    return this.result !== undefined
  }

  /** For those who wait for its end, over any pause. */
  get outcome(): Deferred.Deferred<RunResult, RunFailure> {
    if (this.#outcome === undefined) {
      this.#outcome = Deferred.unsafeMake(FiberId.none)
      if (this.result !== undefined) Deferred.unsafeDone(this.#outcome, this.result)
    }
    return this.#outcome
  }

  /** For those who wait until nothing of it is under way: it is held, or over. */
  get rest(): Deferred.Deferred<void> {
    return this.#rest ??= Deferred.unsafeMake(FiberId.none)
  }

  held(pause: Pause): void {
    this.status = "paused"
    this.kept = true
    this.pause = pause
    this.state = undefined
    this.events?.trim()
    this.#rested()
  }

  resumed(state: RunState): void {
    this.status = "queued"
    this.state = state
    this.pause = undefined
  }

  over(status: "answered" | "failed" | "stopped", result: Exit.Exit<RunResult, RunFailure>, endedAt: number): void {
    this.status = status
    this.result = result
    this.endedAt = endedAt
    this.state = undefined
    this.pause = undefined
    if (this.#outcome !== undefined) Deferred.unsafeDone(this.#outcome, result)
    this.#rested()
  }

  get #values(): RunInspection["values"] {
    if (this.state !== undefined) {
      const { edges, program, values } = this.state
      return valuesOf(program, values.flatMap((value, edge) => edges[edge] === Value ? [[edge, value] as const] : []))
    }
    const shape = this.pause && shapeOf(this.process.program, this.target)
    return this.pause === undefined || shape === undefined ? [] : valuesOf(shape, this.pause.state.values)
  }

  #rested(): void {
    if (this.#rest !== undefined) Deferred.unsafeDone(this.#rest, Exit.void)
    this.#rest = undefined
  }

  get summary(): RunSummary {
    const { status } = this
    return {
      id: this.id,
      agent: this.process.id,
      what: this.what,
      caller: this.caller,
      status: status === "running" && this.control.isHeld ? "pausing" : status,
      startedAt: this.startedAt,
      ...(this.parent === undefined ? {} : { parent: this.parent }),
      ...(this.endedAt === undefined ? {} : { endedAt: this.endedAt }),
      ...(this.pause === undefined ? {} : { next: this.pause.next })
    }
  }

  get inspection(): RunInspection {
    return {
      ...this.summary,
      values: this.#values,
      breakpoints: this.control.breakpoints,
      steps: this.debug?.seen ?? []
    }
  }
}

/** How a run that came to this end tells it. */
export const eventOf = (result: Exit.Exit<RunResult, RunFailure>): AgentEventBody =>
  Exit.match(result, {
    onSuccess: ({ answer, failed }) => ({ _tag: "RunEnded", answer, failed }),
    onFailure: (cause) => {
      const { _tag: error, message } = Cause.squash(cause) as RunFailure
      return { _tag: "RunFailed", error, message }
    }
  })

/** The graph of a run: the agent's, or the body of a loop or a job. */
const shapeOf = (program: AgentProgram, target: Target): Place["shape"] | undefined => {
  switch (target._tag) {
    case "Endpoint":
      return program
    case "Job":
      return find(program, target.opener)?.node.region
    case "Component":
      return find(program, target.id)?.shape
  }
}

const whatOf = (target: Target): string =>
  target._tag === "Endpoint" ? target.key : target._tag === "Job" ? `job ${target.opener}` : `component ${target.id}`

/** Keys of the steps that begin next: in loops that are held, those of their bodies. */
export const nextOf = (state: RunState): ReadonlyArray<string> =>
  compact(state.waiting.flatMap((node) => {
    const loop = state.suspended.get(node)?.loop
    return loop === undefined ? [state.keyOf(node)] : Array.from(loop.active.values()).flatMap(nextOf)
  }))

const valuesOf = (
  { edges: connections, nodes }: Place["shape"],
  values: Iterable<readonly [edge: number, value: unknown]>
): RunInspection["values"] =>
  Array.from(values).flatMap(([edge, value]) => {
    const { port, slot, source, target } = connections[edge]!
    const from = nodes[source]
    const to = nodes[target]
    if (from === undefined || to === undefined) return []
    const input = to.slots[slot]?.name
    return [{
      from: `${from.info.id}.${port}`,
      to: input === undefined ? to.info.id : `${to.info.id}.${input}`,
      value
    }]
  })
