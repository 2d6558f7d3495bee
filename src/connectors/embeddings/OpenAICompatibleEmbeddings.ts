/** Embeddings of OpenAI, and of every server that speaks its API: https://platform.openai.com/docs/api-reference/embeddings */
import { Config, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"
import * as OpenAIClient from "../OpenAIClient.ts"

const Settings = Schema.Struct({
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway or compatible server, for the models that name no other. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Model of requests that name none. */
  model: Schema.optional(Schema.NonEmptyString),
  /** Texts of one call. */
  batchSize: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 2048)), { default: () => 256 }),
  /** Calls of one request at a time. */
  concurrency: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 64)), { default: () => 4 }),
  /** Of one call, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(60) })
})

export interface Options {
  readonly aliases?: ReadonlyArray<string>
  /** Variable with the operator's own key. */
  readonly environment: string | undefined
  readonly baseURL: string
  readonly model: string
  /** Whether a call without any key makes no sense. */
  readonly required: boolean
}

/** A connector for one more provider or server: `openAICompatibleEmbeddings("TogetherAI", { … })`. */
export const openAICompatibleEmbeddings = <const Name extends string>(name: Name, options: Options) =>
  Connector.make({
    name,
    aliases: options.aliases ?? [],
    contract: Embeddings.EmbeddingsConnector,
    service: Embeddings.standalone,
    settings: Settings,
    make: Effect.fnUntraced(function*(settings) {
      const loaded = yield* OpenAIClient.make(name, { ...settings, own: options.baseURL })
      return Embeddings.EmbeddingsConnector.of({
        provider: name,
        model: settings.model ?? options.model,
        credentials: {
          environment: options.environment,
          apiKey: settings.apiKey,
          required: options.required && settings.baseURL === undefined
        },
        limits: { texts: settings.batchSize, characters: 400_000, concurrency: settings.concurrency },
        embed: Effect.fnUntraced(function*({ dimensions, modelId, texts, ...endpoint }) {
          const { client, vendor } = yield* loaded
          const { data, usage } = yield* vendor.attempt("embed", () =>
            client(endpoint).embeddings.create({
              model: modelId,
              input: [...texts],
              encoding_format: "base64",
              // The one model that has no such parameter has no other length, either.
              ...(dimensions === undefined || modelId === "text-embedding-ada-002" ? {} : { dimensions })
            }))
          const vectors = Array.isArray(data) ? data.sort((a, b) => a.index - b.index).map(numbersIn) : [undefined]
          if (vectors.every((vector) => vector !== undefined)) {
            return { vectors, inputTokens: usage?.prompt_tokens ?? 0 }
          }
          const detail = "the answer has no vectors; does the base URL name the API itself?"
          return yield* new ConnectorError({ connector: name, method: "embed", reason: "Protocol", detail })
        })
      })
    })
  })

export const OpenAICompatibleEmbeddings = openAICompatibleEmbeddings("OpenAI", {
  environment: "OPENAI_API_KEY",
  baseURL: "https://api.openai.com/v1",
  model: "text-embedding-3-large",
  required: true
})

/** `Embeddings` with the key `OPENAI_API_KEY` at `OPENAI_BASE_URL`, each where it is set. */
export const OpenAICompatibleEmbeddingsLive = OpenAICompatibleEmbeddings.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("OPENAI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("OPENAI_BASE_URL"), undefined),
  model: Config.withDefault(Config.nonEmptyString("OPENAI_EMBEDDINGS_MODEL"), undefined),
  batchSize: Config.succeed(256),
  concurrency: Config.succeed(4),
  timeout: Config.succeed(Duration.seconds(60))
})

/** Numbers of 32 bits in base64, or a list from a server that knows nothing else. */
const numbersIn = ({ embedding }: { readonly embedding: unknown }): ArrayLike<number> | undefined => {
  if (Array.isArray(embedding)) return embedding
  const bytes = typeof embedding === "string" ? Uint8Array.from(Buffer.from(embedding, "base64")) : new Uint8Array(1)
  return bytes.length % 4 === 0 ? new Float32Array(bytes.buffer) : undefined
}
