/** The state of one run: arrays of settled connections and counters, never hidden in the stack of a fiber. */
import { type Deferred, Effect, Either, type Exit, type Scope } from "effect"
import * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import type * as Answer from "./Answer.ts"
import * as Graph from "./Graph.ts"
import { type Flow, type Node, Nothing, Open, type Region, type Slot, Value } from "./Program.ts"
import type * as Regions from "./Regions.ts"
import { execute, type Settled, Step, type StepContext, type StepRunner } from "./Step.ts"

export interface RunOptions extends StepContext {
  readonly around?: StepRunner | undefined
  /** How often cycles may go round in one run. */
  readonly maxRounds: number
}

/** What a run shares with the bodies of its loops. */
export interface StateOptions extends RunOptions {
  readonly agentId: string
  readonly traced: boolean
  /** Runs the body of a loop or a job. */
  readonly open: (
    around: RunState,
    node: Node,
    region: Region,
    step: Step,
    inputs: Readonly<Record<string, unknown>>
  ) => Settled
  /** In front of step keys: `L[3]/` within item 3 of the loop `L`. */
  readonly path: string
}

export class RunState {
  readonly program: Regions.Shape
  readonly plan: Flow
  readonly options: StateOptions
  /** The node that runs on the request; in a body there is none. */
  readonly entry: number
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
  /** Values on connections that leave this body. */
  exported: Map<symbol, unknown> | undefined = undefined
  /** A worker that was interrupted or died: the run cannot go on. */
  broken: Exit.Failure<void, never> | undefined = undefined
  #taken = 0
  /** Nodes of the present round, when it is not the first. */
  #part: ReadonlySet<number> | undefined = undefined

  constructor(program: Regions.Shape, plan: Flow, options: StateOptions, entry = -1) {
    this.program = program
    this.plan = plan
    this.options = options
    this.entry = entry
    this.edges = plan.edges.slice()
    this.pending = plan.pending.slice()
    this.values = new Array(plan.edges.length)
  }

  /** Sets a connection that comes into this body; `undefined` leaves it without a value. */
  feed(edge: number, value: unknown): void {
    if (value === undefined) return
    this.edges[edge] = Value
    this.values[edge] = value
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
    const isEntry = index === this.entry && this.round === 0
    const inputs: Record<string, unknown> = {}
    const refusal = this.#assemble(node, inputs, isEntry)
    const step = new Step(node, this.options.path, this.round, inputs, this.options)
    if (typeof refusal === "string") {
      this.options.emit?.({ _tag: "StepSkipped", ...step.place(), reason: refusal })
      this.#settle(node, undefined, false)
      return undefined
    }
    this.options.emit?.({ _tag: "StepStarted", ...step.place() })
    if (refusal !== undefined) {
      this.#finish(node, step, refusal)
      return undefined
    }
    const result = node.region === undefined
      ? execute(node, step, inputs, this.options.around, this.options.traced)
      : this.options.open(this, node, node.region, step, inputs)
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
      if (slot.name === "__proto__") {
        Object.defineProperty(inputs, slot.name, { value: coerced.right, enumerable: true })
      } else inputs[slot.name] = coerced.right
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
    if (this.options.emit !== undefined) {
      this.options.emit(
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
    for (const { key, onError, read } of node.exports) {
      const value = outputs === undefined || onError !== failed ? undefined : read(outputs)
      if (value === undefined) continue
      fired++
      ;(this.exported ??= new Map()).set(key, value)
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
      for (const { from } of this.program.nodes[member]!.region?.captures ?? []) {
        if (this.plan.edges[from] === Open && part.has(this.program.edges[from]!.source)) {
          this.edges[from] = Open
          pending++
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
