/** Our requests in the words of the Messages API: https://platform.claude.com/docs/en/api/messages */
import type {
  ContentBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  ToolResultBlockParam,
  ToolUnion
} from "@anthropic-ai/sdk/resources/messages"
import { Either } from "effect"
import type { ProviderRequest, WebSearch } from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message } from "../../subsystems/llm/Prompt.ts"
import * as Claude from "./Claude.ts"
import { given, images, placeOf, resultOf, sourceOf, systemOf, toolsOf, unsupported, within } from "./Parts.ts"
import * as Signature from "./Signature.ts"
import { isStrict } from "./StrictSchema.ts"

/** Sampling, which the SDK no longer has in its types since the newest models refuse it. */
interface Sampling {
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
}

export const owner = "Anthropic"

/** The body, or one sentence about what cannot be said in it. */
export const encode = (
  request: ProviderRequest,
  { cache }: { readonly cache: boolean }
): Either.Either<MessageCreateParamsStreaming & Sampling, string> =>
  Either.map(Either.all(request.messages.map(toMessage)), (messages) => {
    const maxTokens = request.maxTokens ?? request.outputTokens ?? 4096
    const { effort, thinking } = Claude.thinkingOf(request, maxTokens)
    const format = Claude.holdsToSchemas(request.modelId) && isStrict(request.responseSchema)
      ? request.responseSchema
      : undefined
    const tools = toTools(request)
    const kept = cache && isAskedAgain(request) ? { cache_control: { type: "ephemeral" as const } } : {}
    const system = systemOf(request.messages)
    return {
      model: request.modelId,
      max_tokens: maxTokens,
      messages: fromUser(messages.flat()),
      stream: true,
      ...(system === "" ? {} : { system: [{ type: "text" as const, text: system, ...kept }] }),
      ...(request.stopSequences === undefined || request.stopSequences.length === 0
        ? {}
        : { stop_sequences: request.stopSequences.filter((text) => text.trim() !== "") }),
      ...(thinking !== undefined || !Claude.samples(request.modelId) ? {} : sampling(request)),
      ...(tools.length === 0 ? {} : { tools, ...given("tool_choice", toChoice(request)) }),
      ...given("thinking", thinking),
      ...(effort === undefined && format === undefined ? {} : {
        output_config: {
          ...given("effort", effort),
          ...given("format", format === undefined ? undefined : { type: "json_schema" as const, schema: { ...format } })
        }
      }),
      ...kept
    }
  })

/** Caching is charged for when it is written: worth it where the same beginning will be sent again. */
const isAskedAgain = ({ messages, tools = [] }: ProviderRequest) =>
  tools.length > 0 || messages.some(({ role }) => role === "assistant")

/** Claude takes temperatures to 1, and of temperature and `top_p` not always both. */
const sampling = ({ temperature, topK, topP }: ProviderRequest): Sampling => ({
  ...given("temperature", temperature === undefined ? undefined : Math.min(1, temperature)),
  ...given("top_p", temperature === undefined ? topP : undefined),
  ...given("top_k", topK)
})

const toTools = (request: ProviderRequest): Array<ToolUnion> => [
  ...toolsOf(request).map(({ description, name, parameters }) => ({
    name,
    description,
    input_schema: { ...parameters, type: "object" as const }
  })),
  ...(request.webSearch === undefined ? [] : [{
    type: "web_search_20250305" as const,
    name: "web_search" as const,
    ...given("user_location", placed(request.webSearch))
  }])
]

const placed = (search: WebSearch) => {
  const place = placeOf(search)
  return place === undefined ? undefined : { type: "approximate" as const, ...place }
}

const toChoice = (
  { toolChoice, tools = [], webSearch }: ProviderRequest
): MessageCreateParamsStreaming["tool_choice"] =>
  typeof toolChoice === "object"
    ? { type: "tool", name: toolChoice.name }
    : tools.length === 0 && webSearch === undefined
    ? { type: "none" }
    : toolChoice === undefined
    ? undefined
    : { type: toolChoice === "required" ? "any" : toolChoice }

/** A conversation begins with the user. */
const fromUser = (messages: Array<MessageParam>): Array<MessageParam> =>
  messages[0]?.role === "user" ? messages : [{ role: "user", content: "continue" }, ...messages]

const toMessage = (message: Message): Either.Either<Array<MessageParam>, string> => {
  switch (message.role) {
    case "system":
      return Either.right([])
    case "user":
      return Either.map(
        Either.all(message.content.map((part) => part.type === "text" ? Either.right(texts(part.text)) : toFile(part))),
        (blocks) => [{ role: "user", content: filled(blocks.flat()) }]
      )
    case "assistant":
      return Either.right([{
        role: "assistant",
        content: filled(message.content.flatMap((part): ReadonlyArray<ContentBlockParam> => {
          switch (part.type) {
            case "text":
              return texts(part.text)
            case "reasoning":
              return thoughts(part.text, part.signature)
            case "tool-call":
              return [{ type: "tool_use", id: part.id, name: part.name, input: part.params }]
          }
        }))
      }])
    case "tool":
      return Either.map(
        Either.all(message.content.map((part) => {
          const { files, text } = resultOf(part)
          return Either.map(Either.all(files.map(toFile)), (blocks): ToolResultBlockParam => ({
            type: "tool_result",
            tool_use_id: part.id,
            ...(part.isFailure ? { is_error: true } : {}),
            content: blocks.length === 0 ? text : [...texts(text), ...blocks.flat()]
          }))
        })),
        (content) => [{ role: "user", content }]
      )
  }
}

/** Empty texts and empty messages are refused. */
const texts = (text: string) => text === "" ? [] : [{ type: "text" as const, text }]
const filled = (blocks: ReadonlyArray<ContentBlockParam>): Array<ContentBlockParam> =>
  blocks.length === 0 ? [{ type: "text", text: "..." }] : [...blocks]

/** What this provider did not sign is left out: it would be refused. */
const thoughts = (thinking: string, sealed: string | undefined): ReadonlyArray<ContentBlockParam> => {
  const signature = Signature.open(owner, sealed)
  if (signature !== undefined) return [{ type: "thinking", thinking, signature }]
  const data = Signature.open(`${owner}-redacted`, sealed)
  return data === undefined ? [] : [{ type: "redacted_thinking", data }]
}

const toFile = (file: FilePart) => {
  const { base64, url } = sourceOf(file)
  if (images.has(file.mediaType)) {
    const media_type = file.mediaType as "image/png" | "image/jpeg" | "image/webp" | "image/gif"
    return Either.map(within(file, 5), () => [{
      type: "image" as const,
      source: base64 === undefined
        ? { type: "url" as const, url }
        : { type: "base64" as const, media_type, data: base64 }
    }])
  }
  if (file.mediaType !== "application/pdf") {
    return unsupported(file, `${Array.from(images).join(", ")}, application/pdf`)
  }
  return Either.map(within(file, 32), () => [{
    type: "document" as const,
    source: base64 === undefined
      ? { type: "url" as const, url }
      : { type: "base64" as const, media_type: "application/pdf" as const, data: base64 },
    ...given("title", file.fileName)
  }])
}
