/**
 * Images: pictures that models make, from words or from other pictures. Callers use {@link Images}, providers implement
 * {@link ImagesConnector}; a model's name says which provider serves it, as with the models that write.
 */
import { Clock, Context, Effect, Layer, type Redacted, Schedule } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Vault from "../../security/Vault.ts"
import { Policy } from "../io/NetworkPolicy.ts"
import { builtInModels } from "./BuiltInModels.ts"
import * as Models from "./Models.ts"
import type { Usage } from "./Prompt.ts"
import * as ProviderKey from "./ProviderKey.ts"
import { UsageSink } from "./Usage.ts"

export type ImagesError = Models.ModelNotFound | ProviderKey.MissingCredentials | Access.AccessError

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
    const providers = yield* Providers
    const models = yield* Models.Models
    const vault = yield* Vault.Vault
    const policy = yield* Policy
    const record = yield* UsageSink
    const guard = yield* Access.guard("Images")

    return Images.of({
      generate: Effect.fnUntraced(function*({ count = 1, images = [], model: name, prompt, ...request }) {
        const candidate = yield* guard.candidate("generate")
        const model = yield* models.get(name)
        const provider = providers.get(model.provider.toLowerCase())
        if (provider === undefined) {
          return yield* failure(
            "Images",
            "Unsupported",
            `${model.provider} makes no pictures here, and "${name}" is its model`
          )
        }
        yield* ProviderKey.reachable(model, policy, "generate")
        const apiKey = yield* Effect.provideService(ProviderKey.keyOf(model, provider, options), Vault.Vault, vault)
        const { modelId } = model
        const asked = { ...request, modelId, prompt, images, count, baseURL: model.baseURL, apiKey }
        const answer = yield* retryingRefusals(provider.generate(asked))
        if (answer.usage !== undefined) {
          const { prices } = model
          const time = yield* Clock.currentTimeMillis
          yield* record({ time, candidate, model: name, provider: provider.provider, usage: answer.usage, prices })
        }
        return answer.images.length > 0
          ? answer.images
          : yield* failure(
            provider.provider,
            "Protocol",
            "the answer has no picture; the provider may have withheld it"
          )
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
      (installed) => new Map(installed.map((provider) => [provider.provider.toLowerCase(), provider]))
    )
  )

/** One provider, the built-in models, no vault: the key is that of the settings or of the environment. */
export const standalone: Layer.Layer<Images, never, ImagesConnector> = Layer.effect(
  Images,
  make({ standalone: true })
).pipe(
  Layer.provide([
    Layer.effect(
      Providers,
      Effect.map(ImagesConnector, (provider) => new Map([[provider.provider.toLowerCase(), provider]]))
    ),
    Layer.provide(
      Models.layer,
      Layer.effect(Models.ModelsConnector, Models.inMemory("built-in models", builtInModels))
    ),
    ProviderKey.withoutVault
  ])
)

/** A picture costs money: it is asked for again only where the provider says that it did nothing. */
const retryingRefusals = <A>(self: Effect.Effect<A, ConnectorError>) =>
  Effect.retry(self, {
    schedule: Schedule.intersect(Schedule.jittered(Schedule.exponential("1 second")), Schedule.recurs(2)),
    while: ({ reason }) => reason === "RateLimited"
  })

const failure = (connector: string, reason: ConnectorError["reason"], detail: string) =>
  Effect.fail(new ConnectorError({ connector, method: "generate", reason, detail }))
