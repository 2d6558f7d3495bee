/** What the shape of the graph decides before anything runs: reachability, cycles, readiness. */
import { type Edge, type Flow, type Node, Nothing, Open } from "./Program.ts"

type Shape = {
  readonly nodes: ReadonlyArray<Pick<Node, "out">>
  readonly edges: ReadonlyArray<Pick<Edge, "source" | "target">>
}

/**
 * The flow from the given nodes. An edge to a node that the depth-first walk (in document order) is still inside
 * of closes a cycle. Edges from parts they do not reach, and from outside of the graph, count as settled with nothing.
 */
export const flow = (graph: Shape, entries: Iterable<number>): Flow => {
  const { edges, nodes } = graph
  const back = new Uint8Array(edges.length)
  const states = new Uint8Array(edges.length).fill(Nothing)
  const pending = new Int32Array(nodes.length)
  const visit = new Uint8Array(nodes.length) // 0 unseen, 1 inside, 2 left
  const members: Array<number> = []
  const path: Array<{ readonly node: number; next: number }> = []
  const enter = (node: number) => {
    visit[node] = 1
    members.push(node)
    path.push({ node, next: 0 })
  }
  for (const entry of entries) {
    if (visit[entry] === 0) enter(entry)
    while (path.length > 0) {
      const frame = path[path.length - 1]!
      const out = nodes[frame.node]!.out
      if (frame.next === out.length) {
        visit[frame.node] = 2
        path.pop()
        continue
      }
      const edge = out[frame.next++]!
      const target = edges[edge]!.target
      if (visit[target] === 1) {
        back[edge] = 1
        continue
      }
      states[edge] = Open
      pending[target]!++
      if (visit[target] === 0) enter(target)
    }
  }
  return { pending, edges: states, back, members: members.sort((a, b) => a - b) }
}

/** Everything that runs again when a cycle delivers to `heads`: they and all they reach without closing a cycle. */
export const part = (
  graph: Shape,
  { back, edges }: Pick<Flow, "back" | "edges">,
  heads: Iterable<number>
): Set<number> => {
  const reached = new Set<number>(heads)
  for (const node of reached) {
    for (const edge of graph.nodes[node]!.out) {
      if (back[edge] === 0 && edges[edge] === Open) reached.add(graph.edges[edge]!.target)
    }
  }
  return reached
}
