/** A trigger of an agent that is loaded. Branches of agents have none: what is registered is their parent's. */
import { createHash } from "node:crypto"
import type { Place, Trigger } from "../components/Entry.ts"
import * as Ids from "../kernel/Ids.ts"
import * as Candidate from "../security/Candidate.ts"
import { triggerKey } from "./Entries.ts"
import type { Process } from "./Process.ts"
import type { TriggerPlan } from "./Program.ts"

export interface LoadedTrigger<Kind extends Trigger<never> = Trigger<never>> {
  readonly process: Process
  readonly plan: TriggerPlan
  readonly name: string
  /** `WebhookTrigger`. */
  readonly component: string
  readonly source: Kind
  readonly place: Place<never>
}

const of = (process: Process, plan: TriggerPlan): LoadedTrigger => {
  const { component, config } = process.program.nodes[plan.entry]!
  const { variables } = process.program.agent
  return {
    process,
    plan,
    name: plan.name,
    component: component.name,
    source: plan.trigger,
    place: { config: config as never, variables }
  }
}

export const all = (process: Process): ReadonlyArray<LoadedTrigger> =>
  process.parent === undefined ? Array.from(process.program.triggers.values(), (plan) => of(process, plan)) : []

export const find = (process: Process | undefined, name: string): LoadedTrigger | undefined => {
  const plan = process?.parent === undefined ? process?.program.triggers.get(triggerKey(name)) : undefined
  return plan && of(process!, plan)
}

export const isOf = <K extends Trigger<never>["kind"]>(
  trigger: LoadedTrigger | undefined,
  kind: K
): trigger is LoadedTrigger<Extract<Trigger<never>, { readonly kind: K }>> => trigger?.source.kind === kind

/** What a run of it is asked with: the payload is data, and nobody is known to have sent it. */
export const origin = (
  { name, process }: LoadedTrigger,
  payload: unknown,
  { headers, query }: {
    readonly headers: Readonly<Record<string, string>>
    readonly query: Readonly<Record<string, unknown>>
  }
) => {
  const id = Ids.unsafeMake("run")
  return {
    process,
    caller: Candidate.anyone,
    info: {
      id,
      sessionId: `${Candidate.format(Candidate.anyone)} ${id}`,
      workflowId: id,
      conversationId: undefined,
      request: { method: "POST" as const, endpoint: name, headers, body: payload, query }
    }
  }
}

/** The kind of the jobs of an agent's triggers. Says nothing of the agent: kinds are listed to whoever asks for a wrong one. */
export const jobKind = (agent: string): string =>
  `trigger-${createHash("sha256").update(agent).digest("base64url").slice(0, 22)}`

/** The job of a poll, in the home of its agent. */
export const jobId = (name: string): string => `trigger-${name}`
