/** Our requests in the words of Chat Completions: https://platform.openai.com/docs/api-reference/chat/create */
import { Either } from "effect"
import type {
  ChatCompletionContentPart,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam
} from "openai/resources/chat/completions"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message, Tool } from "../../subsystems/llm/Prompt.ts"

/** What differs between servers that speak this format. */
export interface Dialect {
  /** How the bound on the answer is called. */
  readonly maxTokens: "max_tokens" | "max_completion_tokens"
}

/** The body, or one sentence about what cannot be said in it. */
export const encode = (
  request: ProviderRequest,
  { maxTokens }: Dialect
): Either.Either<ChatCompletionCreateParamsStreaming, string> =>
  Either.map(Either.all(request.messages.map((message) => toMessages(message, request.modelId))), (messages) => ({
    model: request.modelId,
    messages: messages.flat(),
    stream: true,
    stream_options: { include_usage: true },
    ...given(maxTokens, request.maxTokens),
    ...(reasons(request.modelId)
      ? { ...given("reasoning_effort", request.reasoningEffort), ...given("verbosity", request.verbosity) }
      : {
        ...given("temperature", request.temperature),
        ...given("top_p", request.topP),
        ...given("frequency_penalty", request.frequencyPenalty),
        ...given("presence_penalty", request.presencePenalty),
        ...given("stop", request.stopSequences?.length === 0 ? undefined : request.stopSequences?.slice())
      }),
    ...(request.responseFormat === "json" ? { response_format: { type: "json_object" as const } } : {}),
    ...(request.tools === undefined || request.tools.length === 0 ? {} : {
      tools: request.tools.map(toTool),
      ...given("tool_choice", toChoice(request.toolChoice))
    })
  }))

/** OpenAI's reasoning models refuse sampling parameters and stop sequences, and only they know effort and verbosity. */
const reasons = (modelId: string) => /^(openai\/)?(o[134](-|$)|gpt-5(?!.*-chat))/.test(modelId)

const given = <K extends string, V>(name: K, value: V | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { readonly [_ in K]?: V }

const toTool = ({ description, name, parameters }: Tool) => ({
  type: "function" as const,
  function: { name, description, parameters: { ...parameters } }
})

const toChoice = (choice: ProviderRequest["toolChoice"]) =>
  typeof choice === "object" ? { type: "function" as const, function: { name: choice.name } } : choice

const toMessages = (message: Message, modelId: string): Either.Either<Array<ChatCompletionMessageParam>, string> => {
  switch (message.role) {
    case "system":
      // The first reasoning models know no system role.
      return Either.right([{ role: /^o1-(mini|preview)/.test(modelId) ? "user" : "system", content: message.content }])
    case "user": {
      const [first, ...more] = message.content
      return first?.type === "text" && more.length === 0
        ? Either.right([{ role: "user", content: first.text }])
        : Either.map(
          Either.all(
            message.content.map((part) =>
              part.type === "text" ? Either.right({ type: "text" as const, text: part.text }) : toFile(part)
            )
          ),
          (content) => [{ role: "user", content }]
        )
    }
    case "assistant": {
      const text = message.content.flatMap((part) => part.type === "text" ? [part.text] : []).join("")
      const calls = message.content.flatMap((part) =>
        part.type !== "tool-call" ? [] : [{
          id: part.id,
          type: "function" as const,
          function: { name: part.name, arguments: JSON.stringify(part.params) }
        }]
      )
      return Either.right([
        calls.length === 0
          ? { role: "assistant", content: text }
          : { role: "assistant", content: text === "" ? null : text, tool_calls: calls }
      ])
    }
    case "tool":
      return Either.right(message.content.map(({ id, result }) => ({
        role: "tool",
        tool_call_id: id,
        content: typeof result === "string" ? result : JSON.stringify(result) ?? "null"
      })))
  }
}

const images: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"])
const maxImageBytes = 20 * 1024 * 1024
const maxPdfBytes = 25 * 1024 * 1024

const toFile = ({ data, fileName, mediaType }: FilePart): Either.Either<ChatCompletionContentPart, string> => {
  const remote = /^https?:\/\//.test(data)
  const url = remote || data.startsWith("data:") ? data : `data:${mediaType};base64,${data}`
  const tooLarge = (maxBytes: number) => !remote && data.length * 0.75 > maxBytes + 1024
  const name = fileName ?? "a file"
  if (images.has(mediaType)) {
    return tooLarge(maxImageBytes)
      ? Either.left(`${name} is larger than 20 MiB, the most an image may have`)
      : Either.right({ type: "image_url", image_url: { url } })
  }
  if (mediaType !== "application/pdf") {
    return Either.left(`${name} is of type ${mediaType}; accepted: ${Array.from(images).join(", ")}, application/pdf`)
  }
  return remote
    ? Either.left(`${name} is a PDF given by URL; give its bytes`)
    : tooLarge(maxPdfBytes)
    ? Either.left(`${name} is larger than 25 MiB, the most a PDF may have`)
    : Either.right({ type: "file", file: { filename: fileName ?? "document.pdf", file_data: url } })
}
