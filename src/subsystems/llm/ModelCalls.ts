/**
 * ModelCalls: what the services have in common that ask one provider for one thing: whose model it is, with which key it is
 * asked, within which limits, and what is recorded of it.
 */
import { Clock, type Context, Duration, Effect, Layer, Schedule } from "effect"
import { ConnectorError, onceFailed } from "../../kernel/ConnectorError.ts"
import type * as Access from "../../security/Access.ts"
import type * as Candidate from "../../security/Candidate.ts"
import * as Vault from "../../security/Vault.ts"
import { type NetworkPolicy, Policy } from "../io/NetworkPolicy.ts"
import type { BudgetExceeded } from "./BudgetStore.ts"
import { builtInModels } from "./BuiltInModels.ts"
import * as Circuits from "./Circuits.ts"
import { type Call, Governor, type Most } from "./Governor.ts"
import * as Models from "./Models.ts"
import type { Units } from "./Prices.ts"
import type { Usage as Tokens } from "./Prompt.ts"
import * as ProviderKey from "./ProviderKey.ts"
import * as Tokenizer from "./Tokenizer.ts"
import * as Usage from "./Usage.ts"

export type CallError = BudgetExceeded | ProviderKey.MissingCredentials | Access.AccessError

/** Where a call goes, and how it is tried. */
export interface Asked<P> {
  readonly provider: P
  readonly endpoint: Endpoint
  /** Each try waits for its turn. `tokens` as providers count them before they answer. */
  readonly attempt: <A>(tokens: number, self: Effect.Effect<A, ConnectorError>) => Effect.Effect<A, ConnectorError>
}

export interface Endpoint {
  readonly modelId: string
  readonly baseURL: string | undefined
  readonly apiKey: Call["apiKey"]
  /** Judges what DNS makes of the address, where a candidate chose it. */
  readonly policy: NetworkPolicy | undefined
}

/** What an answer took. Of one without `usage` nobody knows its tokens. */
export interface Took {
  readonly usage?: Tokens | undefined
  readonly units?: Units | undefined
}

export interface Task<P, A> {
  readonly method: string
  readonly kind: Usage.Kind
  readonly candidate: Candidate.Candidate
  readonly model: Models.Model
  /** The most it can take; `sizes` are those of the model that can be relied on. */
  readonly most: (atMost: (text: string) => number, sizes: Sizes) => Most
  /** Which failures are worth another try. */
  readonly again: (error: ConnectorError) => boolean
  readonly run: (asked: Asked<P>) => Effect.Effect<A, ConnectorError>
  readonly took: (answer: A) => Took
}

export type Sizes = Partial<Pick<Models.Model, "contextTokens" | "outputTokens">>

export const make = <P extends ProviderKey.Keyed>(
  service: string,
  providers: ReadonlyMap<string, P>,
  options: { readonly standalone: boolean }
) =>
  Effect.gen(function*() {
    const vault = yield* Vault.Vault
    const policy = yield* Policy
    const record = yield* Usage.UsageSink
    const governor = yield* Governor
    const loadCounter = yield* Tokenizer.Tokenizer

    /** The answer, with the provider that gave it. */
    return Effect.fnUntraced(
      function*<A>(
        { again, candidate, kind, method, model, most, run, took }: Task<P, A>
      ): Effect.fn.Return<readonly [A, P], CallError> {
        const provider = providers.get(model.provider.toLowerCase())
        if (provider === undefined) return yield* unserved(service, method, model, providers)
        const judge = yield* ProviderKey.reachable(model, provider, policy, method)
        const apiKey = yield* ProviderKey.keyOf(model, provider, vault, options)
        const call: Call = {
          service,
          method,
          candidate,
          model,
          provider: provider.provider,
          apiKey,
          most: Effect.map(loadCounter, ({ atMost }) => most(atMost, sizesOf(model)))
        }
        const asked: Asked<P> = {
          provider,
          endpoint: { modelId: model.modelId, baseURL: model.baseURL, apiKey, policy: judge },
          attempt: (tokens, self) =>
            onceFailed(
              Effect.zipRight(governor.turn(call, tokens), self),
              again,
              (self) => Effect.retry(self, backoff(again))
            )
        }
        const endpoint = yield* governor.circuits.of(`${provider.provider} ${service} ${model.baseURL ?? ""}`)
        const governed = Effect.gen(function*() {
          const admitted = yield* governor.admit(call)
          const { deadline } = admitted
          const answer = yield* run(asked).pipe(
            Circuits.watched(governor.circuits, endpoint),
            (self) =>
              deadline === undefined
                ? self
                : Effect.timeoutFail(self, { duration: deadline.after, onTimeout: () => deadline.exceeded }),
            Effect.tapError(admitted.failed)
          )
          const { units, usage } = took(answer)
          if (usage !== undefined) yield* admitted.used(usage, units)
          const time = yield* Clock.currentTimeMillis
          yield* record({
            time,
            candidate,
            model: model.name,
            provider: provider.provider,
            kind,
            usage: usage ?? Usage.zero,
            units,
            prices: model.prices
          })
          return answer
        })
        const answer = yield* Effect.zipRight(governor.circuits.enter(endpoint, method), Effect.scoped(governed))
        return [answer, provider] as const
      }
    )
  })

