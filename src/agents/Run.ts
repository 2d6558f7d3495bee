/**
 * One run of an agent. A finished component settles each outgoing connection with a value or with nothing; a component
 * whose connections are all settled is run or skipped at once.
 */
import { Effect } from "effect"
import type { Services } from "../components/Services.ts"
import { isTraced } from "../kernel/Trace.ts"
import * as Answer from "./Answer.ts"
import * as Loops from "./Loops.ts"
import type { AgentProgram, Plan } from "./Program.ts"
import { type RunOptions, RunState } from "./RunState.ts"
import { begin, type RoundsExceeded } from "./Schedule.ts"

export type { RunOptions } from "./RunState.ts"
export { RoundsExceeded } from "./Schedule.ts"

export const run = (
  program: AgentProgram,
  plan: Plan,
  options: RunOptions
): Effect.Effect<Answer.RunResult, RoundsExceeded, Services> =>
  Effect.flatMap(start(program, plan, options), (begun) => Effect.isEffect(begun) ? begun : Effect.succeed(begun))

/** What is left of a run whose components have to be waited for. */
export type Rest = Effect.Effect<Answer.RunResult, RoundsExceeded, Services>

/** Does at once what need not wait. A plain result means that this was all: nothing was left to stop or to wait for. */
export const start = (
  program: AgentProgram,
  plan: Plan,
  options: RunOptions
): Effect.Effect<Answer.RunResult | Rest> =>
  Effect.map(isTraced, (traced) => {
    const state = new RunState(program, plan, {
      ...options,
      agentId: program.agent.id,
      traced,
      open: Loops.open,
      path: ""
    }, plan.entry)
    state.ready.push(plan.entry)
    const answer = () => Answer.make(state.leaves, state.deadEnds)
    const rest = begin(state)
    return rest === undefined ? answer() : Effect.map(rest, answer)
  })
