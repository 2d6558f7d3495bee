/**
 * A model of ours as the `LanguageModel` of `@effect/ai`, for programs written against it: its toolkits, chats and objects, with
 * the keys, registry and usage of this system. Who asks is the candidate of the fiber.
 */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as AiPrompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import { Effect, Encoding, JSONSchema, Layer, Stream } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as Json from "../../kernel/Json.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import type { FilePart, LLMEvent, Message, Parameters, Usage } from "../../subsystems/llm/Prompt.ts"

export interface Options {
  readonly model: LLM.Request["model"]
  readonly parameters?: Parameters
}

/** `EffectAILanguageModel.layer({ model: "claude-sonnet-4-5" })`. */
export const layer = (options: Options): Layer.Layer<LanguageModel.LanguageModel, BootError, LLM.LLM> =>
  Layer.unwrapEffect(Effect.map(load, (ai) => Layer.effect(ai.LanguageModel.LanguageModel, make(ai, options))))

const load = Connector.vendor("EffectAI", "@effect/ai", async () => {
  const [AiError, LanguageModel, Tool] = await Promise.all([
    import("@effect/ai/AiError"),
    import("@effect/ai/LanguageModel"),
    import("@effect/ai/Tool")
  ])
  return { AiError, LanguageModel, Tool }
})
type Ai = Effect.Effect.Success<typeof load>

const make = (ai: Ai, { model, parameters }: Options): Effect.Effect<LanguageModel.Service, never, LLM.LLM> =>
  Effect.flatMap(LLM.LLM, (llm) => {
    const toError = (method: string) => (error: LLM.LLMError): AiError.AiError => {
      const given = { module: "effect-sre", method, description: error.message, cause: error }
      return error._tag === "ConnectorError" && error.reason !== "InvalidInput"
        ? new ai.AiError.UnknownError(given)
        : new ai.AiError.MalformedInput(given)
    }

    const asked = (method: string, { prompt, responseFormat, toolChoice, tools }: LanguageModel.ProviderOptions) =>
      Effect.try({
        try: (): LLM.Request => ({
          ...parameters,
          model,
          messages: prompt.content.map(toMessage),
          tools: tools.filter(({ name }) =>
            typeof toolChoice !== "object" || !("oneOf" in toolChoice) ||
            toolChoice.oneOf.includes(name)
          ).map((tool) => ({
            name: tool.name,
            description: tool.description ?? "",
            parameters: { ...ai.Tool.getJsonSchemaFromSchemaAst(tool.parametersSchema.ast) }
          })),
          toolChoice: typeof toolChoice === "string"
            ? toolChoice
            : "tool" in toolChoice
            ? { name: toolChoice.tool }
            : toolChoice.mode ?? "auto",
          ...(responseFormat.type === "json" ? { responseSchema: { ...JSONSchema.make(responseFormat.schema) } } : {})
        }),
        catch: (cause) =>
          new ai.AiError.MalformedInput({
            module: "effect-sre",
            method,
            description: cause instanceof Error ? cause.message : "the prompt cannot be said to the model",
            cause
          })
      })

    return ai.LanguageModel.make({
      generateText: (options) =>
        Effect.flatMap(asked("generateText", options), (request) =>
          Effect.map(
            Effect.mapError(llm.generate(request), toError("generateText")),
            ({ reason, reasoning, text, toolCalls, usage }): Array<Response.PartEncoded> => [
              ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
              ...(text === "" ? [] : [{ type: "text" as const, text }]),
              ...toolCalls.map(({ arguments: args, id, name }) => ({
                type: "tool-call" as const,
                id,
                name,
                params: paramsOf(args)
              })),
              { type: "finish", reason, usage: toUsage(usage) }
            ]
          )),
      streamText: (options) =>
        Stream.unwrap(
          Effect.map(
            asked("streamText", options),
            (request) => toParts(Stream.mapError(llm.stream(request), toError("streamText")))
          )
        )
    })
  })

/** Its streams have a beginning and an end for every text and thought, and the usage in the last part. */
const toParts = <E>(events: Stream.Stream<LLMEvent, E>): Stream.Stream<Response.StreamPartEncoded, E> =>
  Stream.suspend(() => {
    let open: { readonly type: "text" | "reasoning"; readonly id: string } | undefined
    let blocks = 0
    let usage: Usage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
    const close = (): ReadonlyArray<Response.StreamPartEncoded> => {
      if (open === undefined) return []
      const { id, type } = open
      open = undefined
      return [{ type: `${type}-end`, id }]
    }
    const say = (type: "text" | "reasoning", delta: string): ReadonlyArray<Response.StreamPartEncoded> => {
      if (delta === "") return []
      if (open?.type === type) return [{ type: `${type}-delta`, id: open.id, delta }]
      const ended = close()
      open = { type, id: String(blocks++) }
      return [...ended, { type: `${type}-start`, id: open.id }, { type: `${type}-delta`, id: open.id, delta }]
    }
    return Stream.mapConcat(events, (event): ReadonlyArray<Response.StreamPartEncoded> => {
      switch (event.type) {
        case "text":
        case "reasoning":
          return say(event.type, event.delta)
        case "toolCall":
          return [...close(), { type: "tool-call", id: event.id, name: event.name, params: paramsOf(event.arguments) }]
        case "usage":
          usage = event.usage
          return []
        case "finish":
          return [...close(), { type: "finish", reason: event.reason, usage: toUsage(usage) }]
      }
    })
  })

/** The toolkit judges them; what is no JSON stays the text it is. */
const paramsOf = (text: string): unknown => text.trim() === "" ? {} : Json.extract(text)

const toUsage = ({ cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens, reasoningTokens }: Usage) => {
  const all = inputTokens + cacheReadTokens + cacheWriteTokens
  return {
    inputTokens: all,
    outputTokens,
    totalTokens: all + outputTokens,
    reasoningTokens,
    cachedInputTokens: cacheReadTokens
  }
}

type Said = Extract<Message, { readonly role: "assistant" }>["content"]

const toMessage = (message: AiPrompt.Message): Message => {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.content }
    case "user":
      return {
        role: "user",
        content: message.content.map((part) => part.type === "text" ? { type: "text", text: part.text } : toFile(part))
      }
    case "assistant":
      return {
        role: "assistant",
        content: message.content.flatMap((part): Said => {
          switch (part.type) {
            case "text":
              return [{ type: "text", text: part.text }]
            case "reasoning":
              return [{ type: "reasoning", text: part.text }]
            case "tool-call": {
              const { id, name, params } = part
              return [{ type: "tool-call", id, name, params: typeof params === "object" ? { ...params } : {} }]
            }
            default:
              return []
          }
        })
      }
    case "tool":
      return {
        role: "tool",
        content: message.content.map(({ id, isFailure, name, result }) => ({
          type: "tool-result",
          id,
          name,
          result,
          isFailure
        }))
      }
  }
}

const toFile = ({ data, fileName, mediaType }: AiPrompt.FilePart): FilePart => ({
  type: "file",
  mediaType,
  data: data instanceof URL ? data.href : typeof data === "string" ? data : Encoding.encodeBase64(data),
  ...(fileName === undefined ? {} : { fileName })
})
