/**
 * Embeddings of Amazon Bedrock: the models of Titan and of Cohere.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
 */
import { Config, Duration, Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"
import * as BedrockInvoke from "../BedrockInvoke.ts"

const Settings = Schema.Struct({
  ...BedrockInvoke.settings,
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
    const open = yield* BedrockInvoke.make({ method: "embed", region, endpoint, timeout })
    const invoke = (on: BedrockInvoke.Invoke, modelId: string, body: object) =>
      Effect.flatMap(on(modelId, body), (answer) =>
        Option.match(decode(answer), {
          onNone: () => failure(modelId),
          onSome: Effect.succeed
        }))

    return Embeddings.EmbeddingsConnector.of({
      provider: "Bedrock",
      model,
      credentials: { environment: "AWS_BEARER_TOKEN_BEDROCK", apiKey, required: true },
      limits: { texts: 96, characters: 190_000, concurrency },
      embed: Effect.fnUntraced(function*(request) {
        const { dimensions, modelId, purpose, texts } = request
        const on = yield* open(request)
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

const failure = (modelId: string) =>
  new ConnectorError({
    connector: "Bedrock",
    method: "embed",
    reason: "Protocol",
    detail: `the answer of "${modelId}" has no vectors`
  })
