/** A compiled agent: dense arrays of integers and ready-made functions. Immutable, shared by all runs. */
import type * as Component from "../components/Component.ts"
import type { Trigger } from "../components/Entry.ts"
import type { Coerce } from "../components/Port.ts"
import type { Endpoint } from "./Endpoint.ts"

export interface Edge {
  readonly source: number
  readonly target: number
  /** Position in the target's slots. */
  readonly slot: number
  /** Reads the value from the source's outputs; `undefined` does not fire. */
  readonly read: (outputs: Component.Outputs) => unknown
  /** Name of the output it leaves by. */
  readonly port: string
  /** Leaves the `_error` port: carries a value only when the source failed. */
  readonly onError: boolean
}

/** One connected input, or one with a default. */
export interface Slot {
  readonly name: string
  readonly coerce: Coerce
  /** Connected and not optional: without a value the component is skipped. */
  readonly required: boolean
  /** Used when no value arrived; `undefined`: none. */
  readonly fallback: unknown
  /** Incoming edges in the order of the connections in the document. */
  readonly edges: ReadonlyArray<number>
}

export interface Node {
  readonly index: number
  readonly component: Component.Any
  /** Decoded settings. */
  readonly config: unknown
  readonly info: Component.ComponentInfo
  readonly slots: ReadonlyArray<Slot>
  readonly out: ReadonlyArray<number>
  readonly handlesError: boolean
  /** Connections that leave the body this node is in: their values are collected over the items. */
  readonly exports: ReadonlyArray<Export>
  /** The part of the graph this node opens. */
  readonly region: Region | undefined
}

export interface Export {
  readonly key: symbol
  readonly read: Edge["read"]
  readonly onError: boolean
}

/** The body of a loop or a job: a graph of its own. Edges that come into it have the source -1; they are set when it starts. */
export interface Region {
  readonly nodes: ReadonlyArray<Node>
  readonly edges: ReadonlyArray<Edge>
  readonly flow: Flow
  /** Edges fed by the inner outputs of the opener. */
  readonly feeds: ReadonlyArray<{ readonly edge: number; readonly read: Edge["read"] }>
  /** Edges from outside, seen by every item: `from` in the graph around, `into` in the body. */
  readonly captures: ReadonlyArray<{ readonly from: number; readonly into: number }>
  /** Keys of the exports of its nodes. */
  readonly exports: ReadonlyArray<symbol>
}

/** How a graph is run through: which parts are alive, which edges close a cycle. */
export interface Flow {
  /** Edges that must settle before a node is decided. */
  readonly pending: Int32Array
  /** Initial state of every edge: {@link Open}, or {@link Nothing} for what this plan never settles. */
  readonly edges: Uint8Array
  /** 1 where an edge closes a cycle. */
  readonly back: Uint8Array
  /** Nodes that are reached. */
  readonly members: ReadonlyArray<number>
}

/** The runs that start at one entry. */
export interface Plan extends Flow {
  /** `POST digest`, `trigger orders`. */
  readonly key: string
  readonly entry: number
}

export interface EndpointPlan extends Plan {
  readonly endpoint: Endpoint
}

export interface TriggerPlan extends Plan {
  readonly name: string
  readonly trigger: Trigger<never>
}

export const Open = 0
export const Nothing = 1
export const Value = 2

export interface AgentProgram {
  readonly agent: Component.AgentInfo
  readonly nodes: ReadonlyArray<Node>
  readonly edges: ReadonlyArray<Edge>
  /** By `POST digest`, method and endpoint. */
  readonly plans: ReadonlyMap<string, EndpointPlan>
  /** By `trigger orders`. */
  readonly triggers: ReadonlyMap<string, TriggerPlan>
}

/** A component wherever it stands: in the graph itself, or in the body of a loop or a job. */
export interface Place {
  readonly shape: { readonly nodes: ReadonlyArray<Node>; readonly edges: ReadonlyArray<Edge> }
  readonly node: Node
}

export const find = (shape: Place["shape"], componentId: string): Place | undefined => {
  for (const node of shape.nodes) {
    const found = node.info.id === componentId ? { shape, node } : node.region && find(node.region, componentId)
    if (found !== undefined) return found
  }
  return undefined
}

/** Ids of all components, those in bodies of loops and jobs as well. */
export const idsOf = ({ nodes }: Place["shape"]): ReadonlyArray<string> =>
  nodes.flatMap(({ info, region }) => region === undefined ? [info.id] : [info.id, ...idsOf(region)])
