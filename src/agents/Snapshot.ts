/** The state of a run that is held, as data: what is settled, what waits, how far its loops are. Made of JSON values only. */
import { Option, Schema } from "effect"
import type { Leaf } from "./Answer.ts"
import { emptyBodyOf } from "./Loops.ts"
import { LoopState } from "./LoopState.ts"
import { Nothing, Open, type Region, Value } from "./Program.ts"
import type { RunState } from "./RunState.ts"
import { keyOf } from "./Step.ts"

/** Positions are those of the compiled document: a snapshot fits the document it was made of, and no other. */
export interface Snapshot {
  readonly round: number
  /** Connections with a value, and those that were settled with none. */
  readonly values: ReadonlyArray<readonly [edge: number, value: unknown]>
  readonly nothing: ReadonlyArray<number>
  readonly ready: ReadonlyArray<number>
  readonly leaves: ReadonlyArray<SavedLeaf>
  readonly deadEnds: ReadonlyArray<SavedLeaf>
  /** Values waiting for the next round, and where the present one began. */
  readonly delivered: ReadonlyArray<readonly [edge: number, value: unknown]>
  readonly heads: ReadonlyArray<number> | undefined
  /** Values that left this body, by the position of their export. */
  readonly exported: ReadonlyArray<readonly [position: number, value: unknown]>
  readonly loops: ReadonlyArray<SavedLoop>
}

export interface SavedLeaf {
  readonly node: number
  readonly round: number
  readonly outputs: Readonly<Record<string, unknown>>
  readonly failed: boolean
}

export interface SavedLoop {
  readonly node: number
  readonly inputs: Readonly<Record<string, unknown>>
  readonly next: number
  readonly collected: ReadonlyArray<readonly [item: number, records: ReadonlyArray<unknown>]>
  readonly exported: ReadonlyArray<readonly [item: number, values: Snapshot["exported"]]>
  readonly active: ReadonlyArray<readonly [item: number, body: Snapshot]>
}

/** Left out when it is empty, as most are. */
const list = <A, I>(item: Schema.Schema<A, I>) => {
  const items = Schema.Array(item)
  return Schema.optionalToRequired(items, Schema.typeSchema(items), {
    decode: Option.getOrElse(() => empty),
    encode: Option.liftPredicate((values) => values.length > 0)
  })
}

const Numbered = Schema.Tuple(Schema.Int, Schema.Unknown)
const Values = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Leaf = Schema.Struct({ node: Schema.Int, round: Schema.Int, outputs: Values, failed: Schema.Boolean })

const fields = {
  round: Schema.Int,
  values: list(Numbered),
  nothing: list(Schema.Int),
  ready: list(Schema.Int),
  leaves: list(Leaf),
  deadEnds: list(Leaf),
  delivered: list(Numbered),
  heads: Schema.UndefinedOr(Schema.Array(Schema.Int)),
  exported: list(Numbered)
}
const loopFields = {
  node: Schema.Int,
  inputs: Values,
  next: Schema.Int,
  collected: list(Schema.Tuple(Schema.Int, Schema.Array(Schema.Unknown))),
  exported: list(Schema.Tuple(Schema.Int, Schema.Array(Numbered)))
}

export interface EncodedLoop extends Schema.Struct.Encoded<typeof loopFields> {
  readonly active?: ReadonlyArray<readonly [item: number, body: Encoded]>
}
export interface Encoded extends Schema.Struct.Encoded<typeof fields> {
  readonly loops?: ReadonlyArray<EncodedLoop>
}

export const Snapshot: Schema.Schema<Snapshot, Encoded> = Schema.Struct({
  ...fields,
  loops: list(Schema.Struct({
    ...loopFields,
    active: list(Schema.Tuple(Schema.Int, Schema.suspend(() => Snapshot)))
  }))
})

