/** Files as they pass between components: whatever stands for one is loaded to bytes, bytes are stored to a file object. */
import { Duration, Effect, Predicate, Ref, Schema, Stream } from "effect"
import * as Ids from "../../kernel/Ids.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import { collect } from "../Guarded.ts"
import * as LLMContext from "../memory/LLMContext.ts"
import * as MediaType from "./MediaType.ts"
import { Outbound, type OutboundError } from "./Outbound.ts"
import { PublicUrls } from "./PublicUrls.ts"
import { Storage, type StorageError } from "./Storage.ts"

/** What does not stand for a file, or for one that cannot be had. */
export class FileUnreadable extends Schema.TaggedError<FileUnreadable>()("FileUnreadable", {
  /** `Unrecognized`: no file at all. `Malformed`: a data URL or base64 that is none. `Refused`: an answer that is no success. */
  reason: Schema.Literal("Unrecognized", "Malformed", "TooLarge", "Refused"),
  detail: Schema.String
}) {
  override get message(): string {
    return `Not a readable file: ${this.detail}`
  }
}

/** A file in memory. */
export interface LoadedFile {
  readonly bytes: Uint8Array
  /** Without parameters: `text/plain`. */
  readonly mediaType: string
  readonly name: string
}

/** A file by reference: the form in which documents and answers carry one. */
export const FileObject = Schema.Struct({
  mimetype: Schema.String,
  /** In bytes. */
  size: Schema.Number,
  /** `smythfs://`, `http(s)://` or `data:`. */
  url: Schema.String,
  name: Schema.String
})
export type FileObject = typeof FileObject.Type

export interface LoadOptions {
  /** Default 10 MiB. */
  readonly maxBytes?: number | undefined
  /** `base64`: plain text is base64. Without it no text is taken for base64, for many a word looks like it. */
  readonly encoding?: "text" | "base64" | undefined
  /** Default: what the value says, else one made up. */
  readonly name?: string | undefined
}

/**
 * Bytes, a `Blob`, a file object, a `data:`, `http(s)://` or `smythfs://` URL, or any other text. A `smythfs://` URL is read as
 * whoever is asking. The media type is the one given, else by the extension, else by the first bytes.
 */
export const load = Effect.fnUntraced(function*(
  value: unknown,
  options: LoadOptions = {}
): Effect.fn.Return<LoadedFile, FileUnreadable | StorageError | OutboundError, Storage | Outbound> {
  const maxBytes = options.maxBytes ?? 10 * 2 ** 20
  const { bytes, mediaType, name } = yield* find(value, { ...options, maxBytes })
  if (bytes.length > maxBytes) return yield* tooLarge(maxBytes)
  const given = options.name ?? name
  const type = mediaType ?? MediaType.detect(given ?? "", bytes)
  return { bytes, mediaType: type, name: MediaType.withExtension(given ?? (yield* Ids.make("file")), type) }
}, traced("Files.load"))

/** Stores a file under the current candidate, for a day unless told otherwise, and gives its reference. */
export const store = Effect.fnUntraced(function*(
  file: LoadedFile,
  options: { readonly timeToLive?: Duration.DurationInput | undefined } = {}
) {
  const storage = yield* Storage
  const home = yield* Candidate.current
  const path = `_temp/${yield* Ids.make("file")}/${pathSegment(file.name)}`
  yield* storage.write(path, file.bytes, {
    contentType: file.mediaType,
    timeToLive: options.timeToLive ?? Duration.days(1)
  })
  const reference: FileObject = {
    mimetype: file.mediaType,
    size: file.bytes.length,
    url: Address.toUri({ home, path }),
    name: file.name
  }
  return reference
}, traced("Files.store"))

