/** LLM: models of any provider behind one contract. Callers use {@link LLM}, providers implement {@link LLMConnector}. */
import { type Chunk, Clock, Context, type Duration, Effect, Layer, Option, Redacted, type Schema, Stream } from "effect"
import { ConnectorError, onceFailed } from "../../kernel/ConnectorError.ts"
import * as Pull from "../../kernel/Pull.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Vault from "../../security/Vault.ts"
import type { Display } from "../compute/Computer.ts"
import { type NetworkPolicy, Policy } from "../io/NetworkPolicy.ts"
import { Telemetry } from "../io/Telemetry.ts"
import { type Answer, checked, collect } from "./AnswerStream.ts"
import type { BudgetExceeded } from "./BudgetStore.ts"
import * as ContextWindow from "./ContextWindow.ts"
import * as GenAI from "./GenAI.ts"
import { type Admitted, type Call, Governor } from "./Governor.ts"
import * as ModelCalls from "./ModelCalls.ts"
import * as Models from "./Models.ts"
import type { LLMEvent, Message, Parameters, Tool, Usage } from "./Prompt.ts"
import * as ProviderKey from "./ProviderKey.ts"
import * as Tokenizer from "./Tokenizer.ts"
import * as TypedAnswer from "./TypedAnswer.ts"
import { UsageSink } from "./Usage.ts"
import * as WorstCase from "./WorstCase.ts"

export type { Answer } from "./AnswerStream.ts"
export { ModelNotFound } from "./Models.ts"
export type { Parameters } from "./Prompt.ts"
export { MissingCredentials } from "./ProviderKey.ts"
export { InvalidAnswer, type TypedRequest } from "./TypedAnswer.ts"

export type LLMError = BudgetExceeded | Models.ModelNotFound | ProviderKey.MissingCredentials | Access.AccessError

export interface Request extends Parameters {
  /** A name of the registry, or a model of one's own. */
  readonly model: string | ModelSpec
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined
  /** JSON Schema of the one JSON object the answer is to be: binding where the provider can hold its models to it. */
  readonly responseSchema?: Readonly<Record<string, unknown>> | undefined
  /** Lets the model search the web; what it cites is listed at the end of its answer. */
  readonly webSearch?: WebSearch | undefined
  /** Lets the model use a screen of this size; its calls are those of `ComputerTool`. */
  readonly computer?: Display | undefined
  /** Takes the answer the asker got to the same request within this time, where answers are kept; `false`: a new one. */
  readonly cache?: Duration.DurationInput | false | undefined
}

export interface WebSearch {
  /** How much of what was found the model reads. Default `medium`. */
  readonly contextSize?: "low" | "medium" | "high" | undefined
  /** Where the asker is, roughly; `country` in two letters, `timezone` as IANA names it. */
  readonly location?: {
    readonly city?: string | undefined
    readonly country?: string | undefined
    readonly region?: string | undefined
    readonly timezone?: string | undefined
  } | undefined
  /** For providers that can be told where to search; with others a request that has it is refused. Default: the web. */
  readonly places?: SearchPlaces | undefined
}

