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
import { complete, type RoundsExceeded } from "./Schedule.ts"

export type { RunOptions } from "./RunState.ts"
export { RoundsExceeded } from "./Schedule.ts"

export const run = (
  program: AgentProgram,
  plan: Plan,
  options: RunOptions
): Effect.Effect<Answer.RunResult, RoundsExceeded, Services> =>
  Effect.flatMap(isTraced, (traced) => {
    const state = new RunState(program, plan, {
      ...options,
      agentId: program.agent.id,
      traced,
      open: Loops.open,
      path: ""
    }, plan.entry)
    state.ready.push(plan.entry)
    return Effect.map(complete(state), () => Answer.make(state.leaves, state.deadEnds))
  })
