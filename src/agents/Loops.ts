/** Running the bodies of loops and jobs: each is a graph of its own, with a state of its own. */
import { Effect } from "effect"
import * as Component from "../components/Component.ts"
import * as Answer from "./Answer.ts"
import { type Node, type Region, Value } from "./Program.ts"
import { RunState } from "./RunState.ts"
import { complete } from "./Schedule.ts"
import type { Settled, Step } from "./Step.ts"

export const open = (
  around: RunState,
  node: Node,
  region: Region,
  step: Step,
  inputs: Readonly<Record<string, unknown>>
): Settled => {
  const opens = node.component.region!
  return opens.kind === "loop"
    ? loop(around, node, region, opens, step, inputs)
    : Effect.matchEffect(
      around.options.jobs.start(step.component.id, job(around, region, `${step.key}/`, inputs)),
      { onSuccess: (JobID) => Effect.succeed({ JobID }), onFailure: Effect.succeed }
    )
}

/** A body about to run: what comes into it from outside is the same for every item. */
const bodyOf = (around: RunState, region: Region, fed: Component.Outputs, path: string): RunState => {
  const state = new RunState(region, region.flow, { ...around.options, path })
  for (const { edge, read } of region.feeds) state.feed(edge, read(fed))
  for (const { from, into } of region.captures) {
    if (around.edges[from] === Value) state.feed(into, around.values[from])
  }
  for (const member of region.flow.members) if (state.pending[member] === 0) state.ready.push(member)
  return state
}

const loop = (
  around: RunState,
  node: Node,
  region: Region,
  opens: Component.Loop<never>,
  step: Step,
  inputs: Readonly<Record<string, unknown>>
): Settled => {
  const config = node.config as never
  const items = opens.items({ config, inputs })
  const collected = new Array<ReadonlyArray<unknown>>(items.length)
  const left = new Map<symbol, Array<unknown>>(region.exports.map((key) => [key, []]))
  const exported = new Array<Map<symbol, unknown> | undefined>(items.length)
  const stops = opens.stops(config)

  const each = (fed: Component.Outputs, at: number) =>
    Effect.suspend(() => {
      const state = bodyOf(around, region, fed, `${step.key}[${at}]/`)
      return Effect.flatMap(complete(state), () => {
        collected[at] = Answer.records(state.leaves, state.deadEnds)
        exported[at] = state.exported
        const failure = stops ? state.leaves.find(({ failed }) => failed) : undefined
        return failure === undefined
          ? Effect.void
          : Effect.fail({ message: `item ${at}: ${String(failure.outputs["_error"])}` })
      })
    })

  return Effect.forEach(items, each, { concurrency: opens.concurrency(config), discard: true }).pipe(
    Effect.match({
      onFailure: ({ message }) => new Component.ComponentFailed({ message }),
      onSuccess: (): Component.Outputs => {
        for (const values of exported) {
          for (const [key, value] of values ?? []) left.get(key)?.push(value)
        }
        return Object.assign(Object.fromEntries(left), opens.result(config, collected))
      }
    })
  )
}

const job = (around: RunState, region: Region, path: string, inputs: Readonly<Record<string, unknown>>) => {
  const state = bodyOf(around, region, inputs, path)
  return Effect.map(complete(state), () => Answer.make(state.leaves, state.deadEnds))
}
