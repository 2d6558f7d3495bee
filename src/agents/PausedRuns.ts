/** Where the state of runs that are held is kept, so that they outlive this process if the cache does. */
import { Effect, Option } from "effect"
import * as Candidate from "../security/Candidate.ts"
import { RuntimeContext } from "../subsystems/memory/RuntimeContext.ts"
import { RunNotFound } from "./AgentErrors.ts"
import type { AgentRun, Pause } from "./AgentRun.ts"
import type { Process } from "./Process.ts"
import * as SavedRun from "./SavedRun.ts"

export const make = Effect.map(RuntimeContext, (context) => ({
  /** Never fails: a run whose state cannot be kept goes on to be held by this process. */
  keep: (run: AgentRun, pause: Pause): Effect.Effect<void> =>
    Effect.suspend(() => context.save(SavedRun.format, run.id, SavedRun.of(run, pause))).pipe(
      Effect.matchEffect({
        onSuccess: () => Effect.sync(() => void (run.saved = true)),
        onFailure: ({ message }) => Effect.logWarning(`a paused run is kept in this process only: ${message}`)
      }),
      Candidate.as(run.process.candidate)
    ),

  forget: (run: AgentRun): Effect.Effect<void> =>
    run.saved ? Effect.ignore(Candidate.as(context.remove(run.id), run.process.candidate)) : Effect.void,

  find: Effect.fnUntraced(function*(process: Process, id: string) {
    const unknown = new RunNotFound({ agent: process.id, run: id })
    // What comes from outside becomes part of a key.
    if (!/^[\w-]{1,200}$/.test(id)) return yield* unknown
    const found = yield* Candidate.as(context.load(SavedRun.format, id), process.candidate)
    return Option.isSome(found) && found.value.agent === process.id ? found.value : yield* unknown
  })
}))
