/** LLM: models of any provider behind one contract. Callers use {@link LLM}, providers implement {@link LLMConnector}. */
import { Clock, Context, Duration, Effect, Layer, Option, Redacted, Schedule, Schema, Stream } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { isTraced, traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Credentials from "../../security/Credentials.ts"
import * as Vault from "../../security/Vault.ts"
import { Policy } from "../io/NetworkPolicy.ts"
import { type Answer, checked, collect } from "./AnswerStream.ts"
import { builtInModels } from "./BuiltInModels.ts"
import * as Models from "./Models.ts"
import type { LLMEvent, Message, Parameters, Tool } from "./Prompt.ts"
import { UsageSink } from "./Usage.ts"

export type { Answer } from "./AnswerStream.ts"
export { ModelNotFound } from "./Models.ts"
export type { Parameters } from "./Prompt.ts"

/** No key for the provider in the candidate's vault, nor (in internal credential mode) in the environment. */
export class MissingCredentials extends Schema.TaggedError<MissingCredentials>()("MissingCredentials", {
  provider: Schema.String,
  /** Where a key was looked for. */
  lookedIn: Schema.Array(Schema.String),
  /** Variable whose key would do, if there is one. */
  variable: Schema.optional(Schema.String)
}) {
  override get message(): string {
    return `No API key for ${this.provider}. Looked in: ${this.lookedIn.join(", ")}`
  }
}

export type LLMError = Models.ModelNotFound | MissingCredentials | Access.AccessError

export interface Request extends Parameters {
  /** A name of the registry, or a model of one's own. */
  readonly model: string | ModelSpec
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined
}

/** A model given by value, as the SDK does; what is left out comes from the registry entry of `modelId`, if any. */
export interface ModelSpec {
  readonly provider: string
  readonly modelId: string
  readonly baseURL?: string | undefined
  /** Empty: no key is sent, not even one of the vault. */
  readonly apiKey?: Redacted.Redacted | undefined
  readonly contextTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

/** What a connector gets: the registry's decisions made, the key resolved for this candidate and this call only. */
export interface ProviderRequest extends Omit<Request, "model"> {
  /** The provider's own name of the model. */
  readonly modelId: string
  readonly baseURL: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
  /** Size of the model's answers in tokens, for providers that must be given a bound. `maxTokens` is within it. */
  readonly outputTokens: number | undefined
}

/** One provider. Holds no key and no client shared between keys of different tenants. */
export interface LLMProvider {
  /** As the models registry names it: `OpenAI`, `Echo`. */
  readonly provider: string
  readonly stream: (request: ProviderRequest) => Stream.Stream<LLMEvent, ConnectorError>
  readonly credentials: {
    /** Variable with the operator's own key. */
    readonly environment: string | undefined
    /** The operator's own key from the settings; wins over the variable. */
    readonly apiKey?: Redacted.Redacted | undefined
    /** Whether a call without any key makes no sense. */
    readonly required: boolean
  }
}

/** The contract: one provider of models. Several are installed side by side; the models registry names which one serves. */
export class LLMConnector extends Context.Tag("effect-sre/LLMConnector")<LLMConnector, LLMProvider>() {}

/** The installed providers by name in lower case. */
export class Providers extends Context.Tag("effect-sre/LLMProviders")<Providers, ReadonlyMap<string, LLMProvider>>() {}

export class LLM extends Context.Tag("effect-sre/LLM")<LLM, {
  /** Streams one answer, to its end as the candidate who began to consume it, whoever goes on. */
  readonly stream: (request: Request) => Stream.Stream<LLMEvent, LLMError>
  /** The whole answer. */
  readonly generate: (request: Request) => Effect.Effect<Answer, LLMError>
  /** Whether the asker can use the model: it is known, a provider serves it, and there is a key. Asks no provider. */
  readonly check: (model: Request["model"]) => Effect.Effect<void, LLMError>
}>() {}

/** `standalone`: one program's own system, where the operator's key serves every model. */
const make = (options: { readonly standalone: boolean }) =>
  Effect.gen(function*() {
    const providers = yield* Providers
    const models = yield* Models.Models
    const vault = yield* Vault.Vault
    const record = yield* UsageSink
    const policy = yield* Policy
    const guard = yield* Access.guard("LLM")

    const modelOf = (model: string | ModelSpec) =>
      typeof model === "string"
        ? models.get(model)
        : models.get(model.modelId).pipe(
          Effect.asSome,
          Effect.catchTag("ModelNotFound", () => Effect.succeedNone),
          Effect.map((known) => fromSpec(model, Option.getOrUndefined(known)))
        )

    /** A server that a candidate put into its own models is judged as any place it would connect to. */
    const reachable = (model: Models.Model) => {
      const detail = model.baseURL !== undefined && ownAddress(model) && URL.canParse(model.baseURL)
        ? policy.refusesUrl(new URL(model.baseURL))
        : undefined
      return detail === undefined ? Effect.void : Effect.fail(
        new ConnectorError({
          connector: model.provider,
          method: "stream",
          reason: "InvalidInput",
          detail: `the server of the model "${model.name}" must not be asked: ${detail}`
        })
      )
    }

    const providerOf = (model: Models.Model) => {
      const provider = providers.get(model.provider.toLowerCase())
      return provider !== undefined ? Effect.succeed(provider) : Effect.fail(
        new ConnectorError({
          connector: model.provider,
          method: "stream",
          reason: "Unsupported",
          detail: `no connector serves "${model.name}". Installed: ${
            Array.from(providers.values(), ({ provider }) => provider).join(", ") || "none"
          }`
        })
      )
    }

    const keyOf = (model: Models.Model, { credentials, provider }: LLMProvider) => {
      // A key the operator wrote in the settings is for all of the operator's models, after the asker's own.
      const serves = options.standalone ? !ownAddress(model) : credentials.apiKey !== undefined && !model.isCustom
      const modes = serves && !model.credentials.includes("none")
        ? [...model.credentials, "internal" as const]
        : model.credentials
      return Credentials.resolve({
        provider,
        modes,
        environment: credentials.environment,
        operatorKey: credentials.apiKey
      }).pipe(
        Effect.provideService(Vault.Vault, vault),
        Effect.catchTag("SecretNotFound", ({ name }) =>
          Effect.fail(new MissingCredentials({ provider, lookedIn: [`secret "${name}" of the vault`] }))),
        Effect.filterOrFail(
          (key) =>
            Option.isSome(key) || modes.includes("none") || !credentials.required || ownAddress(model),
          () =>
            new MissingCredentials({
              provider,
              lookedIn: modes.map((mode) => placeOf(mode, provider, credentials)),
              variable: credentials.environment
            })
        ),
        Effect.map(Option.getOrUndefined)
      )
    }

    /** All that is decided before a provider is asked; the key is of this asker and for this call. */
    const prepare = Effect.fnUntraced(function*({ model: named, ...request }: Request) {
      const model = yield* modelOf(named)
      const provider = yield* providerOf(model)
      if (typeof named === "string") yield* reachable(model)
      const given = typeof named === "string" ? undefined : named.apiKey
      const merged = { ...model.params, ...defined(request), messages: request.messages }
      const prepared: ProviderRequest = {
        ...merged,
        messages: merged.responseFormat === "json" ? instructed(merged.messages) : merged.messages,
        maxTokens: capped(merged.maxTokens, model.outputTokens),
        modelId: model.modelId,
        baseURL: model.baseURL,
        apiKey: given === undefined ? yield* keyOf(model, provider) : Redacted.value(given) === "" ? undefined : given,
        outputTokens: model.outputTokens
      }
      return { model, provider, prepared }
    }, traced("LLM.prepare"))

    const open = Effect.fnUntraced(function*(request: Request) {
      const candidate = yield* guard.candidate("stream")
      const { model, prepared, provider } = yield* prepare(request)
      const used = (events: Iterable<LLMEvent>) =>
        Effect.forEach(events, (event) =>
          event.type !== "usage" ?
            Effect.void :
            Effect.flatMap(Clock.currentTimeMillis, (time) =>
              record({ time, candidate, model: model.name, provider: provider.provider, usage: event.usage })), {
          discard: true
        })
      const answer = retryingUntilBegun(provider.stream(prepared)).pipe(
        (events) =>
          checked(events, provider.provider),
        Stream.mapChunksEffect((events) =>
          Effect.as(used(events), events)
        ),
        Candidate.streamAs(candidate)
      )
      const attributes = { provider: provider.provider, model: model.name }
      return (yield* isTraced) ? Stream.withSpan(answer, "LLM.stream", { attributes }) : answer
    })

    const stream = (request: Request) => Stream.unwrap(open(request))
    return LLM.of({
      stream,
      generate: (request) => traced("LLM.generate")(collect(stream(request))),
      check: (model) => Effect.zipRight(guard.candidate("check"), Effect.asVoid(prepare({ model, messages: [] })))
    })
  })

/** Over all installed providers, the registry and the vault. */
export const layer: Layer.Layer<LLM, never, Providers | Models.Models | Vault.Vault> = Layer.effect(
  LLM,
  make({ standalone: false })
)

/** The installed providers; the later of two of one name wins. */
export const providers = <E>(connectors: ReadonlyArray<Layer.Layer<LLMConnector, E>>): Layer.Layer<Providers, E> =>
  Layer.scoped(
    Providers,
    Effect.map(
      Effect.forEach(connectors, (connector) => Effect.map(Layer.build(connector), Context.get(LLMConnector)), {
        concurrency: "unbounded"
      }),
      (installed) => new Map(installed.map((provider) => [provider.provider.toLowerCase(), provider]))
    )
  )

/** One provider, the built-in models, no vault: the key is that of the call, of the settings or of the environment. */
export const standalone: Layer.Layer<LLM, never, LLMConnector> = Layer.effect(LLM, make({ standalone: true })).pipe(
  Layer.provide([
    Layer.effect(
      Providers,
      Effect.map(LLMConnector, (provider) => new Map([[provider.provider.toLowerCase(), provider]]))
    ),
    Layer.provide(
      Models.layer,
      Layer.effect(Models.ModelsConnector, Models.inMemory("built-in models", builtInModels))
    ),
    Layer.provide(
      Vault.layer,
      Layer.succeed(Vault.VaultConnector, {
        shared: Option.none(),
        get: () => Effect.succeedNone,
        names: () => Effect.succeed([]),
        set: () => noVault("set"),
        remove: () => noVault("remove")
      })
    )
  ])
)

const noVault = (method: string) =>
  Effect.fail(
    new ConnectorError({ connector: "none", method, reason: "Unsupported", detail: "no vault is configured" })
  )

/**
 * Three tries while the failure may pass, waiting as long as the provider asked; not once anything was answered, since it
 * would be said twice, nor when the wait is so long that the caller had better decide.
 */
const retryingUntilBegun = <A>(self: Stream.Stream<A, ConnectorError>) =>
  Stream.suspend(() => {
    let begun = false
    return self.pipe(
      Stream.mapChunks((chunk) => {
        begun = true
        return chunk
      }),
      Stream.retry(
        backoff.pipe(
          Schedule.whileInput((error: ConnectorError) => !begun && error.isRetryable && waitOf(error) <= longestWait)
        )
      )
    )
  })

const backoff = Schedule.identity<ConnectorError>().pipe(
  Schedule.intersect(
    Schedule.exponential("500 millis").pipe(Schedule.jittered, Schedule.intersect(Schedule.recurs(2)))
  ),
  Schedule.modifyDelay(([error], delay) => Math.max(Duration.toMillis(delay), waitOf(error)))
)

const longestWait = 30_000
const waitOf = ({ retryAfter }: ConnectorError) => retryAfter === undefined ? 0 : Duration.toMillis(retryAfter)

/** A model by value has what its entry in the registry says, unless that is another provider's or another address's. */
const fromSpec = (spec: ModelSpec, entry: Models.Model | undefined): Models.Model => {
  const known = entry?.provider.toLowerCase() === spec.provider.toLowerCase() ? entry : undefined
  const moved = spec.baseURL !== undefined && spec.baseURL !== known?.baseURL
  return {
    ...(known ?? unknownModel),
    name: spec.modelId,
    modelId: known?.modelId ?? spec.modelId,
    provider: spec.provider,
    baseURL: spec.baseURL ?? known?.baseURL,
    contextTokens: spec.contextTokens ?? known?.contextTokens,
    outputTokens: spec.outputTokens ?? known?.outputTokens,
    credentials: (moved ? unknownModel : known ?? unknownModel).credentials,
    isCustom: known === undefined || known.isCustom || moved
  }
}

const unknownModel: Models.Model = {
  name: "",
  modelId: "",
  provider: "",
  label: "",
  features: [],
  tags: [],
  contextTokens: undefined,
  outputTokens: undefined,
  baseURL: undefined,
  credentials: ["vault"],
  interface: undefined,
  params: {},
  fallback: undefined,
  settings: {},
  enabled: true,
  hidden: false,
  isCustom: true
}

/** Whether the asker chose where the call goes: then the operator's key must not, and a server without keys may. */
const ownAddress = (model: Models.Model) => model.isCustom && model.baseURL !== undefined

const placeOf = (mode: Credentials.Mode, provider: string, { environment }: LLMProvider["credentials"]): string =>
  mode === "vault"
    ? `secret "${provider.toLowerCase()}" of the vault`
    : mode === "internal"
    ? ["settings.apiKey", ...(environment === undefined ? [] : [environment])].join(", ")
    : "the model's own credentials"

const capped = (asked: number | undefined, most: number | undefined) =>
  asked === undefined || most === undefined || most === 0 ? asked : Math.min(asked, most)

const defined = <A extends object>(record: A): A =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as A

/** Providers differ in how well they keep to JSON, and some refuse JSON mode unless the word is in the prompt. */
const instructed = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const at = messages.findIndex(({ role }) => role === "system")
  return at < 0
    ? [{ role: "system", content: jsonInstruction }, ...messages]
    : messages.map((message, index) =>
      index === at && message.role === "system"
        ? { role: "system", content: `${message.content}\n\n${jsonInstruction}` }
        : message
    )
}

const jsonInstruction =
  "Answer with exactly one JSON object that a strict parser accepts: names and texts in double quotes, on a single line, " +
  `nothing before or after it. If there is one single answer, put it under the name "result".`
