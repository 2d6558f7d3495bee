/**
 * Random graphs: nodes in document order, some of them loops and jobs with nodes of their own within. Everything is drawn
 * as numbers and then made to fit, so that what fails shrinks to something small.
 */
import { Effect, FastCheck, Schema } from "effect"
import * as Component from "../../src/components/Component.ts"
import { Async } from "../../src/components/logic/Async.ts"
import { Await } from "../../src/components/logic/Await.ts"
import { ForEach } from "../../src/components/logic/ForEach.ts"
import { APIEndpoint } from "../../src/components/system/APIEndpoint.ts"
import { agentDocument, endpoint, type Short } from "./documents.ts"

export type Plain = "pass" | "list" | "even" | "fail" | "silent"
export type Kind = Plain | "endpoint" | "each" | "async" | "await"

export interface Node {
  readonly id: string
  readonly kind: Kind
  readonly inputs: ReadonlyArray<{ readonly name: string; readonly optional: boolean }>
  readonly data: {
    readonly format: "full" | "minimal"
    readonly concurrency: number
    readonly onError: "collect" | "stop"
  }
  /** What a loop or a job runs. */
  readonly body: ReadonlyArray<Node>
}

/** From a port of a node to an input of one beside it, within it, or around it. */
export interface Edge {
  readonly from: string
  readonly port: string
  readonly to: string
  readonly input: string
}

export interface Graph {
  readonly nodes: ReadonlyArray<Node>
  /** In the order of the document. */
  readonly edges: ReadonlyArray<Edge>
}

/* ------------------------------------------------------------------------------------------------------------------
 * What nodes do
 * ---------------------------------------------------------------------------------------------------------------- */

/** Ids of jobs differ from run to run. */
export const withoutJobIds = (text: string): string => text.replace(/-[0-9a-f]{32}/g, "-job")

/** What a node of a kind gives for its inputs: `out`, a failure, or nothing. */
export const give = (
  kind: Kind,
  inputs: Readonly<Record<string, unknown>>
): { readonly out?: unknown; readonly _error?: string } => {
  let sum = 7
  for (const sign of withoutJobIds(JSON.stringify(inputs))) sum = (sum * 31 + sign.charCodeAt(0)) % 1009
  return kind === "fail"
    ? { _error: `failed on ${sum}` }
    : kind === "silent" || (kind === "even" && sum % 2 === 1)
    ? {}
    : { out: kind === "list" ? Array.from({ length: sum % 4 }, (_, at) => sum + at) : sum }
}

/** How long a step takes: nothing, so that it is run inline, or whatever the effect takes. */
export type Timing = (key: string) => Effect.Effect<unknown> | undefined

export const atOnce: Timing = () => undefined

export const registryOf = (timing: Timing): ReadonlyMap<string, Component.Any> => {
  const Node = Component.make("Node", {
    description: "One node.",
    category: "data",
    config: Schema.Struct({ kind: Schema.String }),
    openInputs: true,
    openOutputs: true,
    run: ({ config, inputs, step }) => {
      const { _error, ...outputs } = give(config.kind as Kind, inputs)
      const failure = _error === undefined ? undefined : new Component.ComponentFailed({ message: _error })
      const wait = timing(step.key)
      if (wait === undefined) return failure ?? outputs
      return Effect.zipRight(wait, failure ?? Effect.succeed(outputs))
    }
  })
  return new Map([APIEndpoint, ForEach, Async, Await, Node].map((one) => [one.name, one]))
}

export const nameOf = (kind: Kind): string =>
  ({ endpoint: "APIEndpoint", each: "ForEach", async: "Async", await: "Await" } as Record<string, string>)[kind] ??
    "Node"

/** The port that leads on. */
export const portOf = (kind: Kind): string =>
  ({ endpoint: "x", each: "Result", async: "JobID", await: "Results" } as Record<string, string>)[kind] ?? "out"

export const all = (nodes: ReadonlyArray<Node>): ReadonlyArray<Node> =>
  nodes.flatMap((node) => [node, ...all(node.body)])

/* ------------------------------------------------------------------------------------------------------------------
 * Documents
 * ---------------------------------------------------------------------------------------------------------------- */

