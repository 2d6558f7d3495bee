/** The rules of the dataflow read aloud: one node after the other, everything looked up again and again. */
import { all, type Edge, give, type Graph, nameOf, type Node, reach } from "./graphs.ts"

export interface Interpreted {
  readonly answer: unknown
  readonly failed: boolean
  /** Keys of the steps that ran, in order; without those of jobs. */
  readonly steps: ReadonlyArray<string>
}

/** A cycle went round too often. */
export class TooManyRounds extends Error {}
/** A node waits for what only it could cause. */
export class Stuck extends Error {}
/** Takes more than a test has time for, or what steps there are is a matter of timing. */
export class Unsuitable extends Error {}

type Outputs = Readonly<Record<string, unknown>>
interface Leaf {
  readonly node: Node
  readonly round: number
  readonly result: Outputs
}

export const interpret = ({ edges, nodes }: Graph, x: unknown, maxRounds: number, maxSteps: number): Interpreted => {
  const steps: Array<string> = []
  const shapes = new Map<ReadonlyArray<Node>, Shape>()
  let begun = 0
  const wired = reach(edges, "", ["N0"])
  const jobs = new Map<string, unknown>()

  /** Edges between nodes beside each other, and those that come in and go out; which of them close a cycle. */
  const shapeOf = (nodes: ReadonlyArray<Node>, isWhole: boolean) => {
    const known = shapes.get(nodes)
    if (known !== undefined) return known
    const here = (id: string) => nodes.find((node) => all([node]).some((one) => one.id === id))
    const around = edges.map((edge) => ({ edge, source: here(edge.from), target: here(edge.to) }))
      .filter(({ edge, source, target }) => source !== target || (source !== undefined && edge.to === source.id))
    const entries = isWhole
      ? nodes.slice(0, 1)
      : nodes.filter((node) => around.some(({ source, target }) => source === undefined && target === node))
    const shape = { around, ...walk(entries, around) }
    shapes.set(nodes, shape)
    return shape
  }

  const checkProgress = (nodes: ReadonlyArray<Node>, isWhole: boolean): void => {
    const { around, back, reached } = shapeOf(nodes, isWhole)
    for (const node of reached) {
      for (const { name, optional } of node.inputs) {
        const into = around.filter(({ edge }) => edge.to === node.id && edge.input === name)
        const stuck = !optional && into.length > 0 && into.every(({ edge }) => back.has(edge))
        // What no connection leads to from the endpoint cannot harm.
        if (stuck && wired.has(node.id)) throw new Stuck()
      }
      checkProgress(node.body, false)
    }
  }

  /** Runs nodes beside each other; `given` is what came in from around them. Gives the leaves, and what goes out. */
  const level = (nodes: ReadonlyArray<Node>, given: ReadonlyMap<Edge, unknown>, path: string) => {
    const { around, back, reached } = shapeOf(nodes, path === "")
    const out = around.filter(({ source }) => source !== undefined && reached.has(source))
    const values = new Map(given)
    const leaving = new Map<Edge, unknown>()
    const leaves: Array<Leaf> = []
    const silent: Array<Leaf> = []
    let part: ReadonlySet<Node> = reached
    for (let round = 0;; round++) {
      const delivered = new Map<Edge, unknown>()
      const left = new Set(part)
      while (left.size > 0) {
        const node = nodes.find((one) =>
          left.has(one) &&
          !out.some(({ edge, source, target }) => target === one && left.has(source!) && !back.has(edge))
        )!
        left.delete(node)
        const key = `${path}${node.id}${round === 0 ? "" : `#${round}`}`
        const inputs = inputsOf(node, (edge) => {
          const source = around.find((one) => one.edge === edge)?.source
          return round === 0 || back.has(edge) || (source !== undefined && part.has(source))
        })
        const result = inputs === undefined ? undefined : run(node, inputs, key, values)
        if (result !== undefined) steps.push(key)
        if (begun++ > maxSteps) throw new Unsuitable()
        const own = out.filter(({ source }) => source === node)
        let fired = false
        for (const { edge, target } of own) {
          const value = result === undefined ? undefined : read(edge, node, result)
          if (target === undefined) value !== undefined && leaving.set(edge, value)
          else if (back.has(edge)) value !== undefined && delivered.set(edge, value)
          else values.set(edge, value)
          fired ||= value !== undefined
        }
        if (result === undefined || fired) continue
        ;(own.length === 0 || "_error" in result ? leaves : silent).push({ node, round, result })
      }
      if (delivered.size === 0) break
      const heads = nodes.filter((node) => around.some(({ edge, target }) => target === node && delivered.has(edge)))
      if (round + 1 >= maxRounds) {
        const problem = `Agent a1: the cycle through ${heads.map(({ id }) => id).join(", ")} went round ${maxRounds} ` +
          `times without ending. Let it end, or raise maxRounds`
        // In an item of a loop it is the item that fails.
        if (!path.endsWith("]/")) throw new TooManyRounds(problem)
        leaves.push({ node: heads[0]!, round, result: { _error: problem } })
        break
      }
      const again = new Set(heads)
      for (const node of again) {
        for (const { edge, source, target } of out) {
          if (source === node && target !== undefined && !back.has(edge)) again.add(target)
        }
      }
      for (const { edge, target } of around) {
        if (target !== undefined && again.has(target) && back.has(edge)) values.delete(edge)
      }
      for (const [edge, value] of delivered) values.set(edge, value)
      part = again
    }
    const chosen = (leaves.length > 0 ? leaves : silent)
      .sort((a, b) => nodes.indexOf(a.node) - nodes.indexOf(b.node) || a.round - b.round)
    return { leaving, records: chosen.map(({ node, result }) => ({ id: node.id, name: nameOf(node.kind), result })) }

    /** None: the node is skipped. What a cycle brought replaces what an input held. */
    function inputsOf(node: Node, isFresh: (edge: Edge) => boolean): Outputs | undefined {
      if (node.kind === "endpoint") return {}
      const inputs: Record<string, unknown> = {}
      let arrived = false
      for (const { name, optional } of node.inputs) {
        const into = edges.filter((edge) => edge.to === node.id && edge.input === name)
        const carrying = into.filter((edge) => values.get(edge) !== undefined)
        const brought = carrying.filter((edge) => back.has(edge))
        const chosen = brought.length > 0 ? brought : carrying
        if (chosen.length === 0 && into.length > 0 && !optional) return undefined
        if (chosen.length > 0) {
          inputs[name] = chosen.length === 1
            ? values.get(chosen[0]!)
            : chosen.map((edge) => values.get(edge))
        }
        arrived ||= carrying.some(isFresh)
      }
      return arrived ? inputs : undefined
    }
  }

  const lists = new WeakMap<object, Map<Edge, Array<unknown>>>()
  /** What an edge carries away from a node that ran; from within it, the list of the values of all items. */
  const read = (edge: Edge, node: Node, result: Outputs): unknown =>
    node.kind === "endpoint"
      ? x
      : edge.from !== node.id
      ? lists.get(result)?.get(edge)
      : (edge.port === "_error") === ("_error" in result)
      ? result[edge.port]
      : undefined

  const run = (node: Node, inputs: Outputs, key: string, values: ReadonlyMap<Edge, unknown>): Outputs => {
    if (node.kind === "endpoint") return { headers: {}, body: { x }, query: {}, params: {} }
    const within = new Set(all(node.body).map(({ id }) => id))
    const enter = (fed: Outputs, path: string) =>
      level(
        node.body,
        new Map(
          edges.filter(({ to }) => within.has(to)).map((
            edge
          ) => [edge, edge.from === node.id ? fed[edge.port] : values.get(edge)])
        ),
        path
      )
    if (node.kind === "each") {
      const { Input } = inputs
      const items = Array.isArray(Input) ? Input : [Input]
      if (node.body.length === 0) return { Result: items }
      const left = new Map(
        edges.filter(({ from, to }) => within.has(from) && !within.has(to)).map((edge) => [edge, new Array<unknown>()])
      )
      const results: Array<unknown> = []
      for (const [at, item] of items.entries()) {
        const { leaving, records } = enter({ Loop: item }, `${key}[${at}]/`)
        for (const [edge, value] of leaving) left.get(edge)?.push(value)
        results.push(...records.map((record) => node.data.format === "full" ? record : record.result))
        const failure = records.find(({ result }) => "_error" in result)
        if (failure !== undefined && node.data.onError === "stop") {
          return { _error: `item ${at}: ${String(failure.result["_error"])}` }
        }
      }
      const result = { Result: results }
      lists.set(result, left)
      return result
    }
    if (node.kind === "async") {
      const JobID = `${node.id}-${String(jobs.size).padStart(32, "0")}`
      jobs.set(JobID, undefined)
      const { length } = steps
      try {
        const { records } = enter(inputs, `${key}/`)
        jobs.set(JobID, { status: "done", output: records.length === 1 ? records[0] : records })
      } catch (error) {
        if (!(error instanceof TooManyRounds)) throw error
        jobs.set(JobID, { status: "failed", output: error.message })
      }
      // The steps of a job are its own.
      steps.length = length
      return { JobID }
    }
    if (node.kind === "await") {
      const ids = (Array.isArray(inputs["Jobs"]) ? inputs["Jobs"] : [inputs["Jobs"]]).map(String)
      return { Results: Object.fromEntries(ids.map((id) => [id, jobs.get(id) ?? { status: "unknown_job" }])) }
    }
    return give(node.kind, inputs)
  }

  checkProgress(nodes, true)
  const { records } = level(nodes, new Map(), "")
  return {
    answer: records.length === 1 ? records[0] : records,
    failed: records.length > 0 && records.every(({ result }) => "_error" in result),
    steps: steps.sort()
  }
}

interface Placed {
  readonly edge: Edge
  readonly source: Node | undefined
  readonly target: Node | undefined
}

interface Shape extends ReturnType<typeof walk> {
  readonly around: ReadonlyArray<Placed>
}

/** Depth first, in the order of the document: an edge to a node that the walk is still inside of closes a cycle. */
const walk = (entries: ReadonlyArray<Node>, edges: ReadonlyArray<Placed>) => {
  const back = new Set<Edge>()
  const inside = new Set<Node>()
  const reached = new Set<Node>()
  const visit = (node: Node) => {
    inside.add(node)
    reached.add(node)
    for (const { edge, source, target } of edges) {
      if (source !== node || target === undefined) continue
      if (inside.has(target)) back.add(edge)
      else if (!reached.has(target)) visit(target)
    }
    inside.delete(node)
  }
  for (const entry of entries) if (!reached.has(entry)) visit(entry)
  return { back, reached }
}
