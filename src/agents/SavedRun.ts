/** Runs that are held, as they are kept by {@link RuntimeContext}: under the agent, and for its time to live. */
import { Effect, Schema } from "effect"
import { isTraced } from "../kernel/Trace.ts"
import * as Candidate from "../security/Candidate.ts"
import { type Format, InvalidState } from "../subsystems/memory/RuntimeContext.ts"
import { AgentRun, Target } from "./AgentRun.ts"
import { Debugger, SeenStep } from "./Debugger.ts"
import type { EventLog } from "./EventLog.ts"
import type { Process } from "./Process.ts"
import { find } from "./Program.ts"
import * as Run from "./Run.ts"
import type { RunOptions, RunState } from "./RunState.ts"
import { restore, Snapshot, take } from "./Snapshot.ts"

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
export const of = (run: AgentRun): SavedRun => ({
  agent: run.process.id,
  fingerprint: run.process.fingerprint,
  target: run.target,
  info: run.info,
  caller: run.caller,
  parent: run.parent,
  startedAt: run.startedAt,
  path: run.state!.options.path,
  nextEvent: run.events?.next ?? 0,
  state: take(run.state!),
  debug: run.debug && {
    mocks: Object.fromEntries(run.debug.mocks),
    breakpoints: run.control.breakpoints,
    seen: run.debug.seen
  }
})

/** A run like the saved one, in which nothing has happened yet. */
const emptyState = (
  process: Process,
  { agent, fingerprint, info, path, target }: SavedRun,
  options: RunOptions,
  traced: boolean
): Effect.Effect<RunState, InvalidState> => {
  const { program } = process
  const gone = new InvalidState({
    runId: info.id,
    problem: `agent "${agent}" was changed since the run was paused: start it anew`
  })
  if (fingerprint !== process.fingerprint) return gone
  switch (target._tag) {
    case "Endpoint": {
      const plan = program.plans.get(target.key)
      return plan === undefined ? gone : Effect.succeed(Run.empty(program, plan, options, traced))
    }
    case "Job": {
      const region = find(program, target.opener)?.node.region
      return region === undefined ? gone : Effect.succeed(Run.emptyBody(program, region, options, traced, path))
    }
    case "Component": {
      const found = find(program, target.id)
      const given = info.request.body as Readonly<Record<string, unknown>>
      return found === undefined ? gone : Effect.succeed(Run.single(program, found, given, options, traced))
    }
  }
}

/** A run that is held where the saved one was. */
export const restored = (
  process: Process,
  id: string,
  saved: SavedRun,
  events: EventLog,
  optionsOf: (run: AgentRun) => RunOptions
): Effect.Effect<AgentRun, InvalidState> =>
  Effect.gen(function*() {
    const { debug, state, ...origin } = saved
    const run = new AgentRun(id, { ...origin, process }, events, debug && new Debugger(debug.mocks, debug.seen))
    run.state = yield* emptyState(process, saved, optionsOf(run), yield* isTraced)
    run.state.ready.length = 0
    restore(run.state, state)
    run.control.breakAt(debug?.breakpoints ?? [])
    run.control.hold()
    run.hasBegun = true
    run.saved = true
    return run
  })
