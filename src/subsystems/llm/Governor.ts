/**
 * Governor: what every call of a model passes before its provider is asked. The services that ask models tell it what they are
 * about to do; nothing is limited, unless `Governed` or another one is provided.
 */
import { Context, type Duration, Effect, type Redacted, type Scope } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import type * as Candidate from "../../security/Candidate.ts"
import type { BudgetExceeded } from "./BudgetStore.ts"
import * as Circuits from "./Circuits.ts"
import type { Model } from "./Models.ts"
import type { Units } from "./Prices.ts"
import type { Usage } from "./Prompt.ts"

export interface Call {
  /** The service that makes it: `Images`. */
  readonly service: string
  readonly method: string
  readonly candidate: Candidate.Candidate
  readonly model: Model
  /** As its connector calls itself. */
  readonly provider: string
  readonly apiKey: Redacted.Redacted | undefined
  /** Found out only where something is limited. */
  readonly most: Effect.Effect<Most>
}

/** The most a call can use. */
export interface Most {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly units?: Units | undefined
}

/** A call that was let through. */
export interface Admitted {
  /** What the provider says it used, piece by piece. Where it never says, the call counts as the most it could be. */
  readonly used: (usage: Usage, units?: Units) => Effect.Effect<void>
  /** How it ended, where that was no success: a provider bills nothing for what it refuses. */
  readonly failed: (error: { readonly _tag: string; readonly reason?: ConnectorError["reason"] }) => Effect.Effect<void>
  /** Ends a call whose time is limited. */
  readonly deadline:
    | { readonly after: Duration.Duration; readonly exceeded: BudgetExceeded }
    | undefined
  /** Whether its tokens are limited: an output nobody has bounded would be known only when it is there. */
  readonly limitsTokens: boolean
}

export class Governor extends Context.Reference<Governor>()("effect-sre/Governor", {
  defaultValue: (): {
    /** Reserves what the call can take, until the scope closes. */
    readonly admit: (call: Call) => Effect.Effect<Admitted, BudgetExceeded | ConnectorError, Scope.Scope>
    /** Waits until the key may be used for another try, of so many tokens as providers count before they answer. */
    readonly turn: (call: Call, tokens: number) => Effect.Effect<void, ConnectorError>
    readonly circuits: Circuits.Circuits
  } => ({
    admit: () => Effect.succeed(unlimited),
    turn: () => Effect.void,
    circuits: Circuits.closed
  })
}) {}

export const unlimited: Admitted = {
  used: () => Effect.void,
  failed: () => Effect.void,
  deadline: undefined,
  limitsTokens: false
}
