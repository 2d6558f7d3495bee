/**
 * Any `LanguageModel` of `@effect/ai` as a provider of ours: models that only have a package there, or models of one's own. Keys,
 * addresses and sampling are the business of its layer.
 */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as AiPrompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as AiTool from "@effect/ai/Tool"
import { Chunk, Context, Effect, Layer, type ParseResult, Schema, Stream } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { endedEarly } from "../../subsystems/llm/AnswerStream.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message, Tool } from "../../subsystems/llm/Prompt.ts"
import { AnswerDraft, type Decoder, decoder, type Reader } from "./AnswerDraft.ts"
import { resultOf, sourceOf } from "./Parts.ts"
import { unsayable } from "./ProviderCall.ts"

/** The contract on the model of a layer, as `provider` in the models registry: for `LLM.providers` and `LLM.standalone`. */
export const contract = <E>(
  provider: string,
  model: Layer.Layer<LanguageModel.LanguageModel, E>
): Layer.Layer<LLM.LLMConnector, BootError | E> =>
  Layer.scoped(
    LLM.LLMConnector,
    Effect.gen(function*() {
      const ai = yield* load
      const service = Context.get(yield* Layer.build(model), ai.LanguageModel.LanguageModel)
      return LLM.LLMConnector.of({
        provider,
        credentials: { environment: undefined, required: false },
        stream: (request) => {
          const problem = excessIn(request)
          if (problem !== undefined) {
            return Stream.fail(unsayable(provider, request)(`it takes no ${problem}; leave it out`))
          }
          return Stream.suspend(() => {
            const draft = new AnswerDraft(provider)
            return read(provider, decoder(draft, reader(draft)), parts(ai, service, provider, request))
          })
        }
      })
    })
  )

const load = Connector.vendor("EffectAI", "@effect/ai", async () => {
  const [LanguageModel, Tool] = await Promise.all([import("@effect/ai/LanguageModel"), import("@effect/ai/Tool")])
  return { LanguageModel, Tool }
})
type Ai = Effect.Effect.Success<typeof load>

type Parts = Response.AnyPart

/** What would change the answer and has no words there. */
const excessIn = ({ stopSequences = [], webSearch }: LLM.ProviderRequest) =>
  webSearch !== undefined ? "webSearch" : stopSequences.length > 0 ? "stopSequences" : undefined

/** The tools are run here, not there. */
const parts = (
  ai: Ai,
  service: LanguageModel.Service,
  provider: string,
  { messages, toolChoice = "auto", tools = [] }: LLM.ProviderRequest
): Stream.Stream<Parts, ConnectorError> => {
  const prompt = messages.flatMap(toMessages)
  const answer: Stream.Stream<Parts, AiError.AiError | ParseResult.ParseError> = tools.length === 0
    ? service.streamText({ prompt })
    : service.streamText({
      prompt,
      toolkit: {
        tools: Object.fromEntries(tools.map((tool) => [tool.name, toTool(ai, tool)])),
        handle: () => Effect.dieMessage("tools are run by whoever asked the model")
      },
      toolChoice: typeof toolChoice === "object" ? { tool: toolChoice.name } : toolChoice,
      disableToolCallResolution: true
    })
  return Stream.mapError(answer, (error) => toError(provider, error))
}

const read = (provider: string, decoder: Decoder<Parts>, parts: Stream.Stream<Parts, ConnectorError>) =>
  parts.pipe(
    Stream.mapChunksEffect((chunk) => Effect.map(decoder.feed(chunk), Chunk.unsafeFromArray)),
    Stream.concat(
      Stream.suspend(() =>
        decoder.isComplete() ? Stream.fromIterable(decoder.end()) : Stream.fail(endedEarly(provider))
      )
    )
  )

const reader = (draft: AnswerDraft): Reader<Parts> => ({
  read: (part) => {
    switch (part.type) {
      case "text-delta":
        return draft.text(part.delta)
      case "reasoning-delta":
        return draft.thought(part.delta)
      case "tool-call": {
        const args = JSON.stringify(part.params)
        return draft.spend(args.length) ? draft.call({ id: part.id, name: part.name, arguments: args }) : undefined
      }
      case "finish": {
        const { cachedInputTokens: cached = 0, inputTokens = 0, outputTokens = 0, reasoningTokens = 0 } = part.usage
        draft.counted({
          inputTokens: Math.max(0, inputTokens - cached),
          outputTokens,
          cacheReadTokens: cached,
          cacheWriteTokens: 0,
          reasoningTokens
        })
        return draft.stop(part.reason === "pause" ? "stop" : part.reason === "other" ? "unknown" : part.reason)
      }
      case "error":
        return draft.fail("Unavailable", part.error instanceof Error ? part.error.message : "the model broke off")
    }
  }
})

/** A tool there has a schema of Effect; this one takes any object, and describes itself with the JSON Schema. */
const toTool = (ai: Ai, { description, name, parameters }: Tool): AiTool.Any =>
  ai.Tool.make(name, { description }).setParameters(
    Schema.Struct({}).annotations({
      jsonSchema: { type: "object", ...parameters },
      parseOptions: { onExcessProperty: "preserve" }
    })
  )

const toMessages = (message: Message): ReadonlyArray<AiPrompt.MessageEncoded> => {
  switch (message.role) {
    case "system":
      return [message]
    case "user":
      return [{ role: "user", content: message.content.map((part) => part.type === "text" ? part : toFile(part)) }]
    case "assistant":
      return [{
        role: "assistant",
        content: message.content.map((part): AiPrompt.AssistantMessagePartEncoded => {
          switch (part.type) {
            case "text":
              return { type: "text", text: part.text }
            case "reasoning":
              return { type: "reasoning", text: part.text }
            case "tool-call":
              return { type: "tool-call", id: part.id, name: part.name, params: part.params, providerExecuted: false }
          }
        })
      }]
    case "tool": {
      const results = message.content.map((part) => ({ part, ...resultOf(part) }))
      const files = results.flatMap((result) => result.files.map(toFile))
      // Results hold no files there: these follow as the user's.
      return [
        {
          role: "tool",
          content: results.map(({ files, part, text }) => ({
            type: "tool-result",
            id: part.id,
            name: part.name,
            isFailure: part.isFailure,
            result: files.length > 0 ? text : part.result,
            providerExecuted: false
          }))
        },
        ...(files.length === 0 ? [] : [{ role: "user" as const, content: files }])
      ]
    }
  }
}

const toFile = (file: FilePart) => {
  const { base64, url } = sourceOf(file)
  const { fileName, mediaType } = file
  return {
    type: "file" as const,
    mediaType,
    data: url === undefined ? Buffer.from(base64, "base64") : new URL(url),
    ...(fileName === undefined ? {} : { fileName })
  }
}

const toError = (connector: string, error: AiError.AiError | ParseResult.ParseError): ConnectorError => {
  const status = error._tag === "HttpResponseError" ? error.response.status : undefined
  const reason = error._tag === "ParseError" || error._tag === "MalformedOutput"
    ? "Protocol"
    : error._tag === "MalformedInput" || status === 400
    ? "InvalidInput"
    : status === 401 || status === 403
    ? "Unauthorized"
    : status === 429
    ? "RateLimited"
    : "Unavailable"
  return new ConnectorError({ connector, method: "stream", reason, detail: error.message.slice(0, 500) })
}
