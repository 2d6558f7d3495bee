/** How many runs are held: those have no place among the runs under way, and so bounds of their own. */
import { Effect } from "effect"
import { add } from "../kernel/Places.ts"
import * as Tenants from "../security/Tenants.ts"
import type { AgentRun } from "./AgentRun.ts"
import type { Process } from "./Process.ts"
import { Overloaded } from "./RunGate.ts"

export interface HeldLimits {
  /** Runs that may be held at once, over all agents. */
  readonly maxPaused: number
  readonly maxPausedPerTenant: number
  readonly maxPausedPerAgent: number
}

export type HeldRuns = Effect.Effect.Success<ReturnType<typeof make>>

export const make = ({ maxPaused, maxPausedPerAgent, maxPausedPerTenant }: HeldLimits) =>
  Effect.map(Tenants.make, ({ of }) => {
    const tenants = new Map<AgentRun, string>()
    const byTenant = new Map<string, number>()
    const byAgent = new Map<string, number>()

    return {
      /** What keeps another run of the agent from being held. One that is on its way there is held all the same. */
      full: ({ candidate, id }: Process): Effect.Effect<Overloaded | undefined> =>
        Effect.map(of(candidate), (tenant) => {
          const max = tenants.size >= maxPaused
            ? maxPaused
            : (byTenant.get(tenant) ?? 0) >= maxPausedPerTenant
            ? maxPausedPerTenant
            : (byAgent.get(id) ?? 0) >= maxPausedPerAgent
            ? maxPausedPerAgent
            : undefined
          return max === undefined ? undefined : new Overloaded({ limit: "paused", max })
        }),
      /** Whose run it is, for {@link add}. */
      tenantOf: ({ process }: AgentRun): Effect.Effect<string> => of(process.candidate),
      add: (run: AgentRun, tenant: string): void => {
        tenants.set(run, tenant)
        add(byTenant, tenant, 1)
        add(byAgent, run.process.id, 1)
      },
      remove: (run: AgentRun): void => {
        const tenant = tenants.get(run)
        if (tenant === undefined) return
        tenants.delete(run)
        add(byTenant, tenant, -1)
        add(byAgent, run.process.id, -1)
      },
      count: (): number => tenants.size
    }
  })
