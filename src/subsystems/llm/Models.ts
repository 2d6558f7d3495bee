/**
 * Models: which model a name means, who serves it, and its sizes. Callers use {@link Models}, connectors implement
 * {@link ModelsConnector}. The operator's models are everybody's; a custom model belongs to the candidate who added it.
 */
import { Context, Effect, Layer, Ref, Schema } from "effect"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { didYouMean, nearest } from "../../kernel/Nearest.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Credentials from "../../security/Credentials.ts"
import { Prices } from "./Prices.ts"
import { Parameters } from "./Prompt.ts"

/** No model of that name in the registry of the candidate: never a silent substitute. */
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()("ModelNotFound", {
  model: Schema.String,
  near: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Unknown model "${this.model}".${didYouMean(this.model, this.near)}`
  }
}

const Size = Schema.Int.pipe(Schema.nonNegative())

const Sizes = Schema.Struct({ tokens: Schema.optional(Size), completionTokens: Schema.optional(Size) })

export const Choice = Schema.Literal("order", "price", "latency")

/** One model as registry files hold it; fields unknown here are ignored. */
export const ModelEntry = Schema.Struct({
  /** Connector that serves it: `OpenAI`. May be left out by an entry with an alias. */
  provider: Schema.optional(Schema.NonEmptyString),
  /** The provider's own name; by default the registry's. */
  modelId: Schema.optional(Schema.NonEmptyString),
  label: Schema.optional(Schema.String),
  /** Another entry, whose data apply. */
  alias: Schema.optional(Schema.NonEmptyString),
  /** `text`, `image`, `tools`, `reasoning`, `search`, `image-generation`, `embeddings`, … */
  features: Schema.optional(Schema.Array(Schema.String)),
  tags: Schema.optional(Schema.Array(Schema.String)),
  /** Size of the context. */
  tokens: Schema.optional(Size),
  /** Size of an answer. */
  completionTokens: Schema.optional(Size),
  /** Sizes with the asker's own key; they win. */
  keyOptions: Schema.optional(Sizes),
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  credentials: Schema.optional(Schema.Union(Credentials.Mode, Schema.Array(Credentials.Mode))),
  interface: Schema.optional(Schema.Literal("chat.completions", "responses", "generateContent", "generateImages")),
  /** Parameters of calls that leave them out. */
  params: Schema.optional(Parameters),
  prices: Schema.optional(Prices),
  /** A choice among other entries: the first that can serve a call does, the next one when it fails. Its data are the first's. */
  models: Schema.optional(Schema.NonEmptyArray(Schema.NonEmptyString)),
  /** In which order they are asked: as listed (the default), the cheapest first, or the one that lately answered soonest. */
  choose: Schema.optional(Choice),
  /** Another entry to call when a call of this one fails. */
  fallbackLLM: Schema.optional(Schema.String),
  /** What only one provider knows: region, project, foundation model. */
  settings: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** Hints for lists in user interfaces. */
  enabled: Schema.optional(Schema.Boolean),
  hidden: Schema.optional(Schema.Boolean)
})
export type ModelEntry = typeof ModelEntry.Type

/** An entry with its alias applied and its defaults filled in. */
export interface Model {
  readonly name: string
  readonly modelId: string
  readonly provider: string
  readonly label: string
  readonly features: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly contextTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly baseURL: string | undefined
  /** Tried in this order. Never the operator's key for an address or a model the operator did not enter. */
  readonly credentials: ReadonlyArray<Credentials.Mode>
  readonly interface: ModelEntry["interface"]
  readonly params: Parameters
  /** None: nobody knows what it costs. */
  readonly prices: Prices | undefined
  /** Other names of the registry this one stands for; none for most. */
  readonly models: ReadonlyArray<string>
  readonly choose: typeof Choice.Type
  readonly fallback: string | undefined
  readonly settings: Readonly<Record<string, unknown>>
  readonly enabled: boolean
  readonly hidden: boolean
  /** Added by a candidate, not by the operator. */
  readonly isCustom: boolean
  /** Where its calls go was chosen by a candidate: it leads to no entry of the operator, or away from its address. */
  readonly isForeign: boolean
}

/** `home` is the name of a candidate's home, `user:u1`. No access code. */
export class ModelsConnector extends Context.Tag("effect-sre/ModelsConnector")<ModelsConnector, {
  /** The operator's models. */
  readonly shared: Effect.Effect<ReadonlyMap<string, ModelEntry>, ConnectorError>
  readonly custom: (home: string) => Effect.Effect<ReadonlyMap<string, ModelEntry>, ConnectorError>
  /** Creates or replaces. */
  readonly put: (home: string, name: string, entry: ModelEntry) => Effect.Effect<void, ConnectorError>
  /** Also succeeds when there is nothing to remove. */
  readonly remove: (home: string, name: string) => Effect.Effect<void, ConnectorError>
}>() {}

export type ModelsError = Access.AccessError

export class Models extends Context.Tag("effect-sre/Models")<Models, {
  /** The asker's own model of that name, else the operator's. */
  readonly get: (name: string) => Effect.Effect<Model, ModelNotFound | ModelsError>
  /** Every model the asker may name, sorted by name. */
  readonly list: Effect.Effect<ReadonlyArray<Model>, ModelsError>
  /** Creates or replaces a model that only the asker sees. It may bear the name of an operator's model. */
  readonly add: (name: string, entry: ModelEntry) => Effect.Effect<void, ModelNotFound | ModelsError>
  readonly remove: (name: string) => Effect.Effect<void, ModelsError>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* ModelsConnector
  const guard = yield* Access.guard("Models")

  const shared = retrying(connector.shared)

  const visible = (operation: string) =>
    guard.asking(
      operation,
      (who) =>
        Effect.zipWith(shared, retrying(connector.custom(Candidate.format(who))), (shared, own) => ({ shared, own }))
    )

  const owned = Effect.fnUntraced(function*(operation: string, name: string) {
    const who = yield* guard.candidate(operation)
    yield* guard.check(Access.ofHome(who), { operation, level: "owner", resource: name })
    return Candidate.format(who)
  })

  return Models.of({
    get: (name) =>
      traced("Models.get")(Effect.flatMap(visible("get"), (registry) => {
        const found = resolve(registry, name)
        return typeof found !== "string" ? Effect.succeed(found) : notFound(registry, found)
      })),
    list: traced("Models.list")(
      Effect.map(
        visible("list"),
        (registry) =>
          namesIn(registry).sort().map((name) => resolve(registry, name)).filter((found) => typeof found !== "string")
      )
    ),
    add: Effect.fnUntraced(function*(name, entry) {
      const home = yield* owned("add", name)
      const { own, shared } = yield* visible("add")
      const registry = { shared, own: new Map(own).set(name, entry) }
      const found = resolve(registry, name)
      if (typeof found === "string") return yield* notFound(registry, found)
      yield* connector.put(home, name, entry)
    }, traced("Models.add")),
    remove: Effect.fnUntraced(function*(name) {
      yield* connector.remove(yield* owned("remove", name), name)
    }, traced("Models.remove"))
  })
})

export const layer: Layer.Layer<Models, never, ModelsConnector> = Layer.effect(Models, make)

/** `shared` as given; custom models live as long as the process, at most 1000 of one candidate, of at most 10 000 candidates. */
export const inMemory = (
  connector: string,
  shared: ReadonlyMap<string, ModelEntry>
): Effect.Effect<Context.Tag.Service<ModelsConnector>> =>
  Effect.map(Ref.make<Homes>(new Map()), (ref) => {
    const of = (homes: Homes, home: string) => homes.get(home) ?? none
    return ModelsConnector.of({
      shared: Effect.succeed(shared),
      custom: (home) => Effect.map(Ref.get(ref), (homes) => of(homes, home)),
      put: (home, name, entry) =>
        Effect.flatten(Ref.modify(ref, (homes): [Effect.Effect<void, ConnectorError>, Homes] => {
          const models = new Map(of(homes, home)).set(name, entry)
          return models.size > 1000 || homes.size > 10_000
            ? [Effect.fail(full(connector)), homes]
            : [Effect.void, new Map(homes).set(home, models)]
        })),
      remove: (home, name) =>
        Ref.update(ref, (homes) => {
          const models = new Map(of(homes, home))
          models.delete(name)
          const rest = new Map(homes).set(home, models)
          if (models.size === 0) rest.delete(home)
          return rest
        })
    })
  })

type Homes = ReadonlyMap<string, ReadonlyMap<string, ModelEntry>>

const none: ReadonlyMap<string, ModelEntry> = new Map()

const full = (connector: string) =>
  new ConnectorError({
    connector,
    method: "put",
    reason: "Full",
    detail: "too many custom models; remove some, or enter them in the operator's registry"
  })

interface Registry {
  readonly shared: ReadonlyMap<string, ModelEntry>
  readonly own: ReadonlyMap<string, ModelEntry>
}

const namesIn = ({ own, shared }: Registry) => Array.from(new Set([...own.keys(), ...shared.keys()]))

const notFound = (registry: Registry, model: string) =>
  Effect.fail(new ModelNotFound({ model, near: nearest(model, namesIn(registry)) }))

/** The model, or the name that leads nowhere: its own or its alias's. */
const resolve = ({ own, shared }: Registry, name: string): Model | string => {
  const custom = own.get(name)
  const entry = custom ?? shared.get(name)
  if (entry === undefined) return name
  // A candidate's model may refine the operator's model of the same name.
  const target = entry.alias ?? entry.models?.[0]
  const ofOperator = custom === undefined || target === name || !own.has(target ?? name)
  const alias = target === undefined ? undefined : follow(ofOperator ? shared : own, target)
  if (target !== undefined && alias === undefined) return target
  const whole = { ...entry, ...alias }
  if (whole.provider === undefined) return name
  const sizes = entry.keyOptions ?? whole.keyOptions
  const trusted = custom === undefined || (ofOperator && entry.baseURL === undefined)
  // What the operator wrote down stays with the operator's address, keys above all.
  const modes = trusted
    ? whole.credentials ?? "internal"
    : (ofOperator ? entry.credentials : whole.credentials) ?? "vault"
  return {
    name,
    modelId: whole.modelId ?? name,
    provider: whole.provider,
    label: entry.label ?? whole.label ?? name,
    features: whole.features ?? [],
    tags: whole.tags ?? [],
    contextTokens: sizes?.tokens ?? whole.tokens,
    outputTokens: sizes?.completionTokens ?? whole.completionTokens,
    baseURL: whole.baseURL,
    credentials: (isList(modes) ? modes : [modes]).filter((mode) => trusted || mode !== "internal"),
    interface: whole.interface,
    params: { ...whole.params, ...entry.params },
    // What a candidate says its model costs must not make it cheaper than it is for whoever pays.
    prices: custom === undefined ? whole.prices : pricesIn(shared, whole.provider, whole.modelId ?? name),
    models: entry.models ?? [],
    choose: entry.choose ?? "order",
    fallback: entry.fallbackLLM ?? whole.fallbackLLM,
    settings: whole.settings ?? {},
    enabled: entry.enabled ?? true,
    hidden: entry.hidden ?? false,
    isCustom: custom !== undefined,
    isForeign: !trusted
  }
}

/** What the operator says that a provider takes for one of its models. */
const pricesIn = (shared: ReadonlyMap<string, ModelEntry>, provider: string, modelId: string): Prices | undefined => {
  for (const [name, entry] of shared) {
    const isThat = entry.provider?.toLowerCase() === provider.toLowerCase() && (entry.modelId ?? name) === modelId
    if (isThat && entry.prices !== undefined) return entry.prices
  }
  return undefined
}

/** An entry over what its alias, and that one's, says; nothing when the chain breaks or closes. */
const follow = (entries: ReadonlyMap<string, ModelEntry>, name: string, seen: ReadonlyArray<string> = []):
  | ModelEntry
  | undefined =>
{
  const entry = entries.get(name)
  if (entry === undefined || seen.includes(name)) return undefined
  const target = entry.alias ?? entry.models?.[0]
  if (target === undefined) return { ...entry, modelId: entry.modelId ?? name }
  const alias = follow(entries, target, [...seen, name])
  return alias === undefined ? undefined : { ...entry, ...alias }
}

const isList = (modes: Credentials.Mode | ReadonlyArray<Credentials.Mode>): modes is ReadonlyArray<Credentials.Mode> =>
  Array.isArray(modes)
