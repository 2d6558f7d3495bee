/**
 * One run of an agent. A finished component settles each outgoing connection with a value or with nothing; a component
 * whose connections are all settled is run or skipped at once. The state is arrays, never hidden in a fiber's stack; one
 * ready component is run inline, fibers are forked only where the graph really forks.
 */
import { Deferred, Effect, Either, Exit, FiberId, Schema, Scope } from "effect"
import * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import { isTraced } from "../kernel/Trace.ts"
import * as Answer from "./Answer.ts"
import * as Graph from "./Graph.ts"
import { type AgentProgram, type Node, Nothing, Open, type Plan, type Slot, Value } from "./Program.ts"
import { execute, Step, type StepContext, type StepRunner } from "./Step.ts"

/** A cycle went round more often than allowed: it does not end, or the bound is too low for it. */
export class RoundsExceeded extends Schema.TaggedError<RoundsExceeded>()("RoundsExceeded", {
  agent: Schema.String,
  components: Schema.Array(Schema.String),
  maxRounds: Schema.Int
}) {
  override get message(): string {
    return `Agent ${this.agent}: the cycle through ${this.components.join(", ")} went round ${this.maxRounds} times ` +
      `without ending. Let it end, or raise maxRounds`
  }
}

export interface RunOptions extends StepContext {
  readonly around?: StepRunner | undefined
  /** How often cycles may go round in one run. */
  readonly maxRounds: number
}

export interface RunResult {
  readonly answer: unknown
  /** Every part of the answer is an unhandled failure. */
  readonly failed: boolean
}

export const run = (
  program: AgentProgram,
  plan: Plan,
  options: RunOptions
): Effect.Effect<RunResult, RoundsExceeded, Services> =>
  Effect.flatMap(isTraced, (traced) => {
    const state = new RunState(program, plan, options, traced)
    state.ready.push(plan.entry)
    return Effect.onExit(
      Effect.map(rounds(state), () => Answer.make(state.leaves, state.deadEnds)),
      (exit) => state.scope === undefined ? Effect.void : Scope.close(state.scope, exit)
    )
  })

const rounds = (state: RunState): Effect.Effect<void, RoundsExceeded, Services> =>
  Effect.flatMap(
    untilIdle(state),
    () => state.delivered.length === 0 ? Effect.void : Effect.zipRight(nextRound(state), rounds(state))
  )

/** Works until nothing is ready and nobody is working. */
const untilIdle = (state: RunState): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    state.working = 1
    return Effect.flatMap(worker(state), () => {
      if (state.broken !== undefined) return state.broken
      if (--state.working === 0) return Effect.void
      state.idle = Deferred.unsafeMake(FiberId.none)
      return Deferred.await(state.idle)
    })
  })

/** How many components run inline before other fibers get their turn. */
const inlineSteps = 512

const worker = (state: RunState): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    for (let steps = 0; steps < inlineSteps; steps++) {
      const index = state.next()
      if (index === undefined) return Effect.void
      const waiting = state.begin(index)
      if (waiting === undefined) continue
      // The last ready component stays on this fiber; it is forked only when another one is ready beside it.
      return state.hasReady
        ? Effect.zipRight(fork(state, Effect.flatMap(waiting, () => worker(state))), worker(state))
        : Effect.flatMap(waiting, () => worker(state))
    }
    return Effect.zipRight(Effect.yieldNow(), worker(state))
  })

const fork = (state: RunState, work: Effect.Effect<void, never, Services>) =>
  Effect.suspend(() => {
    state.working++
    const scope = state.scope
    return scope === undefined
      ? Effect.flatMap(Scope.make(), (made) => {
        state.scope = made
        return Effect.forkIn(counted(state, work), made)
      })
      : Effect.forkIn(counted(state, work), scope)
  })

const counted = (state: RunState, work: Effect.Effect<void, never, Services>) =>
  Effect.onExit(work, (exit) =>
    Effect.sync(() => {
      state.working--
      if (Exit.isFailure(exit)) state.broken ??= exit
      if (state.idle === undefined) return
      if (state.broken !== undefined) Deferred.unsafeDone(state.idle, state.broken)
      else if (state.working === 0) Deferred.unsafeDone(state.idle, Exit.void)
    }))

