/**
 * Embeddings of Amazon Bedrock: the models of Titan and of Cohere.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
 */
import type { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime"
import { Config, Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"
import { requestHandler } from "../llm/FetchHandler.ts"
import * as PooledFetch from "../llm/PooledFetch.ts"
import * as PolicedPool from "../PolicedPool.ts"
import { reasonOf } from "../VendorFetch.ts"

const Settings = Schema.Struct({
  /**
   * The operator's own key: `<access key id>:<secret access key>`, with `:<session token>` where there is one, or an API key of
   * Bedrock. Keys in a vault have the same form. Serves the models whose credentials are `internal`.
   */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  region: Schema.optionalWith(Schema.NonEmptyString, { default: () => "us-east-1" }),
  /** Default: the region's own. */
  endpoint: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Model of requests that name none. */
  model: Schema.optionalWith(Schema.NonEmptyString, { default: () => "amazon.titan-embed-text-v2:0" }),
  /** Calls of one request at a time. */
  concurrency: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 64)), { default: () => 4 }),
  /** Of one call, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(60) })
})

export const BedrockEmbeddings = Connector.make({
  name: "Bedrock",
  contract: Embeddings.EmbeddingsConnector,
  service: Embeddings.standalone,
  settings: Settings,
  make: Effect.fnUntraced(function*({ apiKey, concurrency, endpoint, model, region, timeout }) {
    const loaded = yield* Connector.onFirstUse(
      "Bedrock",
      Effect.all({
        sdk: Connector.vendor(
          "Bedrock",
          "@aws-sdk/client-bedrock-runtime",
          () => import("@aws-sdk/client-bedrock-runtime")
        ),
        fetch: PooledFetch.make("Bedrock", { connect: timeout, firstByte: timeout, idle: timeout })
      })
    )

    /** A client holds one key and serves one request. */
    const client = ({ apiKey, baseURL = endpoint, policy }: Embeddings.ProviderRequest) =>
      Effect.map(loaded, ({ fetch, sdk }) =>
        new sdk.BedrockRuntimeClient({
          region,
          maxAttempts: 1,
          requestHandler: requestHandler(fetch(policy)),
          ...(baseURL === undefined ? {} : { endpoint: baseURL }),
          ...identity(apiKey)
        }))

    const invoke = (client: BedrockRuntimeClient, modelId: string, body: object) =>
      Effect.flatMap(loaded, ({ sdk }) =>
        Effect.tryPromise({
          try: (abortSignal) =>
            client.send(
              new sdk.InvokeModelCommand({
                modelId,
                body: JSON.stringify(body),
                contentType: "application/json",
                accept: "application/json"
              }),
              { abortSignal }
            ),
          catch: (cause) => toError(modelId, cause)
        })).pipe(
          Effect.timeoutFail({
            duration: timeout,
            onTimeout: () => failure("Timeout", `no answer in ${Duration.format(timeout)}`)
          }),
          Effect.flatMap(({ body }) =>
            Option.match(decode(Buffer.from(body).toString()), {
              onNone: () => Effect.fail(failure("Protocol", `the answer of "${modelId}" has no vectors`)),
              onSome: Effect.succeed
            })
          )
        )

    return Embeddings.EmbeddingsConnector.of({
      provider: "Bedrock",
      model,
      credentials: { environment: "AWS_BEARER_TOKEN_BEDROCK", apiKey, required: true },
      limits: { texts: 96, characters: 190_000, concurrency },
      embed: Effect.fnUntraced(function*(request) {
        const { dimensions, modelId, purpose, texts } = request
        const on = yield* client(request)
        const bodies = modelId.includes("cohere.")
          ? [{
            texts,
            input_type: purpose === "query" ? "search_query" : "search_document",
            ...(dimensions === undefined || modelId.includes("-v3") ? {} : { output_dimension: dimensions })
          }]
          : texts.map((inputText) => ({
            inputText,
            ...(dimensions === undefined || modelId.includes("titan-embed-text-v1") ? {} : { dimensions })
          }))
        const answers = yield* Effect.forEach(bodies, (body) => invoke(on, modelId, body), { concurrency })
        return {
          vectors: answers.flatMap(vectorsIn),
          inputTokens: answers.reduce((sum, { inputTextTokenCount = 0 }) => sum + inputTextTokenCount, 0)
        }
      })
    })
  })
})

/** `Embeddings` in `AWS_REGION`, with the key `AWS_BEARER_TOKEN_BEDROCK`. */
export const BedrockEmbeddingsLive = BedrockEmbeddings.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("AWS_BEARER_TOKEN_BEDROCK")), undefined),
  region: Config.withDefault(Config.nonEmptyString("AWS_REGION"), "us-east-1"),
  endpoint: Config.withDefault(Config.nonEmptyString("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"), undefined),
  model: Config.withDefault(Config.nonEmptyString("BEDROCK_EMBEDDINGS_MODEL"), "amazon.titan-embed-text-v2:0"),
  concurrency: Config.succeed(4),
  timeout: Config.succeed(Duration.seconds(60))
})

const Vector = Schema.Array(Schema.Number)

/** Titan answers with one vector, Cohere with a list of them, or with one list for each type asked for. */
const Answer = Schema.Struct({
  embedding: Schema.optional(Vector),
  embeddings: Schema.optional(Schema.Union(Schema.Array(Vector), Schema.Struct({ float: Schema.Array(Vector) }))),
  inputTextTokenCount: Schema.optional(Schema.Int)
})
const decode = Schema.decodeOption(Schema.parseJson(Answer))

const vectorsIn = ({ embedding, embeddings = [] }: typeof Answer.Type): ReadonlyArray<ReadonlyArray<number>> =>
  embedding !== undefined ? [embedding] : "float" in embeddings ? embeddings.float : embeddings

const identity = (key: Redacted.Redacted | undefined) => {
  const [accessKeyId = "", secretAccessKey, sessionToken] = key === undefined ? [] : Redacted.value(key).split(":")
  return secretAccessKey === undefined
    ? { token: { token: accessKeyId }, authSchemePreference: ["httpBearerAuth"] }
    : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }
}

const toError = (modelId: string, cause: unknown): ConnectorError => {
  if (!(cause instanceof Error)) return failure("Unavailable", "unknown error")
  if (cause instanceof PolicedPool.Refusal) {
    return failure("InvalidInput", `the server of the model must not be asked: ${cause.message}`)
  }
  const status = "$metadata" in cause
    ? (cause.$metadata as { readonly httpStatusCode?: number }).httpStatusCode
    : undefined
  const code = "code" in cause ? String(cause.code) : cause.name
  // What the network says has a code, what the service says a status.
  return status === undefined || status < 300
    ? failure(/TIMEOUT|TIMEDOUT/.test(code) ? "Timeout" : "Unavailable", `no connection, or it was lost: ${code}`)
    : failure(
      reasonOf(status, cause.name),
      `model "${modelId}": status ${status}, ${cause.name}: ${cause.message.slice(0, 300)}`
    )
}

const failure = (reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: "Bedrock", method: "embed", reason, detail })
