/** Work of a trigger itself, before any run: as its agent, within a time, and with what goes wrong told in one way. */
import { Effect } from "effect"
import { isRefusal, type Refusal, type Trouble } from "../components/Entry.ts"
import type { Services } from "../components/Services.ts"
import * as Candidate from "../security/Candidate.ts"
import { TriggerFailed } from "./AgentErrors.ts"
import type { LoadedTrigger } from "./LoadedTrigger.ts"

/** Refusals stay what they are. What crashes does so alone. */
export type TriggerWork = <A, E extends Refusal | Trouble>(
  trigger: LoadedTrigger,
  work: () => Effect.Effect<A, E, Services>
) => Effect.Effect<A, TriggerFailed | Extract<E, Refusal>>

export const make: Effect.Effect<TriggerWork, never, Services> = Effect.map(
  Effect.context<Services>(),
  (services): TriggerWork => ({ name, process }, work) =>
    Effect.suspend(work).pipe(
      Effect.catchAllDefect((defect) =>
        Effect.zipRight(
          Effect.logError(`trigger "${name}" of ${process.id} crashed`, defect),
          Effect.fail({ message: `it crashed: ${defect instanceof Error ? defect.message : String(defect)}` })
        )
      ),
      Effect.timeoutFail({
        duration: "1 minute",
        onTimeout: () => ({ message: "it took longer than a minute" })
      }),
      Effect.provide(services),
      Candidate.as(process.candidate),
      Effect.mapError((error) =>
        isRefusal(error)
          ? error as never
          : new TriggerFailed({ agent: process.id, trigger: name, problem: error.message })
      )
    )
)
