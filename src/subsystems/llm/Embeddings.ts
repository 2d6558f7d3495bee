/**
 * Embeddings: texts as vectors, near each other where the texts are alike. Callers use {@link Embeddings}, providers implement
 * {@link EmbeddingsConnector}. A model's name says which provider serves it, as with the models that write.
 */
import { Context, Effect, Layer, Option, type Redacted } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Vault from "../../security/Vault.ts"
import * as ModelCalls from "./ModelCalls.ts"
import * as Models from "./Models.ts"
import * as ProviderKey from "./ProviderKey.ts"
import * as Tokenizer from "./Tokenizer.ts"
import * as Usage from "./Usage.ts"

export type EmbeddingsError = Models.ModelNotFound | ModelCalls.CallError

/** What the vectors are for: some models place what is searched for differently from what is found. */
export type Purpose = "document" | "query"

export interface Request {
  readonly texts: ReadonlyArray<string>
  /** A name of the models registry, or the model a provider is installed with. Default: that of the first provider. */
  readonly model?: string | undefined
  /** Length of the vectors, for models that let one choose. */
  readonly dimensions?: number | undefined
  /** Default: `document`. */
  readonly purpose?: Purpose | undefined
}

export interface Embedded {
  /** One a text, in the order of the texts, of length 1: the dot product of two is their cosine. */
  readonly vectors: ReadonlyArray<Float32Array>
  /** What to ask for to get vectors that compare with these. */
  readonly model: string
  readonly provider: string
  /** Numbers in a vector; 0 without texts. */
  readonly dimensions: number
  /** 0 where the provider does not count. */
  readonly inputTokens: number
}

/** What a connector gets: at most as many texts as its limits allow, and the key of this candidate for this call only. */
export interface ProviderRequest {
  readonly texts: ReadonlyArray<string>
  /** The provider's own name of the model. */
  readonly modelId: string
  readonly dimensions: number | undefined
  readonly purpose: Purpose
  readonly baseURL: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
  readonly policy?: ModelCalls.Endpoint["policy"]
}

export interface ProviderAnswer {
  readonly vectors: ReadonlyArray<ArrayLike<number>>
  readonly inputTokens: number
}

/** One provider. Holds no key and no client shared between keys of different tenants. */
export interface EmbeddingsProvider extends ProviderKey.Keyed {
  /** Model of requests that name none. */
  readonly model: string
  /** What one call may carry, and how many calls of one request run at a time. */
  readonly limits: { readonly texts: number; readonly characters: number; readonly concurrency: number }
  readonly embed: (request: ProviderRequest) => Effect.Effect<ProviderAnswer, ConnectorError>
}

/** The contract: one provider of embeddings. */
export class EmbeddingsConnector extends Context.Tag("effect-sre/EmbeddingsConnector")<
  EmbeddingsConnector,
  EmbeddingsProvider
>() {}

/** The installed providers by name in lower case; the first serves requests that name no model. */
export class Providers
  extends Context.Tag("effect-sre/EmbeddingsProviders")<Providers, ReadonlyMap<string, EmbeddingsProvider>>()
{}

export class Embeddings extends Context.Tag("effect-sre/Embeddings")<Embeddings, {
  /** All vectors or none. Texts without a visible character are refused: there is nothing to find them by. */
  readonly embed: (request: Request) => Effect.Effect<Embedded, EmbeddingsError>
}>() {}

const make = (options: { readonly standalone: boolean }) =>
  Effect.gen(function*() {
    const providers = yield* Providers
    const models = yield* Models.Models
    const ask = yield* ModelCalls.make("Embeddings", providers, options)
    const guard = yield* Access.guard("Embeddings")

    /** The registry knows the name, or a provider is installed with it. */
    const modelOf = (name: string | undefined) => {
      const installed = Array.from(providers.values())
      const byName = name === undefined ? installed[0] : installed.find(({ model }) => model === name)
      const own = byName === undefined ? Option.none() : Option.some(modelOfProvider(byName))
      if (name === undefined) {
        return Effect.orElse(own, () => failure("Embeddings", "Unsupported", "no connector is installed"))
      }
      return Effect.catchTag(models.get(name), "ModelNotFound", (error) => Effect.orElseFail(own, () => error))
    }

    return Embeddings.of({
      embed: Effect.fnUntraced(function*({ dimensions, model: name, purpose = "document", texts }) {
        const candidate = yield* guard.candidate("embed")
        const blank = texts.findIndex((text) => text.trim() === "")
        if (blank >= 0) return yield* failure("Embeddings", "InvalidInput", `text ${blank} is empty`)
        if (dimensions !== undefined && !isDimension(dimensions)) {
          return yield* failure("Embeddings", "InvalidInput", `dimensions are 1 to ${maxDimensions}, not ${dimensions}`)
        }
        const model = yield* modelOf(name)
        const [answers, { provider }] = yield* ask({
          method: "embed",
          kind: "embeddings",
          candidate,
          model,
          most: (atMost) => ({ inputTokens: atMost(texts.join("\n")), outputTokens: 0 }),
          again: ({ isRetryable }) => isRetryable,
          run: ({ attempt, endpoint, provider }) =>
            Effect.forEach(
              batches(texts, provider.limits),
              (batch) =>
                attempt(
                  Tokenizer.estimateTokens(batch.join("\n")),
                  embedBatch(provider, { ...endpoint, texts: batch, dimensions, purpose })
                ),
              { concurrency: provider.limits.concurrency }
            ),
          // A provider that does not count says 0.
          took: (answers) => ({
            usage: answers.some(({ inputTokens }) => inputTokens === 0)
              ? undefined
              : { ...Usage.zero, inputTokens: sumOf(answers) }
          })
        })
        const vectors = answers.flatMap((answer) => answer.vectors)
        yield* checkVectors(provider, model.name, vectors, dimensions)
        return {
          vectors,
          model: model.name,
          provider,
          dimensions: vectors[0]?.length ?? 0,
          inputTokens: sumOf(answers)
        }
      }, traced("Embeddings.embed"))
    })
  })

