/**
 * One run of an agent. A finished component settles each outgoing connection with a value or with nothing; a component
 * whose connections are all settled is run or skipped at once.
 */
import { Effect } from "effect"
import type { Services } from "../components/Services.ts"
import * as Answer from "./Answer.ts"
import * as Loops from "./Loops.ts"
import { type AgentProgram, Nothing, type Place, type Plan, type Region } from "./Program.ts"
import { type RunOptions, RunState, type StateOptions } from "./RunState.ts"
import { begin, type RoundsExceeded } from "./Schedule.ts"

export type { RunOptions } from "./RunState.ts"
export { RoundsExceeded } from "./Schedule.ts"

/** A run at its beginning. Spans are opened when `traced`. */
export const make = (program: AgentProgram, plan: Plan, options: RunOptions, traced: boolean): RunState => {
  const state = empty(program, plan, options, traced)
  state.ready.push(plan.entry)
  return state
}

/** A run in which nothing is settled and nothing ready: to be filled with the state of one that was saved. */
export const empty = (program: AgentProgram, plan: Plan, options: RunOptions, traced: boolean): RunState =>
  new RunState(program, plan, stateOptions(program, options, traced), plan.entry)

/** The same of the body of a job. */
export const emptyBody = (
  program: AgentProgram,
  region: Region,
  options: RunOptions,
  traced: boolean,
  path: string
): RunState => new RunState(region, region.flow, { ...stateOptions(program, options, traced), path })

/** A run of one component alone, with inputs that fit its ports; its record is the answer. */
export const single = (
  program: AgentProgram,
  { node, shape }: Place,
  inputs: Readonly<Record<string, unknown>>,
  options: RunOptions,
  traced: boolean
): RunState => {
  const nodes = shape.nodes.with(node.index, { ...node, out: [], exports: [] })
  const nothing = new Uint8Array(shape.edges.length).fill(Nothing)
  const flow = { pending: new Int32Array(nodes.length), edges: nothing, back: nothing, members: [node.index] }
  const graph = { nodes, edges: shape.edges }
  const state = new RunState(graph, flow, stateOptions(program, options, traced), node.index, inputs)
  state.ready.push(node.index)
  return state
}

/** Field by field: a copy of an object costs more than the rest of a short run. */
const stateOptions = (program: AgentProgram, options: RunOptions, traced: boolean): StateOptions => ({
  agent: options.agent,
  run: options.run,
  emit: options.emit,
  maxRounds: options.maxRounds,
  jobs: options.jobs,
  control: options.control,
  around: options.around,
  agentId: program.agent.id,
  traced,
  open: Loops.open,
  path: ""
})

/** An answer; none when the run is held on its way. */
export type Outcome = Answer.RunResult | undefined

/** What is left of a run whose components have to be waited for. */
export type Rest = Effect.Effect<Outcome, RoundsExceeded, Services>

/**
 * Goes on with a run from its beginning, or from where it was held, and does at once what need not wait. A plain outcome
 * means that this was all: nothing was left to stop or to wait for.
 */
export const proceed = (state: RunState): Outcome | Rest => {
  const outcome = (): Outcome => state.isHeld ? undefined : Answer.make(state.leaves, state.deadEnds)
  const rest = begin(state)
  return rest === undefined ? outcome() : Effect.map(rest, outcome)
}