/** The same for a file that comes bit by bit and is never held as a whole. */
export const storeStream = Effect.fnUntraced(function*<E, R>(
  file: Omit<LoadedFile, "bytes"> & { readonly body: Stream.Stream<Uint8Array, E, R> },
  options: { readonly timeToLive?: Duration.DurationInput | undefined } = {}
) {
  const storage = yield* Storage
  const home = yield* Candidate.current
  const size = yield* Ref.make(0)
  const path = `_temp/${yield* Ids.make("file")}/${pathSegment(file.name)}`
  const counted = Stream.tap(file.body, ({ length }) => Ref.update(size, (before) => before + length))
  yield* storage.writeStream(path, counted, {
    contentType: file.mediaType,
    timeToLive: options.timeToLive ?? Duration.days(1)
  })
  const reference: FileObject = {
    mimetype: file.mediaType,
    size: yield* Ref.get(size),
    url: Address.toUri({ home, path }),
    name: file.name
  }
  return reference
}, traced("Files.storeStream"))

/** An address under which others may fetch a `smythfs://` file the asker may read, for as long as `timeToLive`. */
export const share = Effect.fnUntraced(function*(uri: string, timeToLive: Duration.DurationInput) {
  const { address } = yield* readable(uri)
  const urls = yield* PublicUrls
  const url = yield* urls.make(address, Duration.decode(timeToLive))
  return url.startsWith("smythfs://")
    ? yield* unreadable("Refused", "nothing here gives stored files a public address; run it behind a server")
    : url
}, traced("Files.share"))

/** As found, with what is known of it. */
interface Found {
  readonly bytes: Uint8Array
  readonly mediaType?: string | undefined
  readonly name?: string | undefined
}

type Limits = LoadOptions & { readonly maxBytes: number }

type Finding = Effect.Effect<Found, FileUnreadable | StorageError | OutboundError, Storage | Outbound>

const find = (value: unknown, options: Limits): Finding => {
  if (typeof value === "string") return fromText(value, options)
  if (value instanceof Uint8Array) return Effect.succeed({ bytes: value })
  if (value instanceof ArrayBuffer) return Effect.succeed({ bytes: new Uint8Array(value) })
  if (value instanceof Blob) return fromBlob(value, options.maxBytes)
  if (Predicate.isRecord(value)) {
    const named = { mediaType: textOf(value, "mimetype", "mediaType"), name: textOf(value, "name") }
    const { bytes, url } = value
    if (bytes instanceof Uint8Array) return Effect.succeed({ bytes, ...named })
    if (typeof url === "string" && isReference(url)) {
      return Effect.map(fromText(url, options), (found) => ({
        bytes: found.bytes,
        mediaType: named.mediaType ?? found.mediaType,
        name: named.name ?? found.name
      }))
    }
  }
  return unreadable(
    "Unrecognized",
    `expected text, bytes, a URL or a file object { url, mimetype, name }, got ${
      Predicate.isNull(value) ? "null" : typeof value
    }`
  )
}

