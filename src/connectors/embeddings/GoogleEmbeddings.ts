/** Embeddings of Google AI Studio: https://ai.google.dev/gemini-api/docs/embeddings */
import { Config, Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"
import * as VendorFetch from "../VendorFetch.ts"

const Settings = Schema.Struct({
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway, for the models that name no other. Default: Google's own. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Model of requests that name none. */
  model: Schema.optionalWith(Schema.NonEmptyString, { default: () => "gemini-embedding-001" }),
  /** Texts of one call. */
  batchSize: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 100)), { default: () => 100 }),
  /** Calls of one request at a time. */
  concurrency: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 64)), { default: () => 4 }),
  /** Of one call, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(60) })
})

export const GoogleEmbeddings = Connector.make({
  name: "GoogleAI",
  aliases: ["Google"],
  contract: Embeddings.EmbeddingsConnector,
  service: Embeddings.standalone,
  settings: Settings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse(
      "GoogleAI",
      Effect.all({
        sdk: Connector.vendor("GoogleAI", "@google/genai", () => import("@google/genai")),
        vendor: VendorFetch.make("GoogleAI", settings.timeout)
      })
    )
    return Embeddings.EmbeddingsConnector.of({
      provider: "GoogleAI",
      model: settings.model,
      credentials: { environment: "GOOGLE_AI_API_KEY", apiKey: settings.apiKey, required: true },
      limits: { texts: settings.batchSize, characters: 200_000, concurrency: settings.concurrency },
      embed: Effect.fnUntraced(function*({ apiKey, baseURL, dimensions, modelId, policy, purpose, texts }) {
        const { sdk, vendor } = yield* loaded
        const url = baseURL ?? settings.baseURL
        /** A client holds one key and serves one call. */
        const client = new sdk.GoogleGenAI({
          vertexai: false,
          apiKey: apiKey === undefined ? "" : Redacted.value(apiKey),
          httpOptions: { fetch: vendor.policed(policy).fetch, ...(url === undefined ? {} : { baseUrl: url }) }
        })
        const { embeddings = [] } = yield* vendor.attempt("embed", () =>
          client.models.embedContent({
            model: modelId,
            contents: [...texts],
            config: {
              taskType: purpose === "query" ? "RETRIEVAL_QUERY" : "RETRIEVAL_DOCUMENT",
              ...(dimensions === undefined ? {} : { outputDimensionality: dimensions })
            }
          }))
        const vectors = embeddings.flatMap(({ values }) => values === undefined ? [] : [values])
        if (vectors.length === 0) {
          const detail = "the answer has no vectors; does the base URL name the API itself?"
          return yield* new ConnectorError({ connector: "GoogleAI", method: "embed", reason: "Protocol", detail })
        }
        return { vectors, inputTokens: embeddings.reduce((sum, one) => sum + (one.statistics?.tokenCount ?? 0), 0) }
      })
    })
  })
})

/** `Embeddings` with the key `GOOGLE_AI_API_KEY`, where it is set. */
export const GoogleEmbeddingsLive = GoogleEmbeddings.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("GOOGLE_AI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("GOOGLE_AI_BASE_URL"), undefined),
  model: Config.withDefault(Config.nonEmptyString("GOOGLE_AI_EMBEDDINGS_MODEL"), "gemini-embedding-001"),
  batchSize: Config.succeed(100),
  concurrency: Config.succeed(4),
  timeout: Config.succeed(Duration.seconds(60))
})
