/** Who watches all runs of an agent: one open stream each, to which its owner's calls of other agents can be added. */
import { Effect, Queue, Stream } from "effect"
import type { AgentEvent } from "../agents/AgentEvents.ts"
import { Agents, type RunRef } from "../agents/Agents.ts"
import * as Ids from "../kernel/Ids.ts"
import * as Candidate from "../security/Candidate.ts"

export type Monitors = Effect.Effect.Success<typeof make>

interface Monitor {
  readonly asker: Candidate.Candidate
  readonly agent: string
  readonly added: Queue.Queue<Stream.Stream<AgentEvent>>
}

/** Runs of other agents that one monitor follows at once; those beyond wait, and so many may. */
const maxAdded = 100

export const make = Effect.gen(function*() {
  const agents = yield* Agents
  const open = new Map<string, Monitor>()

  return {
    /** All runs of an agent of the asker's that begin from now on, for as long as the stream is read. */
    open: (asker: Candidate.Candidate, agent: string) =>
      Effect.gen(function*() {
        const id = yield* Ids.make("monitor")
        const added = yield* Queue.dropping<Stream.Stream<AgentEvent>>(maxAdded)
        const all = Stream.flatMap(Stream.fromQueue(added), (run) => run, { concurrency: maxAdded })
        yield* Effect.acquireRelease(
          Effect.sync(() => open.set(id, { asker, agent, added })),
          () => Effect.sync(() => open.delete(id))
        )
        return { id, stream: Stream.merge(Candidate.streamAs(agents.monitor(agent), asker), all) }
      }),
    /** Whether a run is to be shown to a monitor: it is the caller's own, and does not see the agent anyway. */
    follows: (id: string | undefined, asker: Candidate.Candidate, agent: string): boolean => {
      const monitor = id === undefined ? undefined : open.get(id)
      return monitor !== undefined && monitor.agent !== agent && isSame(monitor.asker, asker)
    },
    add: (id: string, asker: Candidate.Candidate, run: RunRef): Effect.Effect<unknown> => {
      const events = Stream.catchAll(Candidate.streamAs(agents.events(run), asker), () => Stream.empty)
      return Effect.suspend(() => open.get(id)?.added.offer(events) ?? Effect.void)
    }
  }
})

const isSame = (one: Candidate.Candidate, other: Candidate.Candidate) => one.role === other.role && one.id === other.id
