/** Our requests in the words of OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses/create */
import { Either, Option, Schema } from "effect"
import type {
  ResponseCreateParamsStreaming,
  ResponseFormatTextConfig,
  ResponseFunctionCallOutputItemList,
  ResponseInputContent,
  ResponseInputItem
} from "openai/resources/responses/responses"
import type { ProviderRequest, SearchPlaces, WebSearch } from "../../subsystems/llm/LLM.ts"
import type { FilePart, Message } from "../../subsystems/llm/Prompt.ts"
import { reasons } from "./ChatRequest.ts"
import { given, images, placeOf, resultOf, sourceOf, unsupported, within } from "./Parts.ts"
import * as ResponsesComputer from "./ResponsesComputer.ts"
import * as Signature from "./Signature.ts"
import { isStrict } from "./StrictSchema.ts"

export const owner = "OpenAI"

/** What differs between servers that speak this format. */
export interface Dialect {
  /** Whether its models can be given a computer. */
  readonly computer: boolean
  /** Whether a search is told where the asker is, and how much to read: what only tunes it is left out else. */
  readonly tunedSearch: boolean
  /** Whether it is told where: on which hosts, and whether in posts on X. */
  readonly searchPlaces: boolean
}

/** Models whose entry says so; and only here can a model search the web or use a computer. */
export const isFor = (request: ProviderRequest): boolean =>
  request.interface === "responses" || request.webSearch !== undefined || request.computer !== undefined

/** The body, or one sentence about what cannot be said in it. */
export const encode = (
  request: ProviderRequest,
  dialect: Dialect
): Either.Either<ResponseCreateParamsStreaming, string> =>
  Either.map(Either.all(request.messages.map(toItems)), (items) => {
    const thinks = reasons(request.modelId)
    const tools = toTools(request, dialect)
    const format = toFormat(request)
    const verbosity = thinks ? request.verbosity : undefined
    return {
      model: request.modelId,
      input: items.flat(),
      stream: true,
      // What was thought comes back sealed instead, so that nothing is kept at the provider.
      store: false,
      ...given("max_output_tokens", request.maxTokens),
      ...(thinks || request.computer !== undefined ? { include: ["reasoning.encrypted_content" as const] } : {}),
      // Its screens fill the context; the oldest are left out.
      ...(request.computer !== undefined && ResponsesComputer.isPreview(request.modelId)
        ? { truncation: "auto" as const }
        : {}),
      ...(thinks
        ? {
          reasoning: { summary: "auto" as const, ...given("effort", request.reasoningEffort) }
        }
        : { ...given("temperature", request.temperature), ...given("top_p", request.topP) }),
      ...(format === undefined && verbosity === undefined
        ? {}
        : { text: { ...given("format", format), ...given("verbosity", verbosity) } }),
      ...(tools.length === 0 ? {} : { tools, ...given("tool_choice", toChoice(request.toolChoice)) })
    }
  })

/** Web search and the plain JSON mode exclude each other; the prompt asks for JSON all the same. */
const toFormat = (
  { responseFormat, responseSchema: schema, webSearch }: ProviderRequest
): ResponseFormatTextConfig | undefined =>
  schema !== undefined
    ? { type: "json_schema", name: "answer", schema: { ...schema }, strict: isStrict(schema) }
    : responseFormat === "json" && webSearch === undefined
    ? { type: "json_object" }
    : undefined

const toTools = (
  { computer, modelId, tools = [], webSearch }: ProviderRequest,
  { tunedSearch }: Dialect
): NonNullable<ResponseCreateParamsStreaming["tools"]> => [
  ...tools.map(({ description, name, parameters }) => ({
    type: "function" as const,
    name,
    description,
    parameters: { ...parameters },
    strict: false
  })),
  ...(computer === undefined ? [] : [ResponsesComputer.toTool(modelId, computer)]),
  ...(webSearch?.places !== undefined ? placedTools(webSearch.places) : webSearch === undefined ? [] : [{
    type: "web_search" as const,
    ...(tunedSearch
      ? { ...given("search_context_size", webSearch.contextSize), ...given("user_location", placed(webSearch)) }
      : {})
  }])
]

