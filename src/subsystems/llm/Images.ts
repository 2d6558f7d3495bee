/**
 * Images: pictures that models make, from words or from other pictures. Callers use {@link Images}, providers implement
 * {@link ImagesConnector}; a model's name says which provider serves it, as with the models that write.
 */
import { Context, Effect, Layer, type Redacted } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Vault from "../../security/Vault.ts"
import * as ModelCalls from "./ModelCalls.ts"
import * as Models from "./Models.ts"
import type { Usage } from "./Prompt.ts"
import type * as ProviderKey from "./ProviderKey.ts"
import * as Tokenizer from "./Tokenizer.ts"
import { zero } from "./Usage.ts"

export type ImagesError = Models.ModelNotFound | ModelCalls.CallError

/** Each provider honours what it knows of these; what would change the picture and it does not know is `InvalidInput`. */
export interface Options {
  /** What must not be in the picture. */
  readonly negativePrompt?: string | undefined
  /** As the provider writes it: `1024x1024`, `auto`. */
  readonly size?: string | undefined
  /** In pixels. */
  readonly width?: number | undefined
  readonly height?: number | undefined
  /** `16:9` */
  readonly aspectRatio?: string | undefined
  readonly quality?: string | undefined
  readonly style?: string | undefined
  /** In any case: `png`, `jpeg`, `webp`. */
  readonly outputFormat?: string | undefined
  /** How far the picture may be from the given one: 0 to 1. */
  readonly strength?: number | undefined
  readonly personGeneration?: string | undefined
}

export interface Image {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

export interface Request extends Options {
  readonly model: string
  readonly prompt: string
  /** Pictures to begin with, or to be changed. */
  readonly images?: ReadonlyArray<Image> | undefined
  /** Default: 1. */
  readonly count?: number | undefined
}

/** What a connector gets: the registry's decisions made, the key resolved for this candidate and this call only. */
export interface ProviderRequest extends Options {
  readonly modelId: string
  readonly prompt: string
  readonly images: ReadonlyArray<Image>
  readonly count: number
  readonly baseURL: string | undefined
  readonly apiKey: Redacted.Redacted | undefined
  readonly policy?: ModelCalls.Endpoint["policy"]
}

export interface ProviderAnswer {
  readonly images: ReadonlyArray<Image>
  /** Where the provider counts tokens. */
  readonly usage?: Usage | undefined
}

/** One provider. Holds no key and no client shared between keys of different tenants. */
export interface ImagesProvider extends ProviderKey.Keyed {
  readonly generate: (request: ProviderRequest) => Effect.Effect<ProviderAnswer, ConnectorError>
}

/** The contract: one provider of pictures. */
export class ImagesConnector extends Context.Tag("effect-sre/ImagesConnector")<ImagesConnector, ImagesProvider>() {}

/** The installed providers by name in lower case. */
export class Providers
  extends Context.Tag("effect-sre/ImagesProviders")<Providers, ReadonlyMap<string, ImagesProvider>>()
{}

export class Images extends Context.Tag("effect-sre/Images")<Images, {
  /** At least one picture. */
  readonly generate: (request: Request) => Effect.Effect<ReadonlyArray<Image>, ImagesError>
}>() {}

const make = (options: { readonly standalone: boolean }) =>
  Effect.gen(function*() {
    const models = yield* Models.Models
    const guard = yield* Access.guard("Images")
    const ask = yield* ModelCalls.make("Images", yield* Providers, options)

    return Images.of({
      generate: Effect.fnUntraced(function*({ count = 1, images = [], model: name, prompt, ...request }) {
        const candidate = yield* guard.candidate("generate")
        const model = yield* models.get(name)
        const words = `${prompt}${request.negativePrompt ?? ""}`
        const [answer, { provider }] = yield* ask({
          method: "generate",
          kind: "images",
          candidate,
          model,
          most: (atMost, { contextTokens = Infinity, outputTokens = tokensOfPicture(model) }) => ({
            inputTokens: Math.min(contextTokens, atMost(words) + images.length * perGivenPicture),
            outputTokens: count * outputTokens,
            units: { images: count }
          }),
          again: ModelCalls.whenRefused,
          run: ({ attempt, endpoint, provider }) =>
            attempt(
              Tokenizer.estimateTokens(words),
              provider.generate({ ...request, ...endpoint, prompt, images, count })
            ),
          took: ({ images: { length }, usage }) => ({
            usage: usage ?? (tokensOfPicture(model) === 0 ? zero : undefined),
            units: { images: length }
          })
        })
        return answer.images.length > 0 ? answer.images : yield* new ConnectorError({
          connector: provider,
          method: "generate",
          reason: "Protocol",
          detail: "the answer has no picture; the provider may have withheld it"
        })
      }, traced("Images.generate"))
    })
  })

/** Over all installed providers, the registry and the vault. */
export const layer: Layer.Layer<Images, never, Providers | Models.Models | Vault.Vault> = Layer.effect(
  Images,
  make({ standalone: false })
)

/** The installed providers; the later of two of one name wins. */
export const providers = <E>(connectors: ReadonlyArray<Layer.Layer<ImagesConnector, E>>): Layer.Layer<Providers, E> =>
  Layer.scoped(
    Providers,
    Effect.map(
      Effect.forEach(connectors, (connector) => Effect.map(Layer.build(connector), Context.get(ImagesConnector))),
      ModelCalls.byName
    )
  )

/** One provider, the built-in models, no vault: the key is that of the settings or of the environment. */
export const standalone: Layer.Layer<Images, never, ImagesConnector> = Layer.provide(
  Layer.effect(Images, make({ standalone: true })),
  ModelCalls.alone(ImagesConnector, Providers)
)

/** None, where pictures are billed by the piece. */
const tokensOfPicture = ({ prices }: Models.Model): number => prices?.image === undefined ? ModelCalls.unbounded : 0

/** The most tokens that a provider takes a given picture for. */
const perGivenPicture = 8192