/** What back edges brought starts another round of the part behind them, once all else has come to rest. */
const nextRound = (state: RunState): Effect.Effect<void, RoundsExceeded> =>
  Effect.suspend(() => {
    const heads = new Set(state.delivered.map(({ edge }) => state.program.edges[edge]!.target))
    const ids = Array.from(heads, (head) => state.program.nodes[head]!.info.id)
    if (state.round + 1 >= state.maxRounds) {
      return Effect.fail(
        new RoundsExceeded({ agent: state.program.agent.id, components: ids, maxRounds: state.maxRounds })
      )
    }
    state.startRound(heads)
    state.context.emit?.({ _tag: "RoundStarted", round: state.round, heads: ids })
    return Effect.void
  })

class RunState {
  readonly program: AgentProgram
  readonly plan: Plan
  readonly context: StepContext
  readonly around: StepRunner | undefined
  readonly traced: boolean
  readonly maxRounds: number
  /** Per edge: open, nothing, or a value. */
  readonly edges: Uint8Array
  readonly values: Array<unknown>
  /** Per node: open edges it still waits for. */
  readonly pending: Int32Array
  readonly ready: Array<number> = []
  readonly leaves: Array<Answer.Leaf> = []
  /** Nodes with connections of which none fired. */
  readonly deadEnds: Array<Answer.Leaf> = []
  /** Values on edges that close a cycle, waiting for the next round. */
  delivered: Array<{ readonly edge: number; readonly value: unknown }> = []
  round = 0
  working = 0
  idle: Deferred.Deferred<void> | undefined = undefined
  scope: Scope.CloseableScope | undefined = undefined
  /** A worker that was interrupted or died: the run cannot go on. */
  broken: Exit.Failure<void, never> | undefined = undefined
  #taken = 0
  /** Nodes of the present round, when it is not the first. */
  #part: ReadonlySet<number> | undefined = undefined

  constructor(program: AgentProgram, plan: Plan, options: RunOptions, traced: boolean) {
    this.program = program
    this.plan = plan
    this.context = options
    this.around = options.around
    this.traced = traced
    this.maxRounds = options.maxRounds
    this.edges = plan.edges.slice()
    this.pending = plan.pending.slice()
    this.values = new Array(plan.edges.length)
  }

  get hasReady(): boolean {
    return this.#taken < this.ready.length
  }

  next(): number | undefined {
    if (this.#taken < this.ready.length) return this.ready[this.#taken++]
    this.ready.length = 0
    this.#taken = 0
    return undefined
  }

  /** Runs or skips a component whose edges are settled; gives an effect only when it must be waited for. */
  begin(index: number): Effect.Effect<void, never, Services> | undefined {
    const node = this.program.nodes[index]!
    const isEntry = index === this.plan.entry && this.round === 0
    const inputs: Record<string, unknown> = {}
    const refusal = this.#assemble(node, inputs, isEntry)
    const step = new Step(node, this.round, inputs, this.context)
    if (typeof refusal === "string") {
      this.context.emit?.({ _tag: "StepSkipped", ...step.place(), reason: refusal })
      this.#settle(node, undefined, false)
      return undefined
    }
    this.context.emit?.({ _tag: "StepStarted", ...step.place() })
    if (refusal !== undefined) {
      this.#finish(node, step, refusal)
      return undefined
    }
    const result = execute(node, step, inputs, this.around, this.traced)
    if (result instanceof Component.ComponentFailed || !Effect.isEffect(result)) {
      this.#finish(node, step, result)
      return undefined
    }
    return Effect.map(result, (outcome) => this.#finish(node, step, outcome))
  }

  /** Fills `inputs`; a text says why the component is skipped, a failure that an input does not fit. */
  #assemble(
    node: Node,
    inputs: Record<string, unknown>,
    isEntry: boolean
  ): string | Component.ComponentFailed | undefined {
    let arrived = isEntry
    for (const slot of node.slots) {
      const values = this.#arrived(slot)
      if (values === undefined) {
        if (slot.fallback === undefined) {
          if (slot.required && !isEntry) return `the required input "${slot.name}" got no value`
          continue
        }
      } else if (!arrived) arrived = this.#fresh(slot)
      const value = values === undefined ? slot.fallback : values.length === 1 ? values[0] : values
      const coerced = slot.coerce(value)
      if (Either.isLeft(coerced)) {
        return new Component.ComponentFailed({ message: `Invalid value for the input "${slot.name}": ${coerced.left}` })
      }
      inputs[slot.name] = coerced.right
    }
    return arrived ? undefined : "no value arrived at any input"
  }

  /** The values of an input in document order. What a cycle brought replaces what the input held before. */
  #arrived(slot: Slot): Array<unknown> | undefined {
    let values: Array<unknown> | undefined = undefined
    if (this.round > 0) {
      for (const edge of slot.edges) {
        if (this.plan.back[edge] === 1 && this.edges[edge] === Value) (values ??= []).push(this.values[edge])
      }
      if (values !== undefined) return values
    }
    for (const edge of slot.edges) {
      if (this.edges[edge] === Value) (values ??= []).push(this.values[edge])
    }
    return values
  }

