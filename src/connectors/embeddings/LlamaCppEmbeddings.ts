/** Embeddings by models in files of one's own, in this process: no server, no key, and nothing leaves the machine. */
import { Config, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"
import * as LlamaModels from "../LlamaModels.ts"

const Settings = Schema.Struct({
  ...LlamaModels.settings,
  /** Model of requests that name none. Default: the first of `models`. */
  model: Schema.optional(Schema.NonEmptyString),
  /** Of one text, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(60) })
})

export const LlamaCppEmbeddings = Connector.make({
  name: LlamaModels.name,
  contract: Embeddings.EmbeddingsConnector,
  service: Embeddings.standalone,
  settings: Settings,
  make: Effect.fnUntraced(function*({ model, timeout, ...settings }) {
    const models = yield* LlamaModels.make(
      settings,
      "embed",
      ({ contextSize, model, threads }) =>
        Effect.acquireRelease(
          LlamaModels.attempt("embed", () => model.createEmbeddingContext({ contextSize, threads })),
          (context) => LlamaModels.disposed(() => context.dispose())
        )
    )
    return Embeddings.EmbeddingsConnector.of({
      provider: LlamaModels.name,
      model: model ?? Object.keys(settings.models)[0] ?? LlamaModels.name,
      credentials: { environment: undefined, required: false },
      limits: { texts: 64, characters: 1_000_000, concurrency: 1 },
      embed: Effect.fnUntraced(function*({ modelId, texts }) {
        const context = yield* models(modelId)
        const answers = yield* Effect.forEach(texts, (text) =>
          LlamaModels.attempt("embed", async () => ({
            tokens: context.calculateInputLength(text),
            vector: (await context.getEmbeddingFor(text)).vector
          })).pipe(Effect.timeoutFail({ duration: timeout, onTimeout: () => late(timeout) })))
        return {
          vectors: answers.map(({ vector }) => vector),
          inputTokens: answers.reduce((sum, { tokens }) => sum + tokens, 0)
        }
      })
    })
  })
})

/** `Embeddings` of the files that `LLAMACPP_MODELS` lists, separated by commas, each called as its file is, without `.gguf`. */
export const LlamaCppEmbeddingsLive = LlamaCppEmbeddings.layerConfig({
  ...LlamaModels.fromEnvironment,
  model: Config.succeed(undefined),
  timeout: Config.succeed(Duration.seconds(60))
})

const late = (timeout: Duration.Duration) =>
  new ConnectorError({
    connector: LlamaModels.name,
    method: "embed",
    reason: "Timeout",
    detail: `no vector in ${Duration.format(timeout)}`
  })