/** Of xAI: https://docs.x.ai/docs/guides/tools/search-tools. The types of the SDK know the first alone. */
const placedTools = ({ posts, web }: SearchPlaces) => {
  const filters = only("allowed_domains", web?.allowedDomains) ?? only("excluded_domains", web?.excludedDomains)
  const accounts = only("allowed_x_handles", posts?.allowedAccounts) ??
    only("excluded_x_handles", posts?.excludedAccounts)
  return [
    ...(web === undefined ? [] : [{ type: "web_search", ...given("filters", filters) }]),
    ...(posts === undefined
      ? []
      : [{ type: "x_search", ...accounts, ...given("from_date", posts.from), ...given("to_date", posts.to) }])
  ] as unknown as NonNullable<ResponseCreateParamsStreaming["tools"]>
}

const only = (name: string, list: ReadonlyArray<string> = []) => list.length === 0 ? undefined : { [name]: list }

const placed = (search: WebSearch) => {
  const place = placeOf(search)
  return place === undefined ? undefined : { type: "approximate" as const, ...place }
}

const toChoice = (choice: ProviderRequest["toolChoice"]) =>
  typeof choice === "object" ? { type: "function" as const, name: choice.name } : choice

const toItems = (message: Message): Either.Either<Array<ResponseInputItem>, string> => {
  switch (message.role) {
    case "system":
      return Either.right([{ role: "system", content: message.content }])
    case "user":
      return Either.map(
        Either.all(
          message.content.map((part) =>
            part.type === "text" ? Either.right({ type: "input_text" as const, text: part.text }) : toFile(part)
          )
        ),
        (content) => [{ role: "user", content }]
      )
    case "assistant":
      return Either.right(message.content.flatMap((part): ReadonlyArray<ResponseInputItem> => {
        switch (part.type) {
          case "text":
            return [{ role: "assistant", content: part.text }]
          case "reasoning":
            return thoughts(part.text, part.signature)
          case "tool-call":
            return [
              ResponsesComputer.callOf(part) ?? {
                type: "function_call",
                call_id: part.id,
                name: part.name,
                arguments: JSON.stringify(part.params)
              }
            ]
        }
      }))
    case "tool":
      return Either.map(
        Either.all(message.content.map((part) => {
          const shown = ResponsesComputer.outputOf(part)
          if (shown !== undefined) return Either.right(shown)
          const { files, text } = resultOf(part)
          return Either.map(Either.all(files.map(toFile)), (content): ReadonlyArray<ResponseInputItem> => [{
            type: "function_call_output",
            call_id: part.id,
            output: files.length === 0
              ? text
              : [{ type: "input_text", text }, ...content] as ResponseFunctionCallOutputItemList
          }])
        })),
        (items) => items.flat()
      )
  }
}

/** A reasoning item as it is kept between the turns of tools. */
const Sealed = Schema.parseJson(Schema.Struct({ id: Schema.String, content: Schema.String }))

export const seal = (id: string, content: string): string =>
  Signature.seal(owner, Schema.encodeSync(Sealed)({ id, content }))

const thoughts = (text: string, signature: string | undefined): ReadonlyArray<ResponseInputItem> =>
  Option.match(Option.flatMap(Option.fromNullable(Signature.open(owner, signature)), Schema.decodeOption(Sealed)), {
    onNone: () => [],
    onSome: ({ content, id }) => [{
      type: "reasoning",
      id,
      encrypted_content: content,
      summary: text === "" ? [] : [{ type: "summary_text", text }]
    }]
  })

const toFile = (file: FilePart): Either.Either<ResponseInputContent, string> => {
  const { base64, url } = sourceOf(file)
  const data = `data:${file.mediaType};base64,${base64}`
  if (images.has(file.mediaType)) {
    return Either.map(within(file, 20), () => ({ type: "input_image", detail: "auto", image_url: url ?? data }))
  }
  if (file.mediaType !== "application/pdf") {
    return unsupported(file, `${Array.from(images).join(", ")}, application/pdf`)
  }
  return Either.map(within(file, 25), () => ({
    type: "input_file",
    ...(url === undefined ? { filename: file.fileName ?? "document.pdf", file_data: data } : { file_url: url })
  }))
}
