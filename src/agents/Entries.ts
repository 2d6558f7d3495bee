/** Where the runs of an agent begin: the endpoints that can be called, and the triggers that start runs by themselves. */
import { Either } from "effect"
import type * as Component from "../components/Component.ts"
import type { ComponentRecord, Connection } from "./AgentDocument.ts"
import type { CallRequest } from "./AgentRequests.ts"
import type { Report } from "./Checks.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Graph from "./Graph.ts"
import type * as Ports from "./Ports.ts"
import type { AgentProgram, EndpointPlan, Plan, TriggerPlan } from "./Program.ts"
import type * as Regions from "./Regions.ts"

/** One component of the document, as far as an entry is made of it. */
export interface Draft {
  readonly index: number
  /** Position in the document. */
  readonly position: number
  readonly record: ComponentRecord
  readonly component: Component.Any
  readonly config: unknown
}

export interface Entries {
  readonly plans: ReadonlyMap<string, EndpointPlan>
  readonly triggers: ReadonlyMap<string, TriggerPlan>
  readonly all: ReadonlyArray<Plan>
}

export const make = (
  drafts: ReadonlyArray<Draft>,
  folded: ReturnType<typeof Regions.fold>,
  report: Report
): Entries => {
  const plans = new Map<string, EndpointPlan>()
  const triggers = new Map<string, TriggerPlan>()
  for (const { component: { entry: kind }, config, index, position, record } of drafts) {
    if (kind === undefined || config === undefined) continue
    const entry = folded.at.get(index)
    if (entry === undefined) continue
    const flow = Graph.flow(folded, [entry])
    const once = (known: ReadonlyMap<string, unknown>, key: string, what: string, setting: string) => {
      if (!known.has(key)) return
      report({
        path: `components[${position}].data.${setting}`,
        component: record.id,
        problem: `a second ${what}: the last one answers`
      }, "warning")
    }
    if (kind.kind === "call") {
      const endpoint = Endpoint.make(config as Parameters<typeof Endpoint.make>[0], record.inputs ?? [])
      const key = planKey(endpoint.method, endpoint.name)
      once(plans, key, `endpoint ${key}`, "endpoint")
      plans.set(key, { ...flow, key, entry, endpoint })
    } else {
      const { triggerEndpoint: name } = config as { readonly triggerEndpoint: string }
      const key = triggerKey(name)
      once(triggers, key, key, "triggerEndpoint")
      triggers.set(key, { ...flow, key, entry, name, trigger: kind })
    }
  }
  if (plans.size + triggers.size === 0) {
    report({
      path: "components",
      problem: "no APIEndpoint: nothing can be called. A conversation with the agent still works"
    }, "warning")
  }
  return { plans, triggers, all: [...plans.values(), ...triggers.values()] }
}

/** Editors connect a trigger with an endpoint as a whole, at the position -1: its payload is the endpoint's body then. */
export const isHandOver = ({ targetIndex }: Connection, source: Component.Any, target: Component.Any): boolean =>
  Number(targetIndex) === -1 && target.entry?.kind === "call" && source.entry !== undefined &&
  source.entry.kind !== "call"

/** The payload arrives with the request of the run; this tells the endpoint that it did. */
export const handedOver: Ports.Input = {
  port: { name: "_trigger", optional: true },
  type: "Any",
  coerce: Either.right
}

/** The endpoint a request names; without a method the one for `POST` before that for `GET`. */
export const planOf = (
  { plans }: AgentProgram,
  { endpoint, method }: Pick<CallRequest, "endpoint" | "method">
): EndpointPlan | undefined =>
  method === undefined
    ? plans.get(planKey("POST", endpoint)) ?? plans.get(planKey("GET", endpoint))
    : plans.get(planKey(method, endpoint))

const planKey = (method: string, endpoint: string): string => `${method} ${endpoint}`

export const triggerKey = (name: string): string => `trigger ${name}`
