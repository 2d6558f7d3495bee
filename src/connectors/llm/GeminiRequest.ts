/** Our requests in the words of Gemini: https://ai.google.dev/api/generate-content */
import type {
  Content,
  CountTokensParameters,
  FunctionCallingConfigMode,
  GenerateContentParameters,
  Part,
  ThinkingLevel,
  Tool
} from "@google/genai"
import { Either } from "effect"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message, ToolResultPart } from "../../subsystems/llm/Prompt.ts"
import { given, resultOf, sourceOf, systemOf, toolsOf, unsupported, within } from "./Parts.ts"
import * as Signature from "./Signature.ts"

type Config = NonNullable<GenerateContentParameters["config"]>

/** AI Studio and Vertex sign alike. */
export const owner = "Gemini"

/** The parameters, or one sentence about what cannot be said in them. */
export const encode = (request: ProviderRequest): Either.Either<GenerateContentParameters, string> =>
  Either.map(Either.all(request.messages.map((message) => toContent(message, request.modelId))), (contents) => {
    const system = systemOf(request.messages)
    const tools = toTools(request)
    return {
      model: request.modelId,
      contents: contents.flat(),
      config: {
        ...given("systemInstruction", system === "" ? undefined : system),
        ...given("maxOutputTokens", request.maxTokens),
        ...given("temperature", request.temperature),
        ...given("topP", request.topP),
        ...given("topK", request.topK),
        ...given("frequencyPenalty", request.frequencyPenalty),
        ...given("presencePenalty", request.presencePenalty),
        ...given("stopSequences", request.stopSequences?.length === 0 ? undefined : request.stopSequences?.slice()),
        ...given("thinkingConfig", toThinking(request)),
        ...(tools.length === 0 ? {} : { tools, ...given("toolConfig", toChoice(request)) }),
        ...toFormat(request, tools.length > 0)
      }
    }
  })

/**
 * The same for https://ai.google.dev/api/tokens. `textOnly`: of AI Studio the SDK has nothing but contents counted, so that the
 * system prompt and the tools are counted as text.
 */
export const encodeCount = (
  request: ProviderRequest,
  { textOnly }: { readonly textOnly: boolean }
): Either.Either<CountTokensParameters, string> =>
  Either.map(Either.all(request.messages.map((message) => toContent(message, request.modelId))), (contents) => {
    const system = systemOf(request.messages)
    const tools = toTools(request)
    const texts = [system, tools.length === 0 ? "" : JSON.stringify(tools)].filter((text) => text !== "")
    return textOnly
      ? {
        model: request.modelId,
        contents: [...texts.map((text): Content => ({ role: "user", parts: [{ text }] })), ...contents.flat()]
      }
      : {
        model: request.modelId,
        contents: contents.flat(),
        config: {
          ...given("systemInstruction", system === "" ? undefined : system),
          ...given("tools", tools.length === 0 ? undefined : tools)
        }
      }
  })

/** Since version 3 thoughts are signed, leveled instead of budgeted, and JSON goes together with tools. */
const isThird = (modelId: string) => /gemini-(?!1|2)/.test(modelId)
const thinks = (modelId: string) => /gemini-(?!1|2\.0)/.test(modelId)

const toThinking = (
  { maxThinkingTokens, modelId, reasoningEffort: effort }: ProviderRequest
): Config["thinkingConfig"] => {
  if (!thinks(modelId) || (effort ?? maxThinkingTokens) === undefined) return undefined
  const includeThoughts = effort !== "none"
  const level = effort === undefined ? undefined : levels[effort] as ThinkingLevel
  const budget = includeThoughts ? maxThinkingTokens ?? budgets[effort ?? "medium"] : 0
  return isThird(modelId)
    ? { includeThoughts, ...given("thinkingLevel", level) }
    : { includeThoughts, thinkingBudget: budget }
}

const levels = { none: "LOW", minimal: "LOW", low: "LOW", medium: "MEDIUM", high: "HIGH", xhigh: "HIGH" }
const budgets = { none: 0, minimal: 512, low: 2048, medium: 8192, high: 16_384, xhigh: 24_576 }

const toFormat = ({ modelId, responseFormat, responseSchema }: ProviderRequest, hasTools: boolean): Config =>
  (responseFormat !== "json" && responseSchema === undefined) || (hasTools && !isThird(modelId))
    ? {}
    : { responseMimeType: "application/json", ...given("responseJsonSchema", responseSchema) }

const toTools = (request: ProviderRequest): Array<Tool> => {
  const tools = toolsOf(request)
  return [
    ...(tools.length === 0 ? [] : [{
      functionDeclarations: tools.map(({ description, name, parameters }) => ({
        name: wireName(name),
        description,
        // A tool without parameters has none to describe: an empty object is refused.
        ...(hasProperties(parameters) ? { parametersJsonSchema: parameters } : {})
      }))
    }]),
    ...(request.webSearch === undefined ? [] : [{ googleSearch: {} }])
  ]
}