/** Of a run at rest. */
export const take = (state: RunState): Snapshot => {
  const values: Array<readonly [number, unknown]> = []
  const nothing: Array<number> = []
  state.edges.forEach((settled, edge) => {
    if (settled === Value) values.push([edge, state.values[edge]])
    else if (settled === Nothing && state.plan.edges[edge] !== Nothing) nothing.push(edge)
  })
  return {
    round: state.round,
    values: compact(values),
    nothing: compact(nothing),
    ready: compact(state.waiting.filter((node) => !state.suspended.has(node))),
    leaves: compact(state.leaves.map(saveLeaf)),
    deadEnds: compact(state.deadEnds.map(saveLeaf)),
    delivered: compact(state.delivered.map(({ edge, value }) => [edge, value])),
    heads: state.heads === undefined ? undefined : Array.from(state.heads),
    exported: compact(saveExports(keysOf(state), state.exported)),
    loops: compact(Array.from(state.suspended, ([node, { inputs, loop }]) => {
      const keys = state.program.nodes[node]!.region!.exports
      return {
        node,
        inputs,
        next: loop.next,
        collected: sparse(loop.collected),
        exported: sparse(loop.exported).map(([item, values]) => [item, saveExports(keys, values)]),
        active: Array.from(loop.active, ([item, body]) => [item, take(body)])
      }
    }))
  }
}

/** Many runs may be held for long: nothing is shared, and the rest takes the room of its elements. */
export const compact = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> => values.length === 0 ? empty : values.slice()
const empty: ReadonlyArray<never> = []

/** Fills an empty state; the run it was taken of goes on where it was held. */
export const restore = (state: RunState, saved: Snapshot): void => {
  for (const [edge, value] of saved.values) {
    state.edges[edge] = Value
    state.values[edge] = value
  }
  for (const edge of saved.nothing) state.edges[edge] = Nothing
  state.pending.fill(0)
  state.program.edges.forEach(({ target }, edge) => {
    if (state.edges[edge] === Open && state.plan.back[edge] === 0) state.pending[target]!++
  })
  state.round = saved.round
  state.ready.push(...saved.ready)
  const leafOf = ({ node, ...leaf }: SavedLeaf): Leaf => ({ node: state.program.nodes[node]!, ...leaf })
  state.leaves.push(...saved.leaves.map(leafOf))
  state.deadEnds.push(...saved.deadEnds.map(leafOf))
  state.delivered = saved.delivered.map(([edge, value]) => ({ edge, value }))
  if (saved.heads !== undefined) state.enterRound(new Set(saved.heads))
  state.exported = restoreExports(keysOf(state), saved.exported)
  state.suspended = new Map(saved.loops.map(({ active, collected, exported, inputs, next, node }) => {
    const { info, region } = state.program.nodes[node]!
    const key = keyOf(state.options.path, info.id, state.round)
    const loop = new LoopState()
    loop.next = next
    loop.ended = collected.length
    for (const [item, records] of collected) loop.collected[item] = records
    for (const [item, values] of exported) loop.exported[item] = restoreExports(region!.exports, values)
    for (const [item, body] of active) {
      const one = emptyBodyOf(state, region!, `${key}[${item}]/`)
      restore(one, body)
      loop.active.set(item, one)
    }
    return [node, { inputs, loop }]
  }))
}

const saveLeaf = ({ failed, node, outputs, round }: Leaf): SavedLeaf => ({ node: node.index, round, outputs, failed })

/** Of the body of a loop or a job: the connections that leave it, in a fixed order. */
const keysOf = ({ program }: RunState): Region["exports"] => "exports" in program ? (program as Region).exports : []

const saveExports = (keys: Region["exports"], values: ReadonlyMap<symbol, unknown> | undefined) =>
  Array.from(values ?? [], ([key, value]) => [keys.indexOf(key), value] as const)

const restoreExports = (keys: Region["exports"], values: Snapshot["exported"]): Map<symbol, unknown> | undefined =>
  values.length === 0 ? undefined : new Map(values.map(([position, value]) => [keys[position]!, value]))

const sparse = <A>(values: ReadonlyArray<A | undefined>): Array<[item: number, value: A]> => {
  const kept: Array<[number, A]> = []
  values.forEach((value, item) => {
    if (value !== undefined) kept.push([item, value])
  })
  return kept
}
