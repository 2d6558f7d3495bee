/** Our requests in the words of Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html */
import type {
  ContentBlock,
  ConverseStreamCommandInput,
  CountTokensCommandInput,
  DocumentFormat,
  ImageFormat,
  Message as ConverseMessage,
  Tool,
  ToolChoice,
  ToolResultContentBlock
} from "@aws-sdk/client-bedrock-runtime"
import { Either } from "effect"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message } from "../../subsystems/llm/Prompt.ts"
import * as AnthropicComputer from "./AnthropicComputer.ts"
import * as Claude from "./Claude.ts"
import {
  type Blocks,
  given,
  nameOf,
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

type Json = NonNullable<ConverseStreamCommandInput["additionalModelRequestFields"]>

export const owner = "Bedrock"

/** The input, or one sentence about what cannot be said in it. */
export const encode = (
  request: ProviderRequest,
  { cache }: { readonly cache: boolean }
): Either.Either<ConverseStreamCommandInput, string> =>
  request.webSearch !== undefined
    ? Either.left("its models do not search the web; leave webSearch out")
    : Either.map(
      Either.all([Either.all(request.messages.map(toMessage)), computerOf(request)]),
      ([messages, computer]) => {
        const system = systemOf(request.messages)
        const tools = toolsOf(request)
        const more = Claude.isClaude(request.modelId) ? { ...claudeFields(request), ...computer } : effortOf(request)
        const samples = more["thinking"] === undefined &&
          (!Claude.isClaude(request.modelId) || Claude.samples(request.modelId))
        const { responseSchema } = request
        const isKept = cache && Claude.caches(request.modelId) && Claude.isAskedAgain(request)
        const kept = isKept ? [{ cachePoint: { type: "default" as const } }] : []
        return {
          modelId: request.modelId,
          messages: ending(alternating(messages.flat()), kept),
          ...(system === "" ? {} : { system: [{ text: system }, ...kept] }),
          inferenceConfig: {
            ...given("maxTokens", request.maxTokens),
            ...(samples ? { ...given("temperature", request.temperature), ...given("topP", request.topP) } : {}),
            ...given("stopSequences", request.stopSequences?.length === 0 ? undefined : request.stopSequences?.slice())
          },
          ...(tools.length === 0 ? {} : {
            // What is kept up to the end of the system has the tools before it.
            toolConfig: {
              tools: [...tools.map(toTool), ...(system === "" ? kept : [])],
              ...given("toolChoice", toChoice(request.toolChoice))
            }
          }),
          ...(Object.keys(more).length === 0 ? {} : { additionalModelRequestFields: more as Json }),
          ...(responseSchema === undefined || !Claude.holdsToSchemas(request.modelId) || !isStrict(responseSchema) ?
            {} :
            {
              outputConfig: {
                textFormat: {
                  type: "json_schema",
                  structure: { jsonSchema: { schema: JSON.stringify(responseSchema), name: "answer" } }
                }
              }
            })
        }
      }
    )

/** What of it is counted: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html */
export const countable = (
  { additionalModelRequestFields, messages, modelId, system, toolConfig }: ConverseStreamCommandInput
): CountTokensCommandInput => ({
  // Counting knows models by their own names, not by those of inference profiles for one part of the world.
  modelId: modelId?.replace(/^[a-z-]+\.(?=anthropic\.)/, ""),
  input: {
    converse: {
      messages,
      ...given("system", system),
      ...given("toolConfig", toolConfig),
      ...given("additionalModelRequestFields", additionalModelRequestFields)
    }
  }
})

/** What only Claude knows: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html */
const claudeFields = (request: ProviderRequest): Readonly<Record<string, unknown>> => {
  const { effort, thinking } = Claude.thinkingOf(request, request.maxTokens ?? request.outputTokens ?? 4096)
  return {
    ...given("thinking", thinking),
    ...given("output_config", effort === undefined ? undefined : { effort }),
    ...given("top_k", thinking === undefined && Claude.samples(request.modelId) ? request.topK : undefined)
  }
}

/**
 * How much models of other families are to think, in their own words:
 * https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html and
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html
 */
const effortOf = (
  { maxTokens, modelId, reasoningEffort: effort, temperature, topP }: ProviderRequest
): Readonly<Record<string, unknown>> => {
  if (effort === undefined || effort === "none") return {}
  const level = efforts[effort]
  // Nova that thinks hard takes no bounds.
  const isBounded = [maxTokens, temperature, topP].some((one) => one !== undefined)
  const maxReasoningEffort = level === "high" && isBounded ? "medium" : level
  return /amazon\.nova-2/.test(modelId)
    ? { reasoningConfig: { type: "enabled", maxReasoningEffort } }
    : /openai\.gpt-oss/.test(modelId)
    ? { reasoning_effort: level }
    : {}
}
const efforts = { minimal: "low", low: "low", medium: "medium", high: "high", xhigh: "high" }

/** A tool that Converse does not know is passed on to the model, which answers with calls like those of any other. */
const computerOf = (
  { computer, modelId }: ProviderRequest
): Either.Either<Readonly<Record<string, unknown>>, string> =>
  computer === undefined ? Either.right({}) : Either.map(AnthropicComputer.toTool(modelId, computer), (tool) => ({
    tools: [tool],
    anthropic_beta: [AnthropicComputer.betaOf(modelId)]
  }))

const toTool = ({ description, name, parameters }: ReturnType<typeof toolsOf>[number]): Tool => ({
  toolSpec: { name, ...(description === "" ? {} : { description }), inputSchema: { json: { ...parameters } as Json } }
})

/** `none` is no choice of Converse: the model is told in words by whoever asks. */
const toChoice = (choice: ProviderRequest["toolChoice"]): ToolChoice | undefined =>
  typeof choice === "object"
    ? { tool: { name: choice.name } }
    : choice === "required"
    ? { any: {} }
    : choice === "auto"
    ? { auto: {} }
    : undefined

/** Roles alternate, and the user begins. */
const alternating = (messages: ReadonlyArray<ConverseMessage>): Array<ConverseMessage> => {
  const merged: Array<ConverseMessage> = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (last === undefined || last.role !== message.role) merged.push(message)
    else merged[merged.length - 1] = { role: last.role, content: [...last.content ?? [], ...message.content ?? []] }
  }
  return merged[0]?.role === "user" ? merged : [{ role: "user", content: [{ text: "continue" }] }, ...merged]
}