/** What a candidate says of the sizes of a model is not what bounds its calls. */
export const sizesOf = (model: Models.Model): Sizes => model.isCustom ? {} : model

/** What a model nobody knows the sizes of writes at most, in tokens. */
export const unbounded = 8192

/* ------------------------------------------------------------------------------------------------------------------
 * Another try
 * ---------------------------------------------------------------------------------------------------------------- */

/** Three tries, waiting as long as the provider asked; not when that is so long that the caller had better decide. */
export const backoff = (again: (error: ConnectorError) => boolean) =>
  Schedule.identity<ConnectorError>().pipe(
    Schedule.intersect(
      Schedule.exponential("500 millis").pipe(Schedule.jittered, Schedule.intersect(Schedule.recurs(2)))
    ),
    Schedule.modifyDelay(([error], delay) => Math.max(Duration.toMillis(delay), waitOf(error))),
    Schedule.whileInput((error: ConnectorError) => again(error) && waitOf(error) <= longestWait)
  )

/** What costs money is asked for again only where the provider says that it did nothing. */
export const whenRefused = ({ reason }: ConnectorError): boolean => reason === "RateLimited"

const longestWait = 30_000
const waitOf = ({ retryAfter }: ConnectorError) => retryAfter === undefined ? 0 : Duration.toMillis(retryAfter)

/* ------------------------------------------------------------------------------------------------------------------
 * Providers
 * ---------------------------------------------------------------------------------------------------------------- */

/** Providers by name in lower case; the later of two of one name wins. */
export const byName = <P extends ProviderKey.Keyed>(providers: ReadonlyArray<P>): ReadonlyMap<string, P> =>
  new Map(providers.map((one) => [one.provider.toLowerCase(), one]))

/** One provider, the built-in models, no vault: what a service stands on that is alone in a program. */
export const alone = <Id, P extends ProviderKey.Keyed, ProvidersId>(
  contract: Context.Tag<Id, P>,
  providers: Context.Tag<ProvidersId, ReadonlyMap<string, P>>
): Layer.Layer<Models.Models | ProvidersId | Vault.Vault, never, Id> =>
  Layer.mergeAll(
    Layer.effect(providers, Effect.map(contract, (provider) => byName([provider]))),
    Layer.provide(
      Models.layer,
      Layer.effect(Models.ModelsConnector, Models.inMemory("built-in models", builtInModels))
    ),
    ProviderKey.withoutVault
  )

const unserved = (
  service: string,
  method: string,
  { name, provider }: Models.Model,
  providers: ReadonlyMap<string, ProviderKey.Keyed>
) =>
  Effect.fail(
    new ConnectorError({
      connector: service,
      method,
      reason: "Unsupported",
      detail: `no connector of ${service} serves "${name}", a model of ${provider}. Installed: ${
        Array.from(providers.values(), ({ provider }) => provider).join(", ") || "none"
      }`
    })
  )
