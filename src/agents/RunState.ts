/** The state of one run: arrays of settled connections and counters, never hidden in the stack of a fiber. */
import { type Deferred, Effect, Either, type Exit, type Scope } from "effect"
import * as Component from "../components/Component.ts"
import type { Services } from "../components/Services.ts"
import * as Json from "../kernel/Json.ts"
import type * as Answer from "./Answer.ts"
import * as Graph from "./Graph.ts"
import type { LoopState } from "./LoopState.ts"
import { type Flow, type Node, Nothing, Open, type Region, type Slot, Value } from "./Program.ts"
import type * as Regions from "./Regions.ts"
import type { RunControl } from "./RunControl.ts"
import { execute, Held, keyOf, type Opened, Step, type StepContext, type StepRunner } from "./Step.ts"

export interface RunOptions extends StepContext {
  readonly around?: StepRunner | undefined
  /** How often cycles may go round in one run. */
  readonly maxRounds: number
  readonly control: RunControl
}

/** What a run shares with the bodies of its loops. */
export interface StateOptions extends RunOptions {
  readonly agentId: string
  readonly traced: boolean
  /** Runs the body of a loop or a job; `held` is the loop to go on with. */
  readonly open: (
    around: RunState,
    node: Node,
    region: Region,
    step: Step,
    inputs: Readonly<Record<string, unknown>>,
    held: LoopState | undefined
  ) => Opened
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
  /** Loops that were held under way, by their node. */
  suspended: ReadonlyMap<number, Suspended> = noneSuspended
  /** Values on connections that leave this body. */
  exported: Map<symbol, unknown> | undefined = undefined
  /** The run is stopped, or a worker was interrupted or died: it cannot go on. */
  broken: Exit.Exit<never> | undefined = undefined
  /** Where the present round began, when it is not the first. */
  heads: ReadonlySet<number> | undefined = undefined
  /** What runs again in the present round. */
  #part: ReadonlySet<number> | undefined = undefined
  #taken = 0
  /** What the entry gets, when it is not an endpoint's request. */
  readonly #given: Readonly<Record<string, unknown>> | undefined

  constructor(
    program: Regions.Shape,
    plan: Flow,
    options: StateOptions,
    entry = -1,
    given: Readonly<Record<string, unknown>> | undefined = undefined
  ) {
    this.#given = given
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

  /** Of a graph at rest: whether it was held on its way, or came to its end. */
  get isHeld(): boolean {
    return this.hasReady || this.suspended.size > 0
  }

  /** What begins when a graph at rest goes on. */
  get waiting(): ReadonlyArray<number> {
    return [...this.suspended.keys(), ...this.ready.slice(this.#taken)]
  }

  /** The next component that may begin. */
  next(): number | undefined {
    const { control } = this.options
    if (this.#taken < this.ready.length) {
      const index = this.ready[this.#taken]!
      if (control.holding && !this.suspended.has(index) && !control.mayBegin(this.keyOf(index), this.#info(index).id)) {
        return undefined
      }
      this.#taken++
      return index
    }
    this.ready.length = 0
    this.#taken = 0
    return undefined
  }

  keyOf(index: number): string {
    return keyOf(this.options.path, this.#info(index).id, this.round)
  }

  /** Goes on with the loops that were held. */
  resume(): void {
    if (this.suspended.size > 0) {
      this.ready.splice(0, this.#taken, ...this.suspended.keys())
      this.#taken = 0
    }
  }

  #info(index: number): Component.ComponentInfo {
    return this.program.nodes[index]!.info
  }

  /** Runs or skips a component whose edges are settled; gives an effect only when it must be waited for. */
  begin(index: number): Effect.Effect<void, never, Services> | undefined {
    const node = this.program.nodes[index]!
    const suspended = this.suspended.get(index)
    if (suspended !== undefined) {
      this.suspended = new Map(Array.from(this.suspended).filter(([node]) => node !== index))
      const step = new Step(node, this.options.path, this.round, suspended.inputs, this.options)
      return this.#run(node, step, suspended.inputs, suspended.loop)
    }
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
      this.#finish(node, step, inputs, refusal)
      return undefined
    }
    return this.#run(node, step, inputs, undefined)
  }

  #run(
    node: Node,
    step: Step,
    inputs: Readonly<Record<string, unknown>>,
    held: LoopState | undefined
  ): Effect.Effect<void, never, Services> | undefined {
    const result = execute(this, node, step, inputs, held)
    if (result instanceof Component.ComponentFailed || result instanceof Held || !Effect.isEffect(result)) {
      this.#finish(node, step, inputs, result)
      return undefined
    }
    return Effect.map(result, (outcome) => this.#finish(node, step, inputs, outcome))
  }

  /** Fills `inputs`; a text says why the component is skipped, a failure that an input does not fit. */
  #assemble(
    node: Node,
    inputs: Record<string, unknown>,
    isEntry: boolean
  ): string | Component.ComponentFailed | undefined {
    if (isEntry && this.#given !== undefined) {
      Object.assign(inputs, this.#given)
      return undefined
    }
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

  #finish(
    node: Node,
    step: Step,
    inputs: Readonly<Record<string, unknown>>,
    outcome: Component.Outputs | Component.ComponentFailed | Held
  ): void {
    if (outcome instanceof Held) {
      this.suspended = new Map(this.suspended).set(node.index, { inputs, loop: outcome.loop })
      return
    }
    const failed = outcome instanceof Component.ComponentFailed
    const outputs: Component.Outputs = failed ? { ...outcome.outputs, _error: outcome.message } : outcome
    if (this.options.emit !== undefined) {
      this.options.emit(
        failed
          ? { _tag: "StepFailed", ...step.place(), error: outcome.message }
          : { _tag: "StepEnded", ...step.place(), outputs: sizesOf(outputs) }
      )
    }
    const fired = this.#settle(node, outputs, failed)
    if (fired > 0 || (failed && node.handlesError)) return
    const leaf: Answer.Leaf = failed
      ? { node, round: this.round, outputs, failed, error: outcome }
      : { node, round: this.round, outputs, failed }
    if (failed || (node.out.length === 0 && node.exports.length === 0)) this.leaves.push(leaf)
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
    const part = this.enterRound(heads)
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
    this.round++
    for (const head of Array.from(heads).sort((a, b) => a - b)) {
      if (this.pending[head] === 0) this.ready.push(head)
    }
  }

  /** No round follows; that counts as a failure of this component. */
  giveUp(componentId: string, _error: string): void {
    const node = this.program.nodes.find(({ info }) => info.id === componentId)!
    this.delivered = []
    this.leaves.push({ node, round: this.round, outputs: { _error }, failed: true })
  }

  /** The present round is that of these heads; gives what runs again in it. */
  enterRound(heads: ReadonlySet<number>): ReadonlySet<number> {
    this.heads = heads
    return this.#part = Graph.part(this.program, this.plan, heads)
  }
}

/** A loop that was held under way. */
export interface Suspended {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly loop: LoopState
}

const noneSuspended: ReadonlyMap<number, Suspended> = new Map()

const sizesOf = (outputs: Component.Outputs) =>
  Object.entries(outputs).flatMap(([name, value]) => value === undefined ? [] : [{ name, bytes: Json.sizeOf(value) }])
