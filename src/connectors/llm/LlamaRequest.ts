/** Our requests in the words of a chat of node-llama-cpp: https://node-llama-cpp.withcat.ai/api/classes/LlamaChat */
import { Either } from "effect"
import type { ChatHistoryItem, ChatModelFunctionCall, ChatModelFunctions, GbnfJsonSchema } from "node-llama-cpp"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import type { Message, ToolResultPart } from "../../subsystems/llm/Prompt.ts"
import * as GrammarSchema from "./GrammarSchema.ts"
import { given, nameOf, resultOf, systemOf } from "./Parts.ts"

export interface LlamaRequest {
  readonly history: Array<ChatHistoryItem>
  /** What the model may call, if anything. */
  readonly functions: ChatModelFunctions | undefined
  /** What its answer must be. A model that may call something is held to none. */
  readonly schema: GbnfJsonSchema | undefined
  readonly options: ReturnType<typeof sampling>
}

/** The chat, or one sentence about what cannot be said in it. */
export const encode = (request: ProviderRequest): Either.Either<LlamaRequest, string> => {
  const { messages, responseFormat, responseSchema, toolChoice = "auto", tools = [], webSearch } = request
  if (webSearch !== undefined) return Either.left("its models do not search the web; leave webSearch out")
  if (toolChoice !== "auto" && toolChoice !== "none") {
    return Either.left("its models cannot be made to call a tool; let toolChoice be auto")
  }
  const functions = toolChoice === "none" || tools.length === 0 ? undefined : Object.fromEntries(
    tools.map(({ description, name, parameters }) => [
      name,
      { description, params: GrammarSchema.from({ ...parameters, type: "object" }) }
    ])
  )
  return Either.map(historyOf(messages), (history) => ({
    history,
    functions,
    schema: functions !== undefined
      ? undefined
      : responseSchema !== undefined
      ? GrammarSchema.from(responseSchema)
      : responseFormat === "json"
      ? GrammarSchema.object
      : undefined,
    options: sampling(request)
  }))
}

/** Without a temperature the likeliest is said. */
const sampling = (request: ProviderRequest) => ({
  ...given("temperature", request.temperature),
  ...given("topP", request.topP),
  ...given("topK", request.topK),
  ...given("customStopTriggers", request.stopSequences?.filter((text) => text !== "")),
  ...(request.frequencyPenalty === undefined && request.presencePenalty === undefined ? {} : {
    repeatPenalty: {
      ...given("frequencyPenalty", request.frequencyPenalty),
      ...given("presencePenalty", request.presencePenalty)
    }
  }),
  ...given("budgets", request.reasoningEffort === "none" ? { thoughtTokens: 0 } : undefined)
})

/** The system first, then by turns; calls stand in the answer with their results, and what is still to be said at the end. */
const historyOf = (messages: ReadonlyArray<Message>): Either.Either<Array<ChatHistoryItem>, string> =>
  Either.gen(function*() {
    const system = systemOf(messages)
    const history: Array<ChatHistoryItem> = system === "" ? [] : [{ type: "system", text: system }]
    const answer = () => {
      const last = history.at(-1)
      if (last?.type === "model") return last.response
      const response: Extract<ChatHistoryItem, { readonly type: "model" }>["response"] = []
      history.push({ type: "model", response })
      return response
    }
    for (const [at, message] of messages.entries()) {
      if (message.role === "user") {
        const texts = yield* Either.all(
          message.content.map((part) =>
            part.type === "text" ? Either.right(part.text) : unread(nameOf(part), part.mediaType)
          )
        )
        history.push({ type: "user", text: texts.join("\n") })
      }
      if (message.role === "assistant") {
        const results = messages[at + 1]
        let isFirst = true
        for (const part of message.content) {
          if (part.type === "text") answer().push(part.text)
          if (part.type === "tool-call") {
            const result = results?.role === "tool" ? results.content.find(({ id }) => id === part.id) : undefined
            answer().push(yield* toCall(part.name, part.params, result, isFirst))
            isFirst = false
          }
        }
      }
    }
    answer()
    return history
  })

const toCall = (
  name: string,
  params: unknown,
  part: ToolResultPart | undefined,
  startsNewChunk: boolean
): Either.Either<ChatModelFunctionCall, string> => {
  const { files, text } = part === undefined ? { files: [], text: "" } : resultOf(part)
  const [file] = files
  if (file !== undefined) return unread(nameOf(file), file.mediaType)
  return Either.right({
    type: "functionCall",
    name,
    params,
    result: part?.isFailure === true ? { error: text } : text,
    startsNewChunk
  })
}

const unread = (name: string, mediaType: string) => Either.left(`${name} is of type ${mediaType}; accepted: text alone`)