  /** Whether a value of this input is new in this round. */
  #fresh(slot: Slot): boolean {
    const part = this.#part
    return part === undefined ||
      slot.edges.some((edge) =>
        this.edges[edge] === Value && (this.plan.back[edge] === 1 || part.has(this.program.edges[edge]!.source))
      )
  }

  #finish(node: Node, step: Step, outcome: Component.Outputs | Component.ComponentFailed): void {
    const failed = outcome instanceof Component.ComponentFailed
    const outputs: Component.Outputs = failed ? { ...outcome.outputs, _error: outcome.message } : outcome
    if (this.context.emit !== undefined) {
      this.context.emit(
        failed
          ? { _tag: "StepFailed", ...step.place(), error: outcome.message }
          : { _tag: "StepEnded", ...step.place(), outputs: Object.keys(outputs) }
      )
    }
    const fired = this.#settle(node, outputs, failed)
    if (fired > 0 || (failed && node.handlesError)) return
    const leaf: Answer.Leaf = { node, round: this.round, outputs, failed }
    if (failed || node.out.length === 0) this.leaves.push(leaf)
    else this.deadEnds.push(leaf)
  }

  /** Settles all edges that leave a node; `outputs` is absent when it was skipped. Says how many carry a value. */
  #settle(node: Node, outputs: Component.Outputs | undefined, failed: boolean): number {
    let fired = 0
    for (const index of node.out) {
      const edge = this.program.edges[index]!
      const value = outputs === undefined || edge.onError !== failed ? undefined : edge.read(outputs)
      if (value !== undefined) fired++
      if (this.plan.back[index] === 1) {
        if (value !== undefined) this.delivered.push({ edge: index, value })
        continue
      }
      this.values[index] = value
      this.edges[index] = value === undefined ? Nothing : Value
      if (--this.pending[edge.target]! === 0) this.ready.push(edge.target)
    }
    return fired
  }

  startRound(heads: ReadonlySet<number>): void {
    const part = Graph.part(this.program, this.plan, heads)
    for (const member of part) {
      let pending = 0
      for (const slot of this.program.nodes[member]!.slots) {
        for (const edge of slot.edges) {
          if (this.plan.back[edge] === 1) this.edges[edge] = Nothing
          else if (this.plan.edges[edge] === Open && part.has(this.program.edges[edge]!.source)) {
            this.edges[edge] = Open
            pending++
          }
        }
      }
      this.pending[member] = pending
    }
    for (const { edge, value } of this.delivered) {
      this.edges[edge] = Value
      this.values[edge] = value
    }
    this.delivered = []
    this.idle = undefined
    this.round++
    this.#part = part
    for (const head of Array.from(heads).sort((a, b) => a - b)) {
      if (this.pending[head] === 0) this.ready.push(head)
    }
  }
}
