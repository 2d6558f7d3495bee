/** Parts of messages in the forms that several providers share. */
import { Either, Schema } from "effect"
import type { ProviderRequest, WebSearch } from "../../subsystems/llm/LLM.ts"
import { FilePart, type Message, TextPart, type Tool, type ToolResultPart } from "../../subsystems/llm/Prompt.ts"

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

/** The system prompts of a conversation as one, for providers that keep them apart from the messages. */
export const systemOf = (messages: ReadonlyArray<Message>): string =>
  messages.flatMap((message) => message.role === "system" && message.content !== "" ? [message.content] : []).join(
    "\n\n"
  )

/**
 * The tools of a request. One without any, whose conversation has calls, declares those that were called: some providers refuse
 * the history otherwise. The model is not to call them again.
 */
export const toolsOf = ({ messages, tools = [] }: ProviderRequest): ReadonlyArray<Tool> =>
  tools.length > 0 ? tools : Array.from(
    new Set(
      messages.flatMap((message) =>
        message.role === "assistant"
          ? message.content.flatMap((part) => part.type === "tool-call" ? [part.name] : [])
          : []
      )
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