/** Of a pair of lists only one counts: what is searched alone, before what is left out. */
export interface SearchPlaces {
  readonly web?: {
    readonly allowedDomains?: ReadonlyArray<string> | undefined
    readonly excludedDomains?: ReadonlyArray<string> | undefined
  } | undefined
  /** Posts on X, by the names of accounts and from day to day: `YYYY-MM-DD`. */
  readonly posts?: {
    readonly allowedAccounts?: ReadonlyArray<string> | undefined
    readonly excludedAccounts?: ReadonlyArray<string> | undefined
    readonly from?: string | undefined
    readonly to?: string | undefined
  } | undefined
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
export interface ProviderRequest extends Omit<Request, "cache" | "model"> {
  /** The provider's own name of the model. */
  readonly modelId: string
  readonly baseURL: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
  /** Size of the model's answers in tokens, for providers that must be given a bound. `maxTokens` is within it. */
  readonly outputTokens: number | undefined
  /** Which of a provider's interfaces serves the model; by default its usual one. */
  readonly interface?: Models.Model["interface"]
  /** What only this provider knows of the model: region, project. */
  readonly settings?: Models.Model["settings"] | undefined
  /** Judges the address of `baseURL`, and what DNS makes of it. None where the operator chose it. */
  readonly policy?: NetworkPolicy | undefined
}

/** One provider. Holds no key and no client shared between keys of different tenants. */
export interface LLMProvider extends ProviderKey.Keyed {
  /** Whether its models can be given a computer; where not, nobody is asked. */
  readonly computer?: boolean
  /** Whether a search can be told its places; where not, nobody is asked. */
  readonly searchPlaces?: boolean
  readonly stream: (request: ProviderRequest) => Stream.Stream<LLMEvent, ConnectorError>
  /** Input tokens of the request, as the provider counts them for this model; none where it does not. Costs nothing. */
  readonly count?: (request: ProviderRequest) => Effect.Effect<Option.Option<number>, ConnectorError>
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
  /** Input tokens of the request, as the model's provider counts them; none where it does not. Asked once, and not billed. */
  readonly count: (request: Request) => Effect.Effect<Option.Option<number>, LLMError>
}>() {}

/** The answer as `schema` describes it, decoded; of one that is not that, the model is told once what is wrong with it. */
export const object = <A, I, R>(
  request: TypedAnswer.TypedRequest,
  schema: Schema.Schema<A, I, R>
): Effect.Effect<A, LLMError | TypedAnswer.InvalidAnswer, LLM | R> =>
  Effect.flatMap(LLM, ({ generate }) => TypedAnswer.ask(generate, request, schema))

/** `standalone`: one program's own system, where the operator's key serves every model. */
const make = (options: { readonly standalone: boolean }) =>
  Effect.gen(function*() {
    const providers = yield* Providers
    const models = yield* Models.Models
    const vault = yield* Vault.Vault
    const record = yield* UsageSink
    const policy = yield* Policy
    const collected = yield* Telemetry
    const governor = yield* Governor
    const loadCounter = yield* Tokenizer.Tokenizer
    const guard = yield* Access.guard("LLM")

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

    /** All that is decided before a provider is asked; the key is of this asker and for this call. */
    const prepare = Effect.fnUntraced(function*({ model: named, ...request }: Request) {
      const model = yield* modelOf(models, named)
      const provider = yield* providerOf(model)
      if (request.computer !== undefined && provider.computer !== true) return yield* noComputer(model, provider)
      if (request.webSearch?.places !== undefined && provider.searchPlaces !== true) {
        return yield* noPlaces(model, provider)
      }
      const judge = typeof named === "string"
        ? yield* ProviderKey.reachable(model, provider, policy, "stream")
        : undefined
      const given = typeof named === "string" ? undefined : named.apiKey
      const merged = { ...model.params, ...defined(request), messages: request.messages }
      const prepared: ProviderRequest = {
        ...merged,
        messages: instructed(merged),
        maxTokens: capped(merged.maxTokens, model.outputTokens),
        modelId: model.modelId,
        baseURL: model.baseURL,
        apiKey: given === undefined
          ? yield* ProviderKey.keyOf(model, provider, vault, options)
          : Redacted.value(given) === ""
          ? undefined
          : given,
        outputTokens: model.outputTokens,
        interface: model.interface,
        settings: model.settings,
        policy: judge
      }
      return { model, provider, prepared }
    }, traced("LLM.prepare"))

    const open = Effect.fnUntraced(function*(request: Request) {
      const candidate = yield* guard.candidate("stream")
      const { model, prepared, provider } = yield* prepare(request)
      const sizes = typeof request.model === "string" ? ModelCalls.sizesOf(model) : {}
      const call: Call = {
        service: "LLM",
        method: "stream",
        candidate,
        model,
        provider: provider.provider,
        apiKey: prepared.apiKey,
        most: Effect.map(loadCounter, ({ atMost }) => WorstCase.mostOf(prepared, sizes, atMost))
      }
      const admitted = yield* governor.admit(call)
      const asked = admitted.limitsTokens && sizes.outputTokens === undefined
        ? { ...prepared, maxTokens: WorstCase.outputOf(prepared, sizes) }
        : prepared
      const used = (usage: Usage) =>
        Effect.flatMap(Clock.currentTimeMillis, (time) =>
          Effect.zipRight(
            admitted.used(usage),
            record({
              time,
              candidate,
              model: model.name,
              provider: provider.provider,
              kind: "text",
              usage,
              prices: model.prices
            })
          ))
      const told = (events: Chunk.Chunk<LLMEvent>) => {
        const usages = Array.from(events).flatMap((event) => event.type === "usage" ? [event.usage] : [])
        return usages.length === 0
          ? Effect.succeed(events)
          : Effect.as(Effect.forEach(usages, used, { discard: true }), events)
      }
      const tried = Effect.zipRight(
        governor.turn(call, tokensOf(asked)),
        Effect.suspend(() => Pull.open(provider.stream(asked)))
      )
      const answer = Pull.toStream(onceFailed(Pull.alone(Pull.begun(tried)), isRetryable, Effect.retry(again))).pipe(
        (events) => checked(events, provider.provider),
        Pull.via(Effect.flatMap(told)),
        Pull.tapError((error: ConnectorError) => admitted.failed(error)),
        Candidate.streamAs(candidate)
      )
      const { isCustom, modelId, name: requested } = model
      const described = { provider: provider.provider, requested, modelId, isCustom, request: asked }
      return endingBy(admitted.deadline)(yield* GenAI.observed(described, answer, collected))
    })

    const stream = (request: Request) => Pull.unwrap(open(request))
    return LLM.of({
      stream,
      generate: (request) => traced("LLM.generate")(collect(stream(request))),
      check: (model) => Effect.zipRight(guard.candidate("check"), Effect.asVoid(prepare({ model, messages: [] }))),
      count: Effect.fnUntraced(function*(request) {
        yield* guard.candidate("count")
        const { prepared, provider } = yield* prepare(request)
        return yield* provider.count === undefined
          ? Effect.succeedNone
          : inTime(provider.provider, provider.count(prepared))
      }, traced("LLM.count"))
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
      ModelCalls.byName
    )
  )

/** One provider, the built-in models, no vault: the key is that of the call, of the settings or of the environment. */
export const standalone: Layer.Layer<LLM, never, LLMConnector> = Layer.provide(
  Layer.effect(LLM, make({ standalone: true })),
  ModelCalls.alone(LLMConnector, Providers)
)

const isRetryable = (error: ConnectorError) => error.isRetryable

/** Another try is made only while nothing was answered, since it would be said twice. */
const again = ModelCalls.backoff(isRetryable)

const endingBy =
  (deadline: Admitted["deadline"]) =>
  <A>(self: Stream.Stream<A, ConnectorError>): Stream.Stream<A, BudgetExceeded | ConnectorError> =>
    deadline === undefined
      ? self
      : Stream.interruptWhen(self, Effect.delay(Effect.fail(deadline.exceeded), deadline.after))

/** Whoever wants to know the size of a request waits to make it. */
const inTime = <A>(connector: string, count: Effect.Effect<A, ConnectorError>) =>
  Effect.timeoutFail(count, {
    duration: "20 seconds",
    onTimeout: () =>
      new ConnectorError({
        connector,
        method: "count",
        reason: "Timeout",
        detail: "the tokens were not counted in 20 seconds"
      })
  })

const tokensOf = ({ maxTokens = 0, messages }: ProviderRequest) =>
  messages.reduce((sum, message) => sum + ContextWindow.tokensOf(message), maxTokens)

/** What a request's model is to its asker. */
export const modelOf = (
  models: typeof Models.Models.Service,
  model: Request["model"]
): Effect.Effect<Models.Model, Models.ModelNotFound | Models.ModelsError> =>
  typeof model === "string"
    ? models.get(model)
    : models.get(model.modelId).pipe(
      Effect.asSome,
      Effect.catchTag("ModelNotFound", () => Effect.succeedNone),
      Effect.map((known) => fromSpec(model, Option.getOrUndefined(known)))
    )

/** A model by value has what its entry in the registry says, unless that is another provider's or another address's. */
const fromSpec = (spec: ModelSpec, entry: Models.Model | undefined): Models.Model => {
  const known = entry?.provider.toLowerCase() === spec.provider.toLowerCase() ? entry : undefined
  const moved = spec.baseURL !== undefined && spec.baseURL !== known?.baseURL
  return {
    ...(known ?? ProviderKey.unknownModel),
    name: spec.modelId,
    modelId: known?.modelId ?? spec.modelId,
    provider: spec.provider,
    baseURL: spec.baseURL ?? known?.baseURL,
    contextTokens: spec.contextTokens ?? known?.contextTokens,
    outputTokens: spec.outputTokens ?? known?.outputTokens,
    credentials: (moved ? ProviderKey.unknownModel : known ?? ProviderKey.unknownModel).credentials,
    isCustom: known === undefined || known.isCustom || moved,
    isForeign: known === undefined || known.isForeign || moved
  }
}

const noComputer = ({ name }: Models.Model, { provider }: LLMProvider) =>
  new ConnectorError({
    connector: provider,
    method: "stream",
    reason: "Unsupported",
    detail: `"${name}" cannot use a computer: there is no tool for it with models of ${provider}`
  })

const noPlaces = ({ name }: Models.Model, { provider }: LLMProvider) =>
  new ConnectorError({
    connector: provider,
    method: "stream",
    reason: "Unsupported",
    detail: `the search of "${name}" cannot be told where to search: models of ${provider} take no such thing`
  })

const capped = (asked: number | undefined, most: number | undefined) =>
  asked === undefined || most === undefined || most === 0 ? asked : Math.min(asked, most)

const defined = <A extends object>(record: A): A =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as A

/** Providers differ in how well they keep to JSON, and some refuse JSON mode unless the word is in the prompt. */
const instructed = (
  { messages, responseFormat, responseSchema }: Pick<Request, "messages" | "responseFormat" | "responseSchema">
): ReadonlyArray<Message> => {
  if (responseFormat !== "json" && responseSchema === undefined) return messages
  const instruction = responseSchema === undefined
    ? jsonInstruction
    : `Answer with exactly one JSON object, nothing before or after it, that is valid against this JSON Schema:\n${
      JSON.stringify(responseSchema)
    }`
  const at = messages.findIndex(({ role }) => role === "system")
  return at < 0
    ? [{ role: "system", content: instruction }, ...messages]
    : messages.map((message, index) =>
      index === at && message.role === "system"
        ? { role: "system", content: `${message.content}\n\n${instruction}` }
        : message
    )
}

const jsonInstruction =
  "Answer with exactly one JSON object that a strict parser accepts: names and texts in double quotes, on a single line, " +
  `nothing before or after it. If there is one single answer, put it under the name "result".`
