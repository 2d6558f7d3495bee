/** Runs that are held, as they are kept by {@link RuntimeContext}: under the agent, and for its time to live. */
import { Effect, Schema } from "effect"
import { isTraced } from "../kernel/Trace.ts"
import * as Candidate from "../security/Candidate.ts"
import { type Format, InvalidState } from "../subsystems/memory/RuntimeContext.ts"
import { AgentRun, nextOf, type Pause, Target } from "./AgentRun.ts"
import { Debugger, SeenStep } from "./Debugger.ts"
import type { EventLog } from "./EventLog.ts"
import type { Process } from "./Process.ts"
import { find } from "./Program.ts"
import * as Run from "./Run.ts"
import type { RunOptions, RunState } from "./RunState.ts"
import { restore, Snapshot } from "./Snapshot.ts"

const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })

export const SavedRun = Schema.Struct({
  agent: Schema.String,
  /** Of the document the run began with. */
  fingerprint: Schema.String,
  target: Target,
  info: Schema.Struct({
    id: Schema.String,
    sessionId: Schema.String,
    workflowId: Schema.String,
    depth: Schema.optional(Schema.Int),
    conversationId: Schema.UndefinedOr(Schema.String),
    request: Schema.Struct({
      method: Schema.Literal("GET", "POST"),
      endpoint: Schema.String,
      headers: Schema.Record({ key: Schema.String, value: Schema.String }),
      body: Schema.Unknown,
      query: Values
    })
  }),
  caller: Candidate.Candidate,
  parent: Schema.UndefinedOr(Schema.String),
  startedAt: Schema.Int,
  /** In front of step keys: not empty in jobs. */
  path: Schema.String,
  /** The number of the next event. */
  nextEvent: Schema.Int,
  state: Snapshot,
  debug: Schema.UndefinedOr(Schema.Struct({
    mocks: Schema.Record({ key: Schema.String, value: Values }),
    breakpoints: Schema.Array(Schema.String),
    seen: Schema.Array(SeenStep)
  }))
})
export interface SavedRun extends Schema.Schema.Type<typeof SavedRun> {}

export const format: Format<SavedRun, typeof SavedRun.Encoded> = { schema: SavedRun, version: 1 }

/** Of a run that is held. */
export const of = (run: AgentRun, pause: Pause): SavedRun => ({
  agent: run.process.id,
  fingerprint: run.process.fingerprint,
  target: run.target,
  info: run.info,
  caller: run.caller,
  parent: run.parent,
  startedAt: run.startedAt,
  path: pause.path,
  nextEvent: run.events?.next ?? 0,
  state: pause.state,
  debug: run.debug && {
    mocks: run.debug.mocks,
    breakpoints: run.control.breakpoints,
    seen: run.debug.seen
  }
})

/** The state in which a run was held, to go on with; none when the document no longer has what it ran. */
export const stateOf = (
  { info, process: { program }, target }: AgentRun,
  { path, state: saved }: Pick<Pause, "path" | "state">,
  options: RunOptions,
  traced: boolean
): RunState | undefined => {
  const empty = (): RunState | undefined => {
    switch (target._tag) {
      case "Endpoint": {
        const plan = program.plans.get(target.key) ?? program.triggers.get(target.key)
        return plan && Run.empty(program, plan, options, traced)
      }
      case "Job": {
        const region = find(program, target.opener)?.node.region
        return region && Run.emptyBody(program, region, options, traced, path)
      }
      case "Component": {
        const found = find(program, target.id)
        return found &&
          Run.single(program, found, info.request.body as Readonly<Record<string, unknown>>, options, traced)
      }
    }
  }
  const state = empty()
  if (state !== undefined) {
    state.ready.length = 0
    restore(state, saved)
  }
  return state
}

/** A run that is held where the saved one was. */
export const restored = (
  process: Process,
  id: string,
  { debug, fingerprint, path, state, ...origin }: SavedRun,
  events: EventLog,
  optionsOf: (run: AgentRun) => RunOptions
): Effect.Effect<AgentRun, InvalidState> =>
  Effect.gen(function*() {
    const run = new AgentRun(id, { ...origin, process }, events, debug && new Debugger(debug.mocks, debug.seen))
    const held = fingerprint === process.fingerprint
      ? stateOf(run, { path, state }, optionsOf(run), yield* isTraced)
      : undefined
    if (held === undefined) {
      const problem = `agent "${process.id}" was changed since the run was paused: start it anew`
      return yield* new InvalidState({ runId: id, problem })
    }
    run.control.breakAt(debug?.breakpoints ?? [])
    run.control.hold()
    run.hasBegun = true
    run.saved = true
    run.held({ path, state, next: nextOf(held) })
    return run
  })