const fromText = (text: string, options: Limits): Finding => {
  if (/^data:/i.test(text)) return fromDataUrl(text, options.maxBytes)
  if (/^https?:\/\//i.test(text)) return fromWeb(text, options.maxBytes)
  if (text.startsWith("smythfs://")) return fromStorage(text, options.maxBytes)
  return options.encoding === "base64"
    ? Effect.map(fromBase64(text, options.maxBytes), (bytes) => ({ bytes }))
    : Effect.succeed({ bytes: new TextEncoder().encode(text), mediaType: "text/plain" })
}

const isReference = (text: string) => /^(data:|https?:\/\/|smythfs:\/\/)/i.test(text)

const fromBlob = (blob: Blob, maxBytes: number): Effect.Effect<Found, FileUnreadable> =>
  blob.size > maxBytes ? Effect.fail(tooLarge(maxBytes)) : Effect.map(
    Effect.tryPromise({
      try: () => blob.arrayBuffer(),
      catch: () => new FileUnreadable({ reason: "Malformed", detail: "the blob cannot be read" })
    }),
    (buffer) => ({
      bytes: new Uint8Array(buffer),
      mediaType: blob.type === "" ? undefined : MediaType.essence(blob.type),
      name: blob instanceof File ? blob.name : undefined
    })
  )

/** https://www.rfc-editor.org/rfc/rfc2397, which makes text of what names no type. */
const fromDataUrl = (url: string, maxBytes: number): Effect.Effect<Found, FileUnreadable> => {
  const comma = url.indexOf(",")
  if (comma < 0) return unreadable("Malformed", "the data URL has no comma")
  const head = url.slice("data:".length, comma)
  const data = url.slice(comma + 1)
  const mediaType = MediaType.essence(head.replace(/;base64$/i, "")) || "text/plain"
  const bytes = /;base64$/i.test(head) ? fromBase64(data, maxBytes) : percentDecoded(data)
  return Effect.map(bytes, (bytes) => ({ bytes, mediaType }))
}

const percentDecoded = (data: string) =>
  Effect.try({
    try: () => new TextEncoder().encode(decodeURIComponent(data)),
    catch: () => new FileUnreadable({ reason: "Malformed", detail: "the data URL is not percent-encoded UTF-8" })
  })

/** Both alphabets; white space and percent-encoded signs, as they come from mails and forms, are taken out. */
const fromBase64 = (text: string, maxBytes: number): Effect.Effect<Uint8Array, FileUnreadable> => {
  if (text.length > 2 * maxBytes + 1024) return Effect.fail(tooLarge(maxBytes))
  const bare = text.replace(/%(2B|2F|3D)/gi, decodeURIComponent).replace(/\s+/g, "").replace(/={1,2}$/, "")
  return /^[A-Za-z0-9+/_-]*$/.test(bare) && bare.length % 4 !== 1
    ? Effect.succeed(new Uint8Array(Buffer.from(bare, "base64")))
    : unreadable("Malformed", "the data is declared as base64, but is none")
}

const fromWeb = Effect.fnUntraced(function*(url: string, maxBytes: number) {
  const outbound = yield* Outbound
  const { body, headers, status } = yield* outbound.request({ method: "GET", url, maxBytes })
  if (status < 200 || status > 299) return yield* unreadable("Refused", `the server answered with status ${status}`)
  const name = lastSegment(new URL(url).pathname)
  const type = headers["content-type"]
  const found: Found = { bytes: body, name, mediaType: informative(typeof type === "string" ? type : undefined) }
  return found
})

/** What is known of a stored file the asker may read. */
const readable = Effect.fnUntraced(function*(uri: string) {
  const storage = yield* Storage
  const address = yield* Address.resolve(uri, yield* Candidate.current)
  // An agent keeps its conversations with all callers, and the values it loads come from callers.
  return address.path.startsWith(`${LLMContext.folder}/`)
    ? yield* unreadable("Refused", "it is a conversation, and no file")
    : { address, ...(yield* storage.info(uri)) }
})

const fromStorage = Effect.fnUntraced(function*(uri: string, maxBytes: number) {
  const storage = yield* Storage
  const { contentType, sizeBytes } = yield* readable(uri)
  if (sizeBytes > maxBytes) return yield* tooLarge(maxBytes)
  const body = yield* storage.readStream(uri, { offset: 0, length: maxBytes + 1 })
  const found: Found = {
    bytes: yield* collect(body),
    name: lastSegment(uri),
    mediaType: informative(contentType)
  }
  return found
})

/** A type that says no more than "bytes" is worse than what the name or the bytes tell. */
const informative = (type: string | undefined) =>
  type === undefined || MediaType.essence(type) === "application/octet-stream" ? undefined : MediaType.essence(type)

const lastSegment = (path: string): string | undefined => {
  const segment = path.slice(path.lastIndexOf("/") + 1)
  try {
    return decodeURIComponent(segment) || undefined
  } catch {
    return segment
  }
}

/** A name that any key may end with. */
const pathSegment = (name: string): string => {
  const safe = Array.from(name.toWellFormed().replace(/[\p{Cc}\\/]/gu, "_")).slice(-100).join("")
  return /^\.{0,2}$/.test(safe) ? `_${safe}` : safe
}

const textOf = (record: { readonly [key: string]: unknown }, ...names: ReadonlyArray<string>): string | undefined =>
  names.map((name) => record[name]).find((value): value is string => typeof value === "string" && value !== "")

const unreadable = (reason: FileUnreadable["reason"], detail: string) =>
  Effect.fail(new FileUnreadable({ reason, detail }))

const tooLarge = (maxBytes: number) =>
  new FileUnreadable({ reason: "TooLarge", detail: `it is larger than ${maxBytes} bytes` })
