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
import * as AnthropicComputer from "./AnthropicComputer.ts"
import * as Claude from "./Claude.ts"
import {
  type Blocks,
  given,
  images,
  placeOf,
  resultOf,
  sourceOf,
  systemOf,
  toolsOf,
  turnOf,
  unsupported,
  within
} from "./Parts.ts"
import * as Signature from "./Signature.ts"
import { isStrict } from "./StrictSchema.ts"

/** Sampling, which the SDK no longer has in its types since the newest models refuse it. */
interface Sampling {
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
}

/** The computer is a tool of a beta, whose types the SDK keeps apart. */
type AnyTool = ToolUnion | AnthropicComputer.ComputerTool

type Body = Omit<MessageCreateParamsStreaming, "tools"> & Sampling & { readonly tools?: Array<AnyTool> }

export const owner = "Anthropic"

/** The body, or one sentence about what cannot be said in it. */
export const encode = (
  request: ProviderRequest,
  { cache }: { readonly cache: boolean }
): Either.Either<Body, string> =>
  Either.map(Either.all([Either.all(request.messages.map(toMessage)), toTools(request)]), ([messages, tools]) => {
    const maxTokens = request.maxTokens ?? request.outputTokens ?? 4096
    const { effort, thinking } = Claude.thinkingOf(request, maxTokens)
    const format = Claude.holdsToSchemas(request.modelId) && isStrict(request.responseSchema)
      ? request.responseSchema
      : undefined
    const kept = cache && Claude.isAskedAgain(request) ? { cache_control: { type: "ephemeral" as const } } : {}
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

/** What of it is counted: https://platform.claude.com/docs/en/api/messages/count_tokens */
export const countable = (
  { cache_control, messages, model, output_config, system, thinking, tool_choice, tools }: Body
) => ({ cache_control, messages, model, output_config, system, thinking, tool_choice, tools })

/** Claude takes temperatures to 1, and of temperature and `top_p` not always both. */
const sampling = ({ temperature, topK, topP }: ProviderRequest): Sampling => ({
  ...given("temperature", temperature === undefined ? undefined : Math.min(1, temperature)),
  ...given("top_p", temperature === undefined ? topP : undefined),
  ...given("top_k", topK)
})

const toTools = (request: ProviderRequest): Either.Either<Array<AnyTool>, string> => {
  const tools: Array<AnyTool> = [
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
  return request.computer === undefined
    ? Either.right(tools)
    : Either.map(AnthropicComputer.toTool(request.modelId, request.computer), (computer) => [...tools, computer])
}

const placed = (search: WebSearch) => {
  const place = placeOf(search)
  return place === undefined ? undefined : { type: "approximate" as const, ...place }
}

const toChoice = (
  { computer, toolChoice, tools = [], webSearch }: ProviderRequest
): MessageCreateParamsStreaming["tool_choice"] =>
  typeof toolChoice === "object"
    ? { type: "tool", name: toolChoice.name }
    : tools.length === 0 && webSearch === undefined && computer === undefined
    ? { type: "none" }
    : toolChoice === undefined
    ? undefined
    : { type: toolChoice === "required" ? "any" : toolChoice }

/** A conversation begins with the user. */
const fromUser = (messages: Array<MessageParam>): Array<MessageParam> =>
  messages[0]?.role === "user" ? messages : [{ role: "user", content: "continue" }, ...messages]

const toMessage = (message: Message): Either.Either<Array<MessageParam>, string> =>
  message.role === "system" ? Either.right([]) : Either.map(turnOf(message, blocks), (turn) => [turn])

const texts = (text: string) => text === "" ? [] : [{ type: "text" as const, text }]

const blocks: Blocks<ContentBlockParam> = {
  text: texts,
  file: (file) => toFile(file),
  thought: (thinking, sealed) => {
    const signature = Signature.open(owner, sealed)
    if (signature !== undefined) return [{ type: "thinking", thinking, signature }]
    const data = Signature.open(`${owner}-redacted`, sealed)
    return data === undefined ? [] : [{ type: "redacted_thinking", data }]
  },
  call: (part) => ({ type: "tool_use", id: part.id, name: part.name, input: AnthropicComputer.inputOf(part) }),
  result: (part) => {
    const { files, text } = resultOf(part)
    return Either.map(Either.all(files.map(toFile)), (blocks): ToolResultBlockParam => ({
      type: "tool_result",
      tool_use_id: part.id,
      ...(part.isFailure ? { is_error: true } : {}),
      content: blocks.length === 0 ? text : [...texts(text), ...blocks.flat()]
    }))
  }
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