const short = ({ data, inputs, kind }: Node): Short => {
  const ports = inputs.map(({ name, optional }) => optional ? `${name}?` : name)
  switch (kind) {
    case "endpoint":
      return endpoint("x")
    case "each":
      return { name: "ForEach", data, in: ports, out: [] }
    case "async":
      return {
        name: "Async",
        data: { atEnd: data.onError === "stop" ? "await" : "outlive" },
        in: ports,
        out: ports.map((name) => name.replace("?", ""))
      }
    case "await":
      return { name: "Await", data: { jobs_count: 100, max_time: 21_600 }, in: ports, out: [] }
    default:
      return { name: "Node", data: { kind }, in: ports, out: ["out"] }
  }
}

export const documentOf = ({ edges, nodes }: Graph) =>
  agentDocument(
    Object.fromEntries(all(nodes).map((node) => [node.id, short(node)])),
    edges.map(({ from, input, port, to }) => `${from}.${port} -> ${to}.${input}`)
  )

/* ------------------------------------------------------------------------------------------------------------------
 * Drawing
 * ---------------------------------------------------------------------------------------------------------------- */

export interface Options {
  readonly maxNodes: number
  /** Whether connections may lead back. */
  readonly cycles: boolean
  readonly loops: boolean
  readonly jobs: boolean
}

interface Draft {
  readonly kind: Kind
  readonly optional: ReadonlyArray<boolean>
  readonly size: number
  readonly concurrency: number
  readonly stops: boolean
  readonly minimal: boolean
  readonly incoming: ReadonlyArray<{
    readonly pick: number
    readonly input: number
    readonly onError: boolean
    readonly back: boolean
    readonly order: number
  }>
  readonly leaves: number
}

const draft = ({ cycles, jobs, loops }: Options): FastCheck.Arbitrary<Draft> =>
  FastCheck.record({
    kind: FastCheck.constantFrom<Kind>(
      ...["pass", "pass", "pass", "pass", "list", "list", "even", "even", "fail", "silent"] as const,
      ...(loops ? ["each", "each"] as const : []),
      ...(jobs ? ["async", "await"] as const : [])
    ),
    optional: FastCheck.array(FastCheck.boolean(), { minLength: 3, maxLength: 3 }),
    size: FastCheck.nat(6),
    concurrency: FastCheck.integer({ min: 1, max: 4 }),
    stops: FastCheck.nat(3).map((one) => one === 0),
    minimal: FastCheck.boolean(),
    incoming: FastCheck.array(
      FastCheck.record({
        pick: FastCheck.nat(1000),
        input: FastCheck.nat(2),
        onError: FastCheck.nat(9).map((one) => one === 0),
        back: cycles ? FastCheck.nat(11).map((one) => one === 0) : FastCheck.constant(false),
        order: FastCheck.nat(1000)
      }),
      { minLength: 1, maxLength: 3 }
    ),
    leaves: FastCheck.nat(7)
  })

export const graphs = (options: Options): FastCheck.Arbitrary<Graph> => {
  const of = (maxLength: number) => FastCheck.array(draft(options), { minLength: 1, maxLength, size: "max" })
  return FastCheck.oneof({ weight: 19, arbitrary: of(Math.min(24, options.maxNodes)) }, of(options.maxNodes)).map(
    graphOf
  )
}

const inputsOf = ({ incoming, kind, optional }: Draft): Node["inputs"] =>
  kind === "each"
    ? [{ name: "Input", optional: optional[0]! }]
    : kind === "await"
    ? [{ name: "Jobs", optional: optional[0]! }]
    : optional.map((isOptional, at) => ({
      name: `i${at}`,
      // Few of those that only a cycle could feed are required: such a document is refused.
      optional: isOptional || incoming.some(({ back, input, order }) => back && input === at && order % 16 > 0)
    }))

/** A body is made of as many of the following drafts as its opener asks for. */
const graphOf = (drafts: ReadonlyArray<Draft>): Graph => {
  const draftOf = new Map<Node, Draft>()
  let at = 0
  const take = (count: number, depth: number): ReadonlyArray<Node> => {
    const nodes: Array<Node> = []
    while (nodes.length < count && at < drafts.length) {
      const one = drafts[at++]!
      const opens = (one.kind === "each" || one.kind === "async") && depth < 3
      const kind = opens || (one.kind !== "each" && one.kind !== "async") ? one.kind : "pass"
      const id = `N${at}`
      const node: Node = {
        id,
        kind,
        inputs: inputsOf({ ...one, kind }),
        data: {
          format: one.minimal ? "minimal" : "full",
          concurrency: one.stops ? 1 : one.concurrency,
          onError: one.stops ? "stop" : "collect"
        },
        body: opens ? take(one.size, depth + 1) : []
      }
      draftOf.set(node, one)
      nodes.push(node)
    }
    return nodes
  }
  const first: Node = {
    id: "N0",
    kind: "endpoint",
    inputs: [],
    data: { format: "full", concurrency: 1, onError: "collect" },
    body: []
  }
  const nodes = [first, ...take(Infinity, 0)]
  return { nodes, edges: edgesOf(nodes, draftOf) }
}

