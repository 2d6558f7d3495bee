/** Running the bodies of loops and jobs: each is a graph of its own, with a state of its own. */
import { Effect } from "effect"
import * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import * as Answer from "./Answer.ts"
import { LoopState } from "./LoopState.ts"
import { type Node, type Region, Value } from "./Program.ts"
import { type RunOptions, RunState } from "./RunState.ts"
import { begin } from "./Schedule.ts"
import { Held, type Opened, type Step } from "./Step.ts"

export const open = (
  around: RunState,
  node: Node,
  region: Region,
  step: Step,
  inputs: Readonly<Record<string, unknown>>,
  held: LoopState | undefined
): Opened =>
  node.component.region!.kind === "loop"
    ? new Loop(around, node, region, step, inputs, held ?? new LoopState()).run()
    : Effect.map(around.options.jobs.start(around, node, region, step, inputs), (JobID) => ({ JobID }))

/** A body about to run: what comes into it from outside is the same for every item. A job has options of its own. */
export const bodyOf = (
  around: RunState,
  region: Region,
  fed: Component.Outputs,
  path: string,
  own?: RunOptions
): RunState => {
  const state = emptyBodyOf(around, region, path, own)
  for (const { edge, read } of region.feeds) state.feed(edge, read(fed))
  for (const { from, into } of region.captures) {
    if (around.edges[from] === Value) state.feed(into, around.values[from])
  }
  for (const member of region.flow.members) if (state.pending[member] === 0) state.ready.push(member)
  return state
}

/** A body into which nothing has come. */
export const emptyBodyOf = ({ options }: RunState, region: Region, path: string, own?: RunOptions): RunState =>
  new RunState(region, region.flow, { ...options, ...own, path })

/** Items that end without waiting for anything before other fibers get their turn. */
const inlineItems = 256
/** At most so many events tell how far a loop is. */
const progressEvents = 100

type Work = Effect.Effect<void, Component.ComponentFailed, Services>

class Loop {
  readonly #around: RunState
  readonly #region: Region
  readonly #step: Step
  readonly #state: LoopState
  readonly #opens: Component.Loop<never>
  readonly #config: never
  readonly #items: ReadonlyArray<unknown>
  /** Items that were under way when the loop was held. */
  readonly #held: Array<number>
  readonly #stops: boolean
  #failure: Component.ComponentFailed | undefined = undefined

  constructor(
    around: RunState,
    node: Node,
    region: Region,
    step: Step,
    inputs: Readonly<Record<string, unknown>>,
    state: LoopState
  ) {
    this.#around = around
    this.#region = region
    this.#step = step
    this.#state = state
    this.#opens = node.component.region as Component.Loop<never>
    this.#config = node.config as never
    this.#items = this.#opens.items({ config: this.#config, inputs })
    this.#stops = this.#opens.stops(this.#config)
    this.#held = Array.from(state.active.keys())
  }

  run(): Opened {
    const workers = Math.min(this.#opens.concurrency(this.#config), this.#items.length - this.#state.ended)
    if (workers > 1) {
      return this.#awaited(Effect.forEach(
        Array.from({ length: workers }),
        () => Effect.suspend(() => this.#work() ?? Effect.void),
        { concurrency: "unbounded", discard: true }
      ))
    }
    const waiting = this.#work()
    return waiting === undefined ? this.#outcome() : this.#awaited(waiting)
  }

  #awaited(work: Work): Exclude<Opened, Component.Outputs> {
    return Effect.flatMap(work, () => {
      const outcome = this.#outcome()
      return outcome instanceof Component.ComponentFailed || outcome instanceof Held
        ? Effect.fail(outcome)
        : Effect.succeed(outcome)
    })
  }

  /** Takes item after item, until there is none, one has to be waited for, or the loop is held. */
  #work(): Work | undefined {
    for (let taken = 0; taken < inlineItems; taken++) {
      if (this.#failure !== undefined) return undefined
      const at = this.#held.pop() ?? (this.#state.next < this.#items.length ? this.#state.next++ : undefined)
      if (at === undefined) return undefined
      const body = this.#bodyAt(at)
      const waiting = begin(body)
      if (waiting !== undefined) {
        // A cycle that does not end is the failure of its item.
        const ended = Effect.catchAll(
          waiting,
          ({ components: [head = ""], message }) => Effect.sync(() => body.giveUp(head, message))
        )
        return Effect.flatMap(ended, () => this.#after(at, body) ?? Effect.void)
      }
      if (!this.#ended(at, body)) return this.#failing()
    }
    return Effect.flatMap(Effect.yieldNow(), () => this.#work() ?? Effect.void)
  }

  #after(at: number, body: RunState): Work | undefined {
    return this.#ended(at, body) ? this.#work() : this.#failing()
  }

  /** A failing item interrupts those beside it. */
  #failing(): Work | undefined {
    return this.#failure === undefined ? undefined : Effect.fail(this.#failure)
  }

  #bodyAt(at: number): RunState {
    const { active } = this.#state
    let body = active.get(at)
    if (body === undefined) {
      body = bodyOf(this.#around, this.#region, this.#opens.feed(this.#items[at]), `${this.#step.key}[${at}]/`)
      active.set(at, body)
    }
    return body
  }

  /** Collects what the body of an item came to; no when it is held, or ends the loop. */
  #ended(at: number, body: RunState): boolean {
    if (body.isHeld) return false
    const state = this.#state
    state.active.delete(at)
    state.collected[at] = Answer.records(body.leaves, body.deadEnds)
    if (body.exported !== undefined) state.exported[at] = body.exported
    state.ended++
    this.#tellProgress()
    const failure = this.#stops ? Answer.leavesOf(body.leaves, body.deadEnds).find(({ failed }) => failed) : undefined
    if (failure === undefined) return true
    this.#failure = new Component.ComponentFailed({ message: `item ${at}: ${String(failure.outputs["_error"])}` })
    return false
  }

  #tellProgress(): void {
    const { emit } = this.#around.options
    if (emit === undefined) return
    const { length } = this.#items
    const { ended } = this.#state
    if (ended === length || ended % Math.ceil(length / progressEvents) === 0) {
      emit({ _tag: "LoopProgressed", ...this.#step.place(), ended, items: length })
    }
  }

  #outcome(): Component.Outputs | Component.ComponentFailed | Held {
    if (this.#failure !== undefined) return this.#failure
    const { collected, ended, exported } = this.#state
    if (ended < this.#items.length) return new Held({ loop: this.#state })
    const left = new Map<symbol, Array<unknown>>(this.#region.exports.map((key) => [key, []]))
    for (const values of exported) for (const [key, value] of values ?? []) left.get(key)?.push(value)
    return Object.assign(Object.fromEntries(left), this.#opens.result(this.#config, collected))
  }
}