/** Over all installed providers, the registry and the vault. */
export const layer: Layer.Layer<Embeddings, never, Providers | Models.Models | Vault.Vault> = Layer.effect(
  Embeddings,
  make({ standalone: false })
)

/** The installed providers, of which the first is asked when no model is named; the first of two of one name stays. */
export const providers = <E>(
  connectors: ReadonlyArray<Layer.Layer<EmbeddingsConnector, E>>
): Layer.Layer<Providers, E> =>
  Layer.scoped(
    Providers,
    Effect.map(
      Effect.forEach(connectors, (connector) => Effect.map(Layer.build(connector), Context.get(EmbeddingsConnector))),
      (installed) =>
        ModelCalls.byName(
          installed.filter((one, at) => installed.findIndex(({ provider }) => provider === one.provider) === at)
        )
    )
  )

/** One provider, the built-in models, no vault: the key is that of the settings or of the environment. */
export const standalone: Layer.Layer<Embeddings, never, EmbeddingsConnector> = Layer.provide(
  Layer.effect(Embeddings, make({ standalone: true })),
  ModelCalls.alone(EmbeddingsConnector, Providers)
)

/** The longest vectors that every vector database takes. */
export const maxDimensions = 8192

export const isDimension = (length: number): boolean =>
  Number.isInteger(length) && length >= 1 && length <= maxDimensions

/** As long as 1, whatever the size of its numbers; all zeros stay, and what is not a number is kept to be found. */
export const unit = (vector: ArrayLike<number>): Float32Array => {
  let largest = 0
  for (let at = 0; at < vector.length; at++) largest = Math.max(largest, Math.abs(vector[at]!))
  if (largest === 0) return new Float32Array(vector.length)
  let sum = 0
  for (let at = 0; at < vector.length; at++) sum += (vector[at]! / largest) ** 2
  const length = Math.sqrt(sum)
  const scaled = new Float32Array(vector.length)
  for (let at = 0; at < vector.length; at++) scaled[at] = vector[at]! / largest / length
  return scaled
}

const modelOfProvider = ({ credentials, model, provider }: EmbeddingsProvider): Models.Model => ({
  ...ProviderKey.unknownModel,
  name: model,
  modelId: model,
  provider,
  credentials: credentials.environment === undefined ? ["none"] : ["vault"],
  // Who asks for no key bills nobody.
  prices: credentials.environment === undefined ? { input: 0, output: 0 } : undefined,
  isCustom: false,
  isForeign: false
})

const embedBatch = (provider: EmbeddingsProvider, request: ProviderRequest) =>
  Effect.flatMap(provider.embed(request), ({ inputTokens, vectors }) =>
    vectors.length === request.texts.length
      ? Effect.succeed({ inputTokens, vectors: vectors.map(unit) })
      : failure(provider.provider, "Protocol", `${vectors.length} vectors came back for ${request.texts.length} texts`))

const sumOf = (answers: ReadonlyArray<ProviderAnswer>): number =>
  answers.reduce((sum, { inputTokens }) => sum + inputTokens, 0)

/** As few calls as the limits allow; a text longer than a call's limit goes alone, and the provider decides. */
const batches = (texts: ReadonlyArray<string>, limits: EmbeddingsProvider["limits"]) => {
  let characters = 0
  let count = 0
  return texts.reduce<Array<Array<string>>>((all, text) => {
    characters += text.length
    count += 1
    if (all.length === 0 || count > limits.texts || characters > limits.characters) {
      characters = text.length
      count = 1
      all.push([])
    }
    all[all.length - 1]!.push(text)
    return all
  }, [])
}

const checkVectors = (
  provider: string,
  model: string,
  vectors: ReadonlyArray<Float32Array>,
  asked: number | undefined
) => {
  const lengths = new Set(vectors.map(({ length }) => length))
  if (lengths.size > 1 || lengths.has(0) || vectors.some((vector) => !vector.every(Number.isFinite))) {
    return failure(provider, "Protocol", "the vectors are not all of one length, or not all numbers")
  }
  const [got] = lengths
  return asked === undefined || got === undefined || got === asked
    ? Effect.void
    : failure(provider, "InvalidInput", `"${model}" gives vectors of ${got} numbers, not of ${asked}`)
}

const failure = (connector: string, reason: ConnectorError["reason"], detail: string) =>
  Effect.fail(new ConnectorError({ connector, method: "embed", reason, detail }))
