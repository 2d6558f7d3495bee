/** Runs that ended and may still be asked about: of each agent a bounded number, for a bounded time. */
import { Duration } from "effect"
import type { AgentRun } from "./AgentRun.ts"

/** Ended runs of one agent that are kept. */
const maxKept = 1000
const keptMillis = Duration.toMillis("1 hour")

export class EndedRuns {
  readonly #forget: (id: string) => void
  /** Of each agent, in the order in which they ended. */
  readonly #agents = new Map<string, Set<AgentRun>>()

  constructor(forget: (id: string) => void) {
    this.#forget = forget
  }

  add(run: AgentRun): void {
    const { id } = run.process
    const kept = this.#agents.get(id) ?? new Set()
    this.#agents.set(id, kept.add(run))
    if (kept.size > maxKept) this.#drop(kept, kept.values().next().value!)
  }

  /** Drops those that were kept long enough. */
  sweep(now: number): void {
    for (const [agent, kept] of this.#agents) {
      for (const run of kept) {
        if (now - run.endedAt! <= keptMillis) break
        this.#drop(kept, run)
      }
      if (kept.size === 0) this.#agents.delete(agent)
    }
  }

  #drop(kept: Set<AgentRun>, run: AgentRun): void {
    kept.delete(run)
    this.#forget(run.id)
  }
}