interface Drawn extends Edge {
  readonly order: number
}

/** Nodes beside each other, what opens them, and the levels around. */
interface Level {
  readonly nodes: ReadonlyArray<Node>
  readonly opener: Node | undefined
  readonly around: Level | undefined
}

const edgesOf = (nodes: ReadonlyArray<Node>, draftOf: ReadonlyMap<Node, Draft>): ReadonlyArray<Edge> => {
  const edges: Array<Drawn> = []
  const beside = (level: Level) => {
    level.nodes.forEach((node, position) => {
      for (const { back, input, onError, order, pick } of draftOf.get(node)?.incoming ?? []) {
        const sources = (back ? level.nodes.slice(position) : level.nodes.slice(0, position))
          .filter(({ kind }) => kind !== "endpoint" || !back)
          // What a loop goes over stays short.
          .filter(({ kind }) => node.kind !== "each" || !["each", "async", "await"].includes(kind))
        const source = sources[pick % (sources.length || 1)]
        if (source !== undefined) edges.push({ ...edge(source, onError, node, input), order })
      }
    })
    for (const node of level.nodes) beside({ nodes: node.body, opener: node, around: level })
  }
  beside({ nodes, opener: undefined, around: undefined })

  const across = (level: Level) => {
    const { around, nodes, opener } = level
    if (opener !== undefined && around !== undefined) {
      const leaving = edges.filter(({ from, port }) => from === opener.id && port !== "Loop" && !/^i\d$/.test(port))
      const after = reach(edges, opener.id, leaving.map(({ to }) => to))
      nodes.forEach((node, position) => {
        const { incoming, leaves } = draftOf.get(node)!
        const [{ order, pick }] = incoming as [Draft["incoming"][number]]
        // From before the opener into its body.
        const before = around.nodes.slice(0, around.nodes.indexOf(opener)).filter(({ id }) => !after.has(id))
        const source = before[pick % (before.length || 1)]
        if (leaves === 0 && source !== undefined && node.kind !== "each") {
          edges.push({ ...edge(source, false, node, pick % 3), order })
        }
        // From the body to what follows the opener, where nothing leads back to it.
        const targets = leaving.flatMap(({ to }) =>
          around.nodes.find(({ id, kind }) => id === to && kind !== "each") ?? []
        )
          .filter(({ id }) => id !== opener.id && !reach(edges, "", [id]).has(opener.id))
        const target = targets[pick % (targets.length || 1)]
        if (leaves === 1 && target !== undefined) edges.push({ ...edge(node, false, target, pick % 3), order })
        // Whatever is in a body is reached from its opener.
        const reached = edges.some(({ from, to }) =>
          to === node.id && nodes.slice(0, position).some(({ id }) => id === from)
        )
        if (!reached) {
          const port = opener.kind === "each" ? "Loop" : "i0"
          edges.push({ from: opener.id, port, to: node.id, input: node.inputs[0]!.name, order })
        }
      })
    }
    for (const node of nodes) across({ nodes: node.body, opener: node, around: level })
  }
  across({ nodes, opener: undefined, around: undefined })
  return edges.sort((a, b) => a.order - b.order).map(({ order: _, ...one }) => one)
}

const edge = (from: Node, onError: boolean, to: Node, input: number): Edge => ({
  from: from.id,
  port: onError && from.kind !== "endpoint" ? "_error" : portOf(from.kind),
  to: to.id,
  input: to.inputs[input % to.inputs.length]!.name
})

/** All that nodes lead to, without going through one. */
export const reach = (
  edges: ReadonlyArray<Edge>,
  without: string,
  from: ReadonlyArray<string>
): ReadonlySet<string> => {
  const seen = new Set(from)
  seen.delete(without)
  for (const node of seen) for (const { from, to } of edges) if (from === node && to !== without) seen.add(to)
  return seen
}
