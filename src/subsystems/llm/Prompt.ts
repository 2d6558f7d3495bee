/**
 * Conversations with models: messages going in, events coming out. Shaped like the Prompt and Response parts of
 * `@effect/ai`, so that a bridge is a change of names.
 */
import { Schema } from "effect"

export const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** `data`: bytes in base64, or a URL the provider may fetch. */
export const FilePart = Schema.Struct({
  type: Schema.Literal("file"),
  mediaType: Schema.String,
  data: Schema.String,
  fileName: Schema.optional(Schema.String)
})
export type FilePart = typeof FilePart.Type

/** What the model thought; `signature` proves it to the provider that wrote it and must come back unchanged. */
export const ReasoningPart = Schema.Struct({
  type: Schema.Literal("reasoning"),
  text: Schema.String,
  signature: Schema.optional(Schema.String)
})

export const ToolCallPart = Schema.Struct({
  type: Schema.Literal("tool-call"),
  id: Schema.String,
  name: Schema.String,
  /** The arguments, parsed; an object. */
  params: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
export type ToolCallPart = typeof ToolCallPart.Type

export const ToolResultPart = Schema.Struct({
  type: Schema.Literal("tool-result"),
  /** The id of the call. */
  id: Schema.String,
  name: Schema.String,
  result: Schema.Unknown,
  isFailure: Schema.Boolean
})
export type ToolResultPart = typeof ToolResultPart.Type

export const SystemMessage = Schema.Struct({ role: Schema.Literal("system"), content: Schema.String })
export const UserMessage = Schema.Struct({
  role: Schema.Literal("user"),
  content: Schema.Array(Schema.Union(TextPart, FilePart))
})
export const AssistantMessage = Schema.Struct({
  role: Schema.Literal("assistant"),
  content: Schema.Array(Schema.Union(TextPart, ReasoningPart, ToolCallPart))
})
/** The results of all calls of the assistant message before it. */
export const ToolMessage = Schema.Struct({ role: Schema.Literal("tool"), content: Schema.Array(ToolResultPart) })

export const Message = Schema.Union(SystemMessage, UserMessage, AssistantMessage, ToolMessage)
export type Message = typeof Message.Type

export const system = (content: string): Message => ({ role: "system", content })
export const user = (text: string, files: ReadonlyArray<FilePart> = []): Message => ({
  role: "user",
  content: [{ type: "text", text }, ...files]
})
export const assistant = (text: string): Message => ({ role: "assistant", content: [{ type: "text", text }] })

/** A tool the model may call; `parameters` is a JSON Schema of type `object`. */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly parameters: Readonly<Record<string, unknown>>
}

/** A call as the model wrote it: `arguments` is text that may not be JSON. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

export const FinishReason = Schema.Literal("stop", "length", "content-filter", "tool-calls", "error", "unknown")
export type FinishReason = typeof FinishReason.Type

/** Sampling and shape of an answer; what a provider cannot honour it fails on (`InvalidInput`), or leaves out if only less precise. */
export const Parameters = Schema.Struct({
  maxTokens: Schema.optional(Schema.Number),
  /** 0 to 2. */
  temperature: Schema.optional(Schema.Number),
  topP: Schema.optional(Schema.Number),
  topK: Schema.optional(Schema.Number),
  frequencyPenalty: Schema.optional(Schema.Number),
  presencePenalty: Schema.optional(Schema.Number),
  stopSequences: Schema.optional(Schema.Array(Schema.String)),
  /** `json`: one JSON object and nothing else. */
  responseFormat: Schema.optional(Schema.Literal("text", "json")),
  reasoningEffort: Schema.optional(Schema.Literal("none", "minimal", "low", "medium", "high", "xhigh")),
  /** For models that are given a number of tokens to think with (Claude before 4.6, Gemini 2.5); others go by the effort. */
  maxThinkingTokens: Schema.optional(Schema.Number),
  verbosity: Schema.optional(Schema.Literal("low", "medium", "high"))
})
export type Parameters = typeof Parameters.Type

/**
 * Tokens of one call. `inputTokens` does not count what was read from or written to the provider's cache;
 * `reasoningTokens` are part of `outputTokens`.
 */
export const Usage = Schema.Struct({
  inputTokens: Schema.Int,
  outputTokens: Schema.Int,
  cacheReadTokens: Schema.optionalWith(Schema.Int, { default: () => 0 }),
  cacheWriteTokens: Schema.optionalWith(Schema.Int, { default: () => 0 }),
  reasoningTokens: Schema.optionalWith(Schema.Int, { default: () => 0 })
})
export type Usage = typeof Usage.Type

/**
 * What a model streams: `text | reasoning | toolCall | usage` in any number, then exactly one `finish`. A call that cannot
 * be completed fails with a typed error instead, and then has no `finish`.
 */
export const LLMEvent = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text"), delta: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("reasoning"),
    delta: Schema.String,
    signature: Schema.optional(Schema.String)
  }),
  /** One whole call; `arguments` is the text the model wrote, which may not be JSON. */
  Schema.Struct({
    type: Schema.Literal("toolCall"),
    id: Schema.String,
    name: Schema.String,
    arguments: Schema.String
  }),
  /** `cached`: the answer was given before and is repeated; it took nothing. */
  Schema.Struct({ type: Schema.Literal("usage"), usage: Usage, cached: Schema.optional(Schema.Boolean) }),
  Schema.Struct({ type: Schema.Literal("finish"), reason: FinishReason })
)
export type LLMEvent = typeof LLMEvent.Type
