/**
 * Loops and jobs: the part of a graph that runs once per item, or in the background, is cut out at load and kept with the
 * component that opens it. What comes into the part from outside is an input more of that component, what leaves it an
 * output more: so what is left is an ordinary graph, and so is the part, to any depth.
 */
import type { Outputs } from "../components/Component.ts"
import * as Graph from "./Graph.ts"
import type { Edge, Export, Node, Region } from "./Program.ts"

export interface Shape {
  readonly nodes: ReadonlyArray<Node>
  readonly edges: ReadonlyArray<Edge>
}

/** The graph with the bodies of its loops and jobs folded into their openers; `at` gives new positions of old nodes. */
export const fold = (graph: Shape): Shape & { readonly at: ReadonlyMap<number, number> } => {
  if (graph.nodes.every(({ component }) => component.region === undefined)) {
    return { ...graph, at: new Map(graph.nodes.map(({ index }) => [index, index])) }
  }
  return cut(graph, new Set(graph.nodes.keys()))
}

interface Cut extends Shape {
  readonly at: ReadonlyMap<number, number>
  /** Edges from outside, by their number in the whole graph. */
  readonly incoming: ReadonlyMap<number, number>
}

/** The nodes `members` of the whole graph as a graph of their own. */
const cut = (graph: Shape, members: ReadonlySet<number>): Cut => {
  const bodies = outermost(graph, members)
  const opener = new Map(
    Array.from(bodies).flatMap(([index, body]) => Array.from(body, (node) => [node, index] as const))
  )
  const kept = Array.from(members).filter((node) => !opener.has(node)).sort((a, b) => a - b)
  const at = new Map(kept.map((node, position) => [node, position]))
  /** Where a node of the whole graph stands here: itself, or the opener it is folded into. */
  const place = (node: number) => members.has(node) ? at.get(opener.get(node) ?? node) : undefined

  const edges: Array<Edge> = []
  const here = new Map<number, number>()
  const incoming = new Map<number, number>()
  const exports = new Map<number, Array<Export>>()
  graph.edges.forEach((edge, number) => {
    const source = place(edge.source)
    const target = place(edge.target)
    const isFolded = opener.has(edge.source)
    const read = isFolded ? leaving(number) : edge.read
    const onError = edge.onError && !isFolded
    if (target === undefined) {
      if (source !== undefined) {
        exports.set(source, [...exports.get(source) ?? [], { key: exportKey(number), read, onError }])
      }
    } else if (source === undefined || source !== target || opener.get(edge.target) === undefined) {
      const slot = opener.has(edge.target) ? -1 : edge.slot
      here.set(number, edges.push({ ...edge, source: source ?? -1, target, slot, read, onError }) - 1)
      if (source === undefined) incoming.set(number, here.get(number)!)
    }
  })

  const nodes = kept.map((number, index): Node => {
    const node = graph.nodes[number]!
    const out = edges.flatMap(({ source }, edge) => source === index ? [edge] : [])
    const left = exports.get(index) ?? []
    const body = bodies.get(number)
    return {
      ...node,
      index,
      out,
      slots: node.slots.map((slot) => ({ ...slot, edges: slot.edges.flatMap((edge) => here.get(edge) ?? []) })),
      handlesError: out.some((edge) => edges[edge]!.onError) || left.some(({ onError }) => onError),
      exports: left,
      region: body === undefined ? undefined : regionOf(graph, number, body, here)
    }
  })
  return { nodes, edges, at, incoming }
}

const regionOf = (
  graph: Shape,
  owner: number,
  body: ReadonlySet<number>,
  around: ReadonlyMap<number, number>
): Region => {
  const { edges, incoming, nodes } = cut(graph, body)
  const feeds: Array<Region["feeds"][number]> = []
  const captures: Array<Region["captures"][number]> = []
  for (const [number, into] of incoming) {
    const { read, source } = graph.edges[number]!
    const from = around.get(number)
    if (source === owner) feeds.push({ edge: into, read })
    else if (from !== undefined) captures.push({ from, into })
  }
  const entries = new Set(Array.from(incoming.values(), (edge) => edges[edge]!.target))
  return {
    nodes,
    edges,
    flow: Graph.flow({ nodes, edges }, Array.from(entries).sort((a, b) => a - b)),
    feeds,
    captures,
    exports: nodes.flatMap((node) => node.exports.map(({ key }) => key))
  }
}

/** The bodies of openers among `members` that are in no other's body. */
const outermost = (graph: Shape, members: ReadonlySet<number>): ReadonlyMap<number, ReadonlySet<number>> => {
  const bodies = new Map<number, ReadonlySet<number>>()
  for (const member of members) {
    const { region } = graph.nodes[member]!.component
    if (region === undefined) continue
    const body = new Set(Array.from(bodyOf(graph, member)).filter((node) => members.has(node)))
    // A loop over nothing is an ordinary component; a job of nothing still has an id.
    if (body.size > 0 || region.kind === "job") bodies.set(member, body)
  }
  return new Map(
    Array.from(bodies).filter(([owner]) => !Array.from(bodies.values()).some((body) => body.has(owner)))
  )
}

/**
 * What the inner outputs of an opener lead to, and none of its other outputs: without the nodes that lead to it from an
 * endpoint, which a cycle may reach from within.
 */
const bodyOf = ({ edges, nodes }: Shape, owner: number): ReadonlySet<number> => {
  const { leavesBy } = nodes[owner]!.component.region!
  const reach = (from: Iterable<number>) => {
    const seen = new Set(from)
    seen.delete(owner)
    for (const node of seen) {
      for (const edge of nodes[node]!.out) if (edges[edge]!.target !== owner) seen.add(edges[edge]!.target)
    }
    return seen
  }
  const targets = (isInner: boolean) =>
    nodes[owner]!.out.filter((edge) => isInner === (!leavesBy.includes(edges[edge]!.port) && !edges[edge]!.onError))
      .map((edge) => edges[edge]!.target)
  const outside = reach(targets(false))
  const inside = reach(targets(true))
  const ahead = reach(nodes.filter(({ component }) => component.category === "entry").map(({ index }) => index))
  const leadsBack = (node: number) => {
    const seen = new Set([node])
    for (const one of seen) {
      for (const edge of nodes[one]!.out) {
        if (edges[edge]!.target === owner) return true
        seen.add(edges[edge]!.target)
      }
    }
    return false
  }
  return new Set(Array.from(inside).filter((node) => !outside.has(node) && !(ahead.has(node) && leadsBack(node))))
}

/** Where the value of a connection that leaves a body stands among the outputs of the opener. */
const exportKey = (number: number): symbol => Symbol.for(`effect-sre/export/${number}`)

const leaving = (number: number): (outputs: Outputs) => unknown => {
  const key = exportKey(number)
  return (outputs) => (outputs as Readonly<Record<symbol, unknown>>)[key]
}
