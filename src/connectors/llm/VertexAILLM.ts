/** Models of Google Cloud's Vertex AI, through Google's SDK. */
import { Config, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import * as GoogleCall from "./GoogleCall.ts"
import * as PooledFetch from "./PooledFetch.ts"
import * as ProviderCall from "./ProviderCall.ts"
import * as ServiceAccount from "./ServiceAccount.ts"

const Address = Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))

const VertexAISettings = Schema.Struct({
  /**
   * The operator's own key: the JSON of a service account, or an API key of Vertex. Keys in a vault have the same form. Serves
   * the models whose credentials are `internal`.
   */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Default: that of the model's settings (`projectId`), else the service account's own. */
  project: Schema.optional(Schema.NonEmptyString),
  /** Region of the models whose settings name no `region`. */
  location: Schema.optionalWith(Schema.NonEmptyString, { default: () => "global" }),
  /** The operator's gateway, for the models that name no other. Default: the region's own address. */
  baseURL: Schema.optional(Address),
  /** Where service accounts get their access tokens. */
  tokenURL: Schema.optionalWith(Address, { default: () => defaultTokenURL }),
  /** In milliseconds: `{ connect, firstByte, idle }`. */
  timeouts: Schema.optionalWith(PooledFetch.Timeouts, { default: () => PooledFetch.defaultTimeouts })
})

const defaultTokenURL = "https://oauth2.googleapis.com/token"

export const VertexAILLM = Connector.make({
  name: "VertexAI",
  aliases: ["Vertex"],
  contract: LLM.LLMConnector,
  service: LLM.standalone,
  settings: VertexAISettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse(
      "VertexAI",
      Effect.gen(function*() {
        const sdk = yield* Connector.vendor("VertexAI", "@google/genai", () => import("@google/genai"))
        const fetch = yield* PooledFetch.make("VertexAI", settings.timeouts)
        return { sdk, fetch, tokenOf: yield* ServiceAccount.make("VertexAI", fetch(), settings.tokenURL) }
      })
    )

    const callOf = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const { fetch, sdk, tokenOf } = yield* loaded
      const { apiKey, baseURL, policy } = request
      const model = yield* Effect.mapError(
        ModelSettings(request.settings ?? {}),
        () => ProviderCall.invalid("VertexAI", "settings of the model: projectId and region must be names")
      )
      const account = apiKey === undefined ? Option.none() : ServiceAccount.from(apiKey)
      const project = model.projectId ?? settings.project ?? Option.getOrUndefined(account)?.project_id
      const location = model.region ?? settings.location
      const chosen = baseURL ?? settings.baseURL
      if (project === undefined && Option.isSome(account)) {
        return yield* ProviderCall.invalid(
          "VertexAI",
          `no project: set "project", or "projectId" in the model's settings`
        )
      }
      const call: GoogleCall.Options = {
        connector: "VertexAI",
        request,
        sdk,
        fetch: fetch(policy),
        client: {
          vertexai: true,
          baseUrl: chosen ?? addressOf(project === undefined ? "global" : location),
          ...(project === undefined ? {} : { project, location })
        },
        identity: Option.isSome(account)
          ? { authorization: `Bearer ${Redacted.value(yield* tokenOf(account.value))}` }
          : apiKey === undefined
          ? {}
          : { "x-goog-api-key": Redacted.value(apiKey) }
      }
      return call
    })

    return LLM.LLMConnector.of({
      provider: "VertexAI",
      credentials: {
        environment: "VERTEXAI_CREDENTIALS",
        apiKey: settings.apiKey,
        required: settings.baseURL === undefined
      },
      stream: (request) => Pull.unwrap(Effect.flatMap(callOf(request), GoogleCall.open)),
      count: (request) => Effect.asSome(Effect.flatMap(callOf(request), GoogleCall.count))
    })
  })
})

/** `LLM` with the key `VERTEXAI_CREDENTIALS`, in `GOOGLE_CLOUD_PROJECT` and `GOOGLE_CLOUD_LOCATION`, each where it is set. */
export const VertexAILLMLive = VertexAILLM.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("VERTEXAI_CREDENTIALS")), undefined),
  project: Config.withDefault(Config.nonEmptyString("GOOGLE_CLOUD_PROJECT"), undefined),
  location: Config.withDefault(Config.nonEmptyString("GOOGLE_CLOUD_LOCATION"), "global"),
  baseURL: Config.withDefault(Config.nonEmptyString("VERTEXAI_BASE_URL"), undefined),
  tokenURL: Config.succeed(defaultTokenURL),
  timeouts: Config.succeed(PooledFetch.defaultTimeouts)
})

/** They become parts of an address. */
const ModelSettings = Schema.decodeUnknown(Schema.Struct({
  projectId: Schema.optional(Schema.String.pipe(Schema.pattern(/^[a-z0-9][a-z0-9:.-]*$/))),
  region: Schema.optional(Schema.String.pipe(Schema.pattern(/^[a-z0-9-]+$/)))
}))

/** https://cloud.google.com/vertex-ai/docs/general/locations */
const addressOf = (location: string) =>
  location === "global" ? "https://aiplatform.googleapis.com" : `https://${location}-aiplatform.googleapis.com`
