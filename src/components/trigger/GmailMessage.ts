/** A message as the Gmail API gives it, made plain: https://developers.google.com/gmail/api/reference/rest/v1/users.messages */
import { Schema } from "effect"

const text = Schema.optional(Schema.String)
const list = <A, I>(of: Schema.Schema<A, I>) => Schema.optionalWith(Schema.Array(of), { default: () => [] })
const Header = Schema.Struct({ name: Schema.String, value: Schema.String })

const partFields = {
  mimeType: text,
  filename: text,
  headers: list(Header),
  body: Schema.optional(
    Schema.Struct({ attachmentId: text, size: Schema.optional(Schema.Number), data: text })
  )
}
export interface Part extends Schema.Struct.Type<typeof partFields> {
  readonly parts: ReadonlyArray<Part>
}
interface PartEncoded extends Schema.Struct.Encoded<typeof partFields> {
  readonly parts?: ReadonlyArray<PartEncoded> | undefined
}
const Part: Schema.Schema<Part, PartEncoded> = Schema.Struct({
  ...partFields,
  parts: list(Schema.suspend((): Schema.Schema<Part, PartEncoded> => Part))
})

export const Message = Schema.Struct({
  id: Schema.String,
  threadId: text,
  labelIds: list(Schema.String),
  snippet: text,
  sizeEstimate: Schema.optional(Schema.Number),
  /** Milliseconds since 1970. */
  internalDate: text,
  payload: Schema.optional(Part)
})
export type Message = typeof Message.Type

/** What a run gets of a message; attachments stay where they are. */
export interface Email {
  readonly id: string
  readonly threadId: string
  readonly labelIds: ReadonlyArray<string>
  readonly snippet: string
  readonly sizeEstimate: number
  readonly internalDate: string | null
  readonly headers: Readonly<Record<(typeof headers)[number], string>>
  readonly body: { readonly text: string; readonly html: string }
  readonly attachments: ReadonlyArray<{
    readonly filename: string
    readonly mimeType: string
    readonly size: number
    readonly attachmentId: string
  }>
  readonly isUnread: boolean
}

const headers = ["from", "to", "cc", "bcc", "subject", "date", "messageId"] as const

export const read = (message: Message): Email => {
  const parts = message.payload === undefined ? [] : partsIn(message.payload)
  const given = new Map((message.payload?.headers ?? []).map(({ name, value }) => [name.toLowerCase(), value]))
  const bodies = (type: string) =>
    parts.filter(({ filename = "", mimeType }) => filename === "" && mimeType?.toLowerCase() === type)
      .map(contentOf).join("\n")
  const [plain, html] = [bodies("text/plain"), bodies("text/html")]
  return {
    id: message.id,
    threadId: message.threadId ?? "",
    labelIds: message.labelIds,
    snippet: message.snippet ?? "",
    sizeEstimate: message.sizeEstimate ?? 0,
    internalDate: isoOf(message.internalDate),
    headers: Object.fromEntries(
      headers.map((name) => [name, given.get(name === "messageId" ? "message-id" : name) ?? ""])
    ) as Email["headers"],
    body: { text: plain === "" ? textOf(html) : plain, html: html === "" ? plain : html },
    attachments: parts.filter(({ filename = "" }) => filename !== "").map(({ body, filename = "", mimeType }) => ({
      filename,
      mimeType: mimeType ?? "application/octet-stream",
      size: body?.size ?? 0,
      attachmentId: body?.attachmentId ?? ""
    })),
    isUnread: message.labelIds.includes("UNREAD")
  }
}

const partsIn = (part: Part): ReadonlyArray<Part> => [part, ...part.parts.flatMap(partsIn)]

/** UTF-8 as a rule; what is none is what its header says. */
const contentOf = ({ body, headers }: Part): string => {
  const bytes = Buffer.from(body?.data ?? "", "base64url")
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return decoded(bytes, headers.find(({ name }) => name.toLowerCase() === "content-type")?.value ?? "")
  }
}

const decoded = (bytes: Uint8Array, contentType: string): string => {
  const charset = /charset="?([\w.:-]+)/i.exec(contentType)?.[1] ?? "latin1"
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    return new TextDecoder("latin1").decode(bytes)
  }
}

const isoOf = (millis: string | undefined): string | null =>
  millis !== undefined && /^\d{1,15}$/.test(millis) ? new Date(Number(millis)).toISOString() : null

/** For models and people: without markup, scripts and styles. */
const textOf = (html: string): string =>
  html
    .replace(/<(script|style|head)\b[^<>]*>[\s\S]*?(?:<\/\1\s*>|$)/gi, " ")
    .replace(/<!--[\s\S]*?(?:-->|$)/g, " ")
    .replace(/<[^<>]*>/g, " ")
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(nbsp|amp|lt|gt|quot|apos));/gi, (entity, decimal, hex, name) =>
      name !== undefined
        ? entities[String(name).toLowerCase()]!
        : characterOf(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal), entity))
    .replace(/\s+/g, " ")
    .trim()

const entities: Readonly<Record<string, string>> = { nbsp: " ", amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'" }

const characterOf = (code: number, otherwise: string): string =>
  code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : otherwise