const hasProperties = ({ properties }: Readonly<Record<string, unknown>>) =>
  typeof properties === "object" && properties !== null && Object.keys(properties).length > 0

/** Names are letters, digits and `_ . -`, do not begin with a digit, and have at most 64 characters. */
const wireName = (name: string) => name.replace(/[^\w.-]/g, "_").replace(/^(?=[^a-zA-Z_])/, "_").slice(0, 64)

/** The tool that a name on the wire means. */
export const toolName = (name: string, { tools = [] }: ProviderRequest): string =>
  tools.find((tool) => wireName(tool.name) === name)?.name ?? name

const toChoice = ({ toolChoice, tools = [] }: ProviderRequest): Config["toolConfig"] => {
  const mode = (name: "AUTO" | "ANY" | "NONE") => name as FunctionCallingConfigMode
  return toolChoice === "none" || (tools.length === 0 && toolChoice !== undefined)
    ? { functionCallingConfig: { mode: mode("NONE") } }
    : typeof toolChoice === "object"
    ? { functionCallingConfig: { mode: mode("ANY"), allowedFunctionNames: [wireName(toolChoice.name)] } }
    : toolChoice === "required"
    ? { functionCallingConfig: { mode: mode("ANY") } }
    : undefined
}

const toContent = (message: Message, modelId: string): Either.Either<Array<Content>, string> => {
  switch (message.role) {
    case "system":
      return Either.right([])
    case "user":
      return Either.map(
        Either.all(
          message.content.map((part) => part.type === "text" ? Either.right({ text: part.text }) : toFile(part))
        ),
        (parts) => [{ role: "user", parts }]
      )
    case "assistant":
      return Either.right([{ role: "model", parts: toParts(message.content, modelId) }])
    case "tool":
      return Either.map(Either.all(message.content.map(toResponse)), (parts) => [{ role: "user", parts: parts.flat() }])
  }
}

/** A signature belongs to the call after it; one without a call stands in a part of its own. */
const toParts = (
  content: Extract<Message, { readonly role: "assistant" }>["content"],
  modelId: string
): Array<Part> => {
  const parts: Array<Part> = []
  let signature: string | undefined
  let isFirstCall = true
  const unattached = () => {
    if (signature !== undefined) parts.push({ text: "", thoughtSignature: signature })
    signature = undefined
  }
  for (const part of content) {
    if (part.type === "tool-call") {
      // Calls that another provider's model made cannot be signed, and this word says so.
      const proof = signature ?? (isFirstCall && isThird(modelId) ? "skip_thought_signature_validator" : undefined)
      parts.push({
        functionCall: { ...idOf(part.id), name: wireName(part.name), args: { ...part.params } },
        ...given("thoughtSignature", proof)
      })
      signature = undefined
      isFirstCall = false
      continue
    }
    unattached()
    if (part.type === "text" && part.text !== "") parts.push({ text: part.text })
    if (part.type === "reasoning") signature = Signature.open(owner, part.signature)
  }
  unattached()
  return parts.length === 0 ? [{ text: "..." }] : parts
}

/** Ids that {@link ownId} made are nobody else's business. */
const idOf = (id: string) => id.startsWith(ownIdStart) ? {} : { id }
const ownIdStart = "call:"
export const ownId = (at: number): string => `${ownIdStart}${at}`

/** Results are objects; files stand beside them. */
const toResponse = (part: ToolResultPart): Either.Either<Array<Part>, string> => {
  const { files, text } = resultOf(part)
  const { result } = part
  const plain = files.length === 0 && typeof result === "object" && result !== null && !Array.isArray(result)
  const value = plain ? { ...result } : { result: files.length > 0 || typeof result === "string" ? text : result }
  return Either.map(Either.all(files.map(toFile)), (blobs) => [
    {
      functionResponse: {
        ...idOf(part.id),
        name: wireName(part.name),
        response: part.isFailure ? { error: text } : value
      }
    },
    ...blobs
  ])
}

const accepted = /^(image\/(png|jpeg|webp|heic|heif)|video\/|audio\/|application\/pdf$|application\/json$|text\/)/

const toFile = (file: FilePart): Either.Either<Part, string> => {
  const { base64, url } = sourceOf(file)
  const { mediaType: mimeType } = file
  return !accepted.test(mimeType)
    ? unsupported(file, "images, video, audio, application/pdf, application/json, text")
    : base64 === undefined
    ? Either.right({ fileData: { fileUri: url, mimeType } })
    : Either.map(within(file, 20), () => ({ inlineData: { data: base64, mimeType } }))
}
