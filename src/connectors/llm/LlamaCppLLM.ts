/** Models in files of one's own, in this process: no server, no key, and nothing leaves the machine. */
import { Config, Duration, Effect, Queue, Schema, Stream } from "effect"
import type { LlamaContextSequence } from "node-llama-cpp"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import * as LlamaModels from "../LlamaModels.ts"
import * as LlamaAnswer from "./LlamaAnswer.ts"
import * as LlamaRequest from "./LlamaRequest.ts"
import { given } from "./Parts.ts"

const LlamaCppSettings = Schema.Struct({
  ...LlamaModels.settings,
  /** Calls of one model at a time, each with room for `contextTokens`; others wait. */
  concurrency: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 16)), { default: () => 1 }),
  /** Whether what one call has read stays in memory, so that the next need not read the same beginning again. */
  cache: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  /** To read the prompt, and between two words of the answer, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(5) })
})

export const LlamaCppLLM = Connector.make({
  name: LlamaModels.name,
  contract: LLM.LLMConnector,
  service: LLM.standalone,
  settings: LlamaCppSettings,
  make: Effect.fnUntraced(function*({ cache, concurrency, timeout, ...settings }) {
    const models = yield* LlamaModels.make(
      settings,
      "stream",
      ({ contextSize, llama, model, sdk, threads }) =>
        Effect.gen(function*() {
          const context = yield* Effect.acquireRelease(
            attempt(() => model.createContext({ sequences: concurrency, contextSize, threads })),
            (context) => LlamaModels.disposed(() => context.dispose())
          )
          const wrapper = yield* attempt(() => sdk.resolveChatWrapper(model))
          const places = yield* Queue.unbounded<LlamaContextSequence>()
          yield* Queue.offerAll(places, Array.from({ length: concurrency }, () => context.getSequence()))
          return { llama, places, sdk, wrapper }
        })
    )

    const call = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const asked = yield* Effect.mapError(LlamaRequest.encode(request), (detail) => failed("InvalidInput", detail))
      const { functions, history, options, schema } = asked
      const { llama, places, sdk, wrapper } = yield* models(request.modelId)
      const grammar = schema === undefined
        ? undefined
        : yield* Effect.mapError(
          attempt(() => llama.createGrammarForJsonSchema({ oneOf: [schema] })),
          ({ detail }) => failed("InvalidInput", `no model can be held to the schema: ${detail}`)
        )
      const sequence = yield* placed(places)
      if (!cache) yield* attempt(() => sequence.clearHistory())

      const prompt = yield* attempt(() =>
        wrapper.generateContextState({
          chatHistory: history,
          ...given("availableFunctions", functions),
          documentFunctionParams: true
        }).contextText.tokenize(sequence.model.tokenizer)
      )
      const room = sequence.contextSize - prompt.length - spare
      if (room < 1) {
        const detail = `the prompt takes ${prompt.length} tokens, and the context has ${sequence.contextSize}`
        return yield* failed("InvalidInput", detail)
      }
      if (prompt.length === 0) return yield* failed("InvalidInput", "there is nothing to answer")
      // The last of the prompt is read anew in any case: it begins the answer.
      const cacheReadTokens = Math.min(sequence.compareContextTokens(prompt).firstDifferentIndex, prompt.length - 1)
      const before = sequence.tokenMeter.usedOutputTokens

      const chat = yield* Effect.acquireRelease(
        attempt(() => new sdk.LlamaChat({ contextSequence: sequence, chatWrapper: wrapper })),
        (chat) => Effect.sync(() => chat.dispose())
      )
      return LlamaAnswer.stream(
        (handlers) =>
          chat.generateResponse(history, {
            ...options,
            ...handlers,
            ...(functions !== undefined
              ? { functions, documentFunctionParams: true }
              : grammar === undefined
              ? {}
              : { grammar }),
            maxTokens: Math.max(1, Math.min(request.maxTokens ?? room, room))
          }),
        () => ({
          inputTokens: prompt.length - cacheReadTokens,
          outputTokens: sequence.tokenMeter.usedOutputTokens - before,
          cacheReadTokens,
          cacheWriteTokens: 0,
          reasoningTokens: 0
        })
      ).pipe(Stream.timeoutFail(() => failed("Timeout", `no word in ${Duration.format(timeout)}`), timeout))
    })

    return LLM.LLMConnector.of({
      provider: LlamaModels.name,
      credentials: { environment: undefined, required: false },
      stream: (request) => Stream.unwrapScoped(call(request))
    })
  })
})

/** `LLM` of the files that `LLAMACPP_MODELS` lists, separated by commas, each called as its file is, without `.gguf`. */
export const LlamaCppLLMLive = LlamaCppLLM.layerConfig({
  ...LlamaModels.fromEnvironment,
  concurrency: Config.succeed(1),
  cache: Config.succeed(true),
  timeout: Config.succeed(Duration.minutes(5))
})

/** Tokens the engine itself writes around calls of tools. */
const spare = 16

/** One of the places for the time of the scope; who waits for one may give up. */
const placed = <A>(places: Queue.Queue<A>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.tap(restore(Queue.take(places)), (place) => Effect.addFinalizer(() => Queue.offer(places, place)))
  )

const attempt = <A>(evaluate: () => A | Promise<A>) => LlamaModels.attempt("stream", evaluate)

const failed = (reason: Reason, detail: string) =>
  new ConnectorError({ connector: LlamaModels.name, method: "stream", reason, detail })
