/** Confirmations: whoever is asked before an agent does on a screen what it may not do by itself. */
import { Context, Effect } from "effect"

/** What is about to be done. */
export interface Question {
  /** `check`: the provider of the model has doubts and wants a person to look. */
  readonly kind: "submit" | "navigation" | "keys" | "typing" | "clicks" | "check"
  /** For a person: `POST https://shop.example.com/order`. It may repeat what a page or a model says. */
  readonly detail: string
  /** What the screen shows, a `smythfs://` URI that the agent can read; none before the first look. */
  readonly screenshot: string | undefined
  readonly agent: { readonly id: string; readonly name: string }
  readonly run: string
  /** The id of the component. */
  readonly component: string
}

export interface ConfirmationsService {
  /** As the agent. Whether it may be done; no answer in time means no. */
  readonly ask: (question: Question) => Effect.Effect<boolean>
}

/** Without a host that asks somebody, nothing is confirmed. */
export class Confirmations extends Context.Reference<Confirmations>()("effect-sre/Confirmations", {
  defaultValue: (): ConfirmationsService => ({ ask: () => Effect.succeed(false) })
}) {}
