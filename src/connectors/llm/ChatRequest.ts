/** Our requests in the words of Chat Completions: https://platform.openai.com/docs/api-reference/chat/create */
import { Either } from "effect"
import type {
  ChatCompletionContentPart,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam
} from "openai/resources/chat/completions"
import type { ProviderRequest, WebSearch } from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message, Tool } from "../../subsystems/llm/Prompt.ts"
import { given, images, nameOf, placeOf, resultOf, sourceOf, unsupported, within } from "./Parts.ts"
import { isStrict } from "./StrictSchema.ts"

/** What differs between servers that speak this format. */
export interface Dialect {
  /** How the bound on the answer is called. */
  readonly maxTokens: "max_tokens" | "max_completion_tokens"
  /** Whether it has `json_object`. Default true. */
  readonly jsonObject?: boolean
  /** Whether it holds models to a JSON Schema. Default false: it is then said to the model alone. */
  readonly jsonSchema?: boolean
  /** Whether its models call tools. Default true. */
  readonly tools?: boolean
  /** Whether it knows `top_k`. Default false. */
  readonly topK?: boolean
  /** Whether its models search the web by themselves. Default false. */
  readonly searches?: boolean
}

/** The body, or one sentence about what cannot be said in it. */
export const encode = (
  request: ProviderRequest,
  dialect: Dialect
): Either.Either<ChatCompletionCreateParamsStreaming, string> => {
  const { tools = [] } = request
  if (tools.length > 0 && dialect.tools === false) return Either.left("its models call no tools; leave the tools out")
  if (request.webSearch !== undefined && dialect.searches !== true) {
    return Either.left("its models do not search the web; leave webSearch out")
  }
  return Either.map(
    Either.all(request.messages.map((message) => toMessages(message, request.modelId))),
    (messages) => ({
      model: request.modelId,
      messages: messages.flat(),
      stream: true,
      stream_options: { include_usage: true },
      ...given(dialect.maxTokens, request.maxTokens),
      ...(reasons(request.modelId)
        ? { ...given("reasoning_effort", request.reasoningEffort), ...given("verbosity", request.verbosity) }
        : {
          ...given("reasoning_effort", effortOf(request)),
          ...given("temperature", request.temperature),
          ...given("top_p", request.topP),
          ...given("top_k", dialect.topK === true ? request.topK : undefined),
          ...given("frequency_penalty", request.frequencyPenalty),
          ...given("presence_penalty", request.presencePenalty),
          ...given("stop", request.stopSequences?.length === 0 ? undefined : request.stopSequences?.slice())
        }),
      ...given("response_format", toFormat(request, dialect)),
      ...given("web_search_options", request.webSearch === undefined ? undefined : toSearch(request.webSearch)),
      ...(tools.length === 0 ? {} : {
        tools: tools.map(toTool),
        ...given("tool_choice", toChoice(request.toolChoice))
      })
    })
  )
}

const toFormat = (
  { responseFormat, responseSchema: schema }: ProviderRequest,
  { jsonObject = true, jsonSchema = false }: Dialect
): ChatCompletionCreateParamsStreaming["response_format"] =>
  schema !== undefined && jsonSchema
    ? { type: "json_schema", json_schema: { name: "answer", schema: { ...schema }, strict: isStrict(schema) } }
    : (schema !== undefined || responseFormat === "json") && jsonObject
    ? { type: "json_object" }
    : undefined

const toSearch = (search: WebSearch) => {
  const approximate = placeOf(search)
  return {
    ...given("search_context_size", search.contextSize),
    ...given("user_location", approximate === undefined ? undefined : { type: "approximate" as const, approximate })
  }
}

/** OpenAI's reasoning models refuse sampling parameters and stop sequences, and only they know verbosity. */
export const reasons = (modelId: string) => /^(openai\/)?(o[134](-|$)|gpt-5(?!.*-chat))/.test(modelId)

/** Models of others that are told how much to think and take sampling parameters too; none of them can be kept from it. */
const effortOf = ({ modelId, reasoningEffort: effort }: ProviderRequest): "low" | "medium" | "high" | undefined =>
  effort === undefined || effort === "none" || !/gpt-oss|grok-3-mini|sonar-deep-research/.test(modelId)
    ? undefined
    : effort === "medium" && !modelId.includes("grok")
    ? effort
    : effort === "minimal" || effort === "low"
    ? "low"
    : "high"

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
    case "tool": {
      const results = message.content.map((part) => ({ id: part.id, ...resultOf(part) }))
      // Results hold text alone: the files follow as the user's.
      return Either.map(Either.all(results.flatMap(({ files }) => files.map(toFile))), (files) => [
        ...results.map(({ id, text }) => ({ role: "tool" as const, tool_call_id: id, content: text })),
        ...(files.length === 0 ? [] : [{ role: "user" as const, content: files }])
      ])
    }
  }
}

const toFile = (file: FilePart): Either.Either<ChatCompletionContentPart, string> => {
  const { base64, url = `data:${file.mediaType};base64,${base64}` } = sourceOf(file)
  if (images.has(file.mediaType)) {
    return Either.map(within(file, 20), () => ({ type: "image_url", image_url: { url } }))
  }
  if (file.mediaType !== "application/pdf") {
    return unsupported(file, `${Array.from(images).join(", ")}, application/pdf`)
  }
  return base64 === undefined
    ? Either.left(`${nameOf(file)} is a PDF given by URL; give its bytes`)
    : Either.map(within(file, 25), () => ({
      type: "file",
      file: { filename: file.fileName ?? "document.pdf", file_data: url }
    }))
}
