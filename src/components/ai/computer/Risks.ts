/** What a person is asked about before it is done on a computer, and the asking. */
import { type Duration, Effect } from "effect"
import { ActionRefused, type Judge, type Visit } from "../../../subsystems/compute/Computer.ts"
import { type Action, summary } from "../../../subsystems/compute/ComputerAction.ts"
import { Confirmations, type Question } from "../../../subsystems/compute/Confirmations.ts"
import type { Step } from "../../Component.ts"

type Kind = Question["kind"]

export interface Risks {
  readonly beforeAction: (action: Action) => Effect.Effect<void, ActionRefused>
  readonly beforeRequest: Judge
  /** The provider of the model wants a person to look. */
  readonly beforeChecked: (doubts: string) => Effect.Effect<void, ActionRefused>
}

interface Options {
  /** Kinds that are asked about. */
  readonly confirm: ReadonlyArray<string>
  readonly timeout: Duration.DurationInput
  readonly step: Step
  /** What the screen showed last. */
  readonly screenshot: () => string | undefined
}

export const make = ({ confirm, screenshot, step, timeout }: Options) =>
  Effect.map(Confirmations, ({ ask }): Risks => {
    const asked = (kind: Kind, detail: string): Effect.Effect<void, ActionRefused> =>
      Effect.suspend(() =>
        ask({
          kind,
          detail,
          screenshot: screenshot(),
          agent: { id: step.agent.id, name: step.agent.name },
          run: step.run.id,
          component: step.component.id
        })
      ).pipe(
        // The host's own code: when it crashes, nobody has said yes.
        Effect.catchAllDefect((defect) => Effect.as(Effect.logError("a confirmation crashed", defect), false)),
        Effect.timeoutTo({ duration: timeout, onSuccess: (yes) => yes, onTimeout: () => false }),
        Effect.flatMap((yes) => {
          step.log(yes ? "info" : "warning", `${detail}: ${yes ? "confirmed" : "not confirmed"}`)
          return yes ? Effect.void : Effect.fail(
            new ActionRefused({
              action: kind,
              reason: "Unconfirmed",
              detail: `${detail} needs the confirmation of a person, which was not given`
            })
          )
        })
      )
    const unlessAllowed = (kind: Kind | undefined, detail: () => string) =>
      kind !== undefined && confirm.includes(kind) ? asked(kind, detail()) : Effect.void

    return {
      beforeAction: (action) => unlessAllowed(kindOfAction(action), () => summary(action)),
      beforeRequest: (visit) =>
        Effect.mapError(
          unlessAllowed(kindOfVisit(visit), () => `${visit.method} ${visit.url.origin}${visit.url.pathname}`),
          ({ detail }) => detail
        ),
      beforeChecked: (doubts) => asked("check", doubts)
    }
  })

const kindOfAction = ({ type }: Action): Kind | undefined =>
  type === "key"
    ? "keys"
    : type === "type"
    ? "typing"
    : type === "click" || type === "drag" || type === "press" || type === "release"
    ? "clicks"
    : undefined

/** Whatever led to it, what sends data is known by its method; and a page by where it is. */
const kindOfVisit = ({ from, isPage, method, url }: Visit): Kind | undefined =>
  !["GET", "HEAD", "OPTIONS"].includes(method)
    ? "submit"
    : isPage && from !== undefined && from !== url.origin
    ? "navigation"
    : undefined