const ending = (messages: Array<ConverseMessage>, blocks: ReadonlyArray<ContentBlock>): Array<ConverseMessage> =>
  messages.map((message, at) =>
    at < messages.length - 1 || message.role !== "user"
      ? message
      : { role: message.role, content: [...message.content ?? [], ...blocks] }
  )

const toMessage = (message: Message): Either.Either<Array<ConverseMessage>, string> =>
  message.role === "system" ? Either.right([]) : Either.map(turnOf(message, blocks), (turn) => [turn])

const blocks: Blocks<ContentBlock> = {
  text: (text) => text === "" ? [] : [{ text }],
  file: (file) => toFile(file),
  thought: (text, sealed) => {
    const signature = Signature.open(owner, sealed)
    if (signature !== undefined) return [{ reasoningContent: { reasoningText: { text, signature } } }]
    const data = Signature.open(`${owner}-redacted`, sealed)
    return data === undefined ? [] : [{ reasoningContent: { redactedContent: Buffer.from(data, "base64") } }]
  },
  call: (part) => ({
    toolUse: { toolUseId: part.id, name: part.name, input: AnthropicComputer.inputOf(part) as Json }
  }),
  result: (part) => {
    const { files, text } = resultOf(part)
    return Either.map(Either.all(files.map(toFile)), (blocks): ContentBlock => {
      const content: Array<ToolResultContentBlock> = [
        ...(text === "" && blocks.length > 0 ? [] : [{ text: text === "" ? "(nothing)" : text }]),
        ...blocks.flat()
      ]
      return { toolResult: { toolUseId: part.id, content, status: part.isFailure ? "error" : "success" } }
    })
  }
}

const imageFormats: Readonly<Record<string, ImageFormat>> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp"
}

const documentFormats: Readonly<Record<string, DocumentFormat>> = {
  "application/pdf": "pdf",
  "text/csv": "csv",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "text/html": "html",
  "text/plain": "txt",
  "text/markdown": "md"
}

const toFile = (file: FilePart): Either.Either<Array<FileBlock>, string> => {
  const { base64 } = sourceOf(file)
  const image = imageFormats[file.mediaType]
  const document = documentFormats[file.mediaType]
  if (image === undefined && document === undefined) {
    return unsupported(file, Object.keys({ ...imageFormats, ...documentFormats }).join(", "))
  }
  if (base64 === undefined) return Either.left(`${nameOf(file)} is given by URL; give its bytes`)
  return Either.map(within(file, 4.5), (): Array<FileBlock> => {
    const source = { bytes: new Uint8Array(Buffer.from(base64, "base64")) }
    return image !== undefined
      ? [{ image: { format: image, source } }]
      : [{ document: { format: document, name: documentName(file), source } }]
  })
}

type FileBlock = ContentBlock.ImageMember | ContentBlock.DocumentMember

/** Letters, digits, single spaces, hyphens and brackets alone, at most 200 characters. */
const documentName = ({ fileName = "document" }: FilePart): string =>
  fileName.replace(/[^A-Za-z0-9()[\]-]+/g, " ").trim().slice(0, 200) || "document"
