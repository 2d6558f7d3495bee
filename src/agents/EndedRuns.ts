/** Runs that ended and may still be asked about: of each agent a bounded number and size, for a bounded time. */
import { Duration } from "effect"
import * as Json from "../kernel/Json.ts"
import type { AgentRun } from "./AgentRun.ts"

/** Ended runs of one agent that are kept. */
const maxKept = 1000
const keptMillis = Duration.toMillis("1 hour")

/** What may be kept, in about the bytes it takes as JSON; the last run of an agent is kept whatever its size. */
export interface Sizes {
  readonly ofAgent: number
  /** Of all agents; the one with most gives way. */
  readonly ofAll: number
}

interface Kept {
  /** With their sizes, in the order in which they ended. */
  readonly runs: Map<AgentRun, number>
  bytes: number
}

export class EndedRuns {
  readonly #forget: (id: string) => void
  readonly #sizes: Sizes
  readonly #agents = new Map<string, Kept>()
  #bytes = 0

  constructor(forget: (id: string) => void, sizes: Sizes = { ofAgent: 64 * 2 ** 20, ofAll: 512 * 2 ** 20 }) {
    this.#forget = forget
    this.#sizes = sizes
  }

  add(run: AgentRun): void {
    const { id } = run.process
    const kept = this.#agents.get(id) ?? { runs: new Map<AgentRun, number>(), bytes: 0 }
    const bytes = sizeOf(run)
    this.#agents.set(id, kept)
    kept.runs.set(run, bytes)
    kept.bytes += bytes
    this.#bytes += bytes
    while (kept.runs.size > 1 && (kept.runs.size > maxKept || kept.bytes > this.#sizes.ofAgent)) this.#dropOldest(kept)
    while (this.#bytes > this.#sizes.ofAll && this.#dropOldest(this.#largest())) { /* until it fits */ }
  }

  /** Drops those that were kept long enough. */
  sweep(now: number): void {
    for (const [agent, kept] of this.#agents) {
      for (const run of kept.runs.keys()) {
        if (now - run.endedAt! <= keptMillis) break
        this.#dropOldest(kept)
      }
      if (kept.runs.size === 0) this.#agents.delete(agent)
    }
  }

  #largest(): Kept {
    return Array.from(this.#agents.values()).reduce((most, one) => one.bytes > most.bytes ? one : most)
  }

  #dropOldest(kept: Kept): boolean {
    for (const [run, bytes] of kept.runs) {
      kept.runs.delete(run)
      kept.bytes -= bytes
      this.#bytes -= bytes
      this.#forget(run.id)
      return true
    }
    return false
  }
}

const sizeOf = ({ debug, events, info: { request }, result }: AgentRun): number =>
  [request.body, request.query, result?._tag === "Success" ? result.value.answer : undefined, events?.kept, debug?.seen]
    .reduce<number>((sum, one) => sum + (one === undefined ? 0 : Json.sizeOf(one)), 0)
