/** Parts of messages in the forms that several providers share. */
import { Either, Schema } from "effect"
import * as ComputerTool from "../../subsystems/llm/ComputerTool.ts"
import type { ProviderRequest, WebSearch } from "../../subsystems/llm/LLM.ts"
import {
  FilePart,
  type Message,
  TextPart,
  type Tool,
  type ToolCallPart,
  type ToolResultPart
} from "../../subsystems/llm/Prompt.ts"

/** Where the bytes of a file are: at an address, or here in base64. */
export const sourceOf = ({ data }: FilePart):
  | { readonly url: string; readonly base64?: never }
  | { readonly base64: string; readonly url?: never } =>
  /^https?:\/\//.test(data)
    ? { url: data }
    : { base64: data.startsWith("data:") ? data.slice(data.indexOf(",") + 1) : data }

export const nameOf = ({ fileName }: FilePart): string => fileName ?? "a file"

/** The file within `maxBytes`, which are not counted of one that is only named by its address. */
export const within = (file: FilePart, maxMegabytes: number): Either.Either<FilePart, string> =>
  (sourceOf(file).base64?.length ?? 0) * 0.75 > maxMegabytes * 1024 * 1024 + 1024
    ? Either.left(`${nameOf(file)} is larger than ${maxMegabytes} MiB, the most that is taken`)
    : Either.right(file)

/** What a provider does not take, and what it does. */
export const unsupported = (file: FilePart, accepted: string): Either.Either<never, string> =>
  Either.left(`${nameOf(file)} is of type ${file.mediaType}; accepted: ${accepted}`)

/** The images nearly all providers take. */
export const images: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"])

const isContent = Schema.is(Schema.NonEmptyArray(Schema.Union(TextPart, FilePart)))
const isFile = Schema.is(FilePart)

/** What a tool gave: the text to show, and the files among it, when it gave a file or a list of texts and files. */
export const resultOf = ({ result }: ToolResultPart): {
  readonly text: string
  readonly files: ReadonlyArray<FilePart>
} => {
  const parts = isFile(result) ? [result] : isContent(result) ? result : undefined
  return parts === undefined
    ? { text: typeof result === "string" ? result : JSON.stringify(result) ?? "null", files: [] }
    : {
      text: parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("\n"),
      files: parts.flatMap((part) => part.type === "file" ? [part] : [])
    }
}

/** How a provider writes the parts of messages. */
export interface Blocks<Block> {
  /** Nothing for an empty text. */
  readonly text: (text: string) => ReadonlyArray<Block>
  readonly file: (file: FilePart) => Either.Either<ReadonlyArray<Block>, string>
  /** Nothing for what the provider did not sign: it would be refused. */
  readonly thought: (text: string, signature: string | undefined) => ReadonlyArray<Block>
  readonly call: (part: ToolCallPart) => Block
  readonly result: (part: ToolResultPart) => Either.Either<Block, string>
}

/** A message in blocks, for providers that know two roles and keep the system apart; they refuse a message without any. */
export const turnOf = <Block>(
  message: Exclude<Message, { readonly role: "system" }>,
  { call, file, result, text, thought }: Blocks<Block>
): Either.Either<{ readonly role: "assistant" | "user"; readonly content: Array<Block> }, string> => {
  const filled = (blocks: ReadonlyArray<Block>) => blocks.length === 0 ? [...text("...")] : [...blocks]
  switch (message.role) {
    case "user":
      return Either.map(
        Either.all(message.content.map((part) => part.type === "text" ? Either.right(text(part.text)) : file(part))),
        (blocks) => ({ role: "user", content: filled(blocks.flat()) })
      )
    case "assistant":
      return Either.right({
        role: "assistant",
        content: filled(message.content.flatMap((part) => {
          switch (part.type) {
            case "text":
              return text(part.text)
            case "reasoning":
              return thought(part.text, part.signature)
            case "tool-call":
              return [call(part)]
          }
        }))
      })
    case "tool":
      return Either.map(Either.all(message.content.map(result)), (content) => ({ role: "user", content }))
  }
}

/** The system prompts of a conversation as one, for providers that keep them apart from the messages. */
export const systemOf = (messages: ReadonlyArray<Message>): string =>
  messages.flatMap((message) => message.role === "system" && message.content !== "" ? [message.content] : []).join(
    "\n\n"
  )

/**
 * The tools of a request. One without any, whose conversation has calls, declares those that were called: some providers refuse
 * the history otherwise. The model is not to call them again.
 */
export const toolsOf = ({ computer, messages, tools = [] }: ProviderRequest): ReadonlyArray<Tool> =>
  tools.length > 0 ? tools : Array.from(
    new Set(
      messages.flatMap((message) =>
        message.role === "assistant"
          ? message.content.flatMap((part) => part.type === "tool-call" ? [part.name] : [])
          : []
      ).filter((name) => computer === undefined || name !== ComputerTool.name)
    ),
    (name) => ({ name, description: "Not to be called any more.", parameters: { type: "object", properties: {} } })
  )

/** Where the asker of a search is, roughly. */
export const placeOf = ({ location }: WebSearch) =>
  location === undefined ? undefined : {
    ...given("city", location.city),
    ...given("country", location.country),
    ...given("region", location.region),
    ...given("timezone", location.timezone)
  }

export const given = <K extends string, V>(name: K, value: V | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { readonly [_ in K]?: V }
