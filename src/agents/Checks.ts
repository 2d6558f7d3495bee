/** What can be wrong with a whole graph beyond its single parts. */
import type * as Component from "../components/Component.ts"
import { didYouMean } from "../kernel/Nearest.ts"
import type { AgentDocument, ComponentRecord } from "./AgentDocument.ts"
import type { Problem } from "./Problem.ts"
import type { Edge, Flow, Node, Plan, Slot } from "./Program.ts"

/** An error unless it says otherwise. */
export type Report = (problem: Omit<Problem, "severity">, severity?: Problem["severity"]) => void

interface Shape {
  readonly nodes: ReadonlyArray<Node>
  readonly edges: ReadonlyArray<Edge>
}

/** Where a node stands in the document. */
interface Placed {
  readonly index: number
  readonly position: number
  readonly record: ComponentRecord
}

/** Port names twice, or names a component with fixed ports does not know. */
export const checkPorts = (record: ComponentRecord, component: Component.Any, path: string, report: Report) => {
  for (const side of ["inputs", "outputs"] as const) {
    const known = Object.keys(component[side].fields as Record<string, unknown>)
    const open = side === "inputs" ? component.openInputs : component.openOutputs
    const seen = new Set<string>()
    ;(record[side] ?? []).forEach(({ name }, position) => {
      const place = { path: `${path}.${side}[${position}].name`, component: record.id, port: name }
      if (seen.has(name)) report({ ...place, problem: `duplicate port "${name}"` })
      seen.add(name)
      const root = name.split(/[.[]/)[0]!
      if (!open && !known.includes(name) && !(side === "outputs" && [...known, "_error", "_debug"].includes(root))) {
        report({
          ...place,
          problem: `${component.name} has no ${side === "inputs" ? "input" : "output"} "${name}".${
            didYouMean(name, known)
          }`,
          accepted: known
        }, "warning")
      }
    })
  }
}

/** A cycle in which a component waits for a value that only it could cause, also in the body of a loop or a job. */
export const checkProgress = (
  graph: Shape,
  plans: ReadonlyArray<Plan>,
  positionOf: (id: string) => number,
  report: Report
) => {
  const reported = new Set<Slot>()
  const check = ({ edges, nodes }: Shape, { back, members }: Flow) => {
    for (const member of members) {
      const { info, region, slots } = nodes[member]!
      for (const slot of slots) {
        const stuck = slot.required && slot.fallback === undefined && slot.edges.length > 0 &&
          slot.edges.every((edge) => back[edge] === 1)
        if (!stuck || reported.has(slot)) continue
        reported.add(slot)
        const sources = slot.edges.map((edge) => nodes[edges[edge]!.source]!.info.id)
        report({
          path: `components[${positionOf(info.id)}]`,
          component: info.id,
          port: slot.name,
          problem: `cycle without progress: the required input "${slot.name}" comes only from ${
            sources.join(", ")
          }, which runs after it. Make it optional or give it a default or another source`
        })
      }
      if (region !== undefined) check(region, region.flow)
    }
  }
  for (const plan of plans) check(graph, plan)
}

export const checkReach = (
  drafts: ReadonlyArray<Placed>,
  wired: ReadonlySet<string>,
  edges: ReadonlyArray<Edge>,
  entries: number,
  report: Report
) => {
  if (entries === 0) return
  const targets = new Set(edges.map(({ target }) => target))
  for (const { index, position, record } of drafts) {
    if (wired.has(record.id)) continue
    const fed = targets.has(index)
    report({
      path: `components[${position}]`,
      component: record.id,
      problem: `unreachable: ${
        fed ? "no endpoint and no trigger leads to it" : "nothing is connected to its inputs"
      }, so it never runs`
    }, "warning")
  }
}

/** Ids that entries lead to by the connections as they are written, also through ones that are wrong. */
export const wiredToEntries = (
  { components, connections }: AgentDocument,
  entries: Iterable<string>
): ReadonlySet<string> => {
  const wired = new Set(entries)
  if (wired.size === 0) return new Set(components.map(({ id }) => id))
  const targets = new Map<string, Array<string>>()
  for (const { sourceId, targetId } of connections ?? []) {
    const known = targets.get(sourceId)
    if (known === undefined) targets.set(sourceId, [targetId])
    else known.push(targetId)
  }
  for (const id of wired) for (const target of targets.get(id) ?? []) wired.add(target)
  return wired
}
