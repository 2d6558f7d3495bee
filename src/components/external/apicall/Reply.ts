/** What came back, by its media type: JSON parsed, text as text, anything else as a stored file. */
import { Chunk, Effect, Option, Stream } from "effect"
import * as Pull from "../../../kernel/Pull.ts"
import * as Files from "../../../subsystems/io/Files.ts"
import * as MediaType from "../../../subsystems/io/MediaType.ts"
import type { OutboundResponse, OutboundStream } from "../../../subsystems/io/Outbound.ts"
import { ComponentFailed } from "../../Component.ts"

/** No answer is larger. */
export const maxBytes = 1024 ** 3
/** What is larger than this is never held in memory: it becomes a stored file, whatever its type. */
const heldBytes = 10 * 1024 ** 2

export const read = Effect.fnUntraced(function*(response: OutboundStream) {
  const { begin, rest } = yield* held(response.body)
  const whole = { ...response, body: begin }
  if (rest === undefined) return yield* readWhole(whole)
  if (response.status >= 400) return yield* readWhole({ ...whole, body: new Uint8Array() })
  const mediaType = MediaType.essence(header(whole, "content-type")) || MediaType.detect("", begin)
  const name = MediaType.withExtension(fileName(whole), mediaType)
  const body = Stream.concat(Stream.succeed(begin), rest)
  return { Response: yield* Files.storeStream({ body, mediaType, name }), Headers: response.headers }
})

/** The body as far as it is held in memory, and what more there is of it. */
const held = Effect.fnUntraced(function*<E, R>(body: Stream.Stream<Uint8Array, E, R>) {
  const pull = yield* Pull.open(body)
  const next = Effect.matchEffect(pull, {
    onSuccess: Effect.succeedSome,
    onFailure: Option.match({ onNone: () => Effect.succeedNone, onSome: Effect.fail })
  })
  const chunks: Array<Uint8Array> = []
  for (let size = 0; size <= heldBytes;) {
    const more = yield* next
    if (Option.isNone(more)) return { begin: Buffer.concat(chunks), rest: undefined }
    for (const chunk of Chunk.toReadonlyArray(more.value)) {
      chunks.push(chunk)
      size += chunk.length
    }
  }
  return { begin: Buffer.concat(chunks), rest: Stream.repeatEffectChunkOption(pull) }
})

/** Fails when the status says so, with the body beside the error: nothing but the error flows on then. */
const readWhole = (response: OutboundResponse) => {
  const { body, headers, status } = response
  const mediaType = MediaType.essence(header(response, "content-type"))
  const text = decode(response, mediaType)
  const failed = (message: string, Response: unknown) =>
    Effect.fail(new ComponentFailed({ message, outputs: { Response, Headers: headers } }))
  const done = (Response: unknown) => ({ Response, Headers: headers })

  if (status >= 400) {
    const parsed = text === undefined || !isJson(mediaType) ? undefined : parse(text)
    return failed(`Request failed with status code ${status}`, parsed === undefined ? text ?? null : parsed.value)
  }
  if (body.length === 0) return Effect.succeed(done(isJson(mediaType) && status !== 204 ? {} : ""))
  if (text === undefined) {
    const type = mediaType || MediaType.detect("", body)
    const name = MediaType.withExtension(fileName(response), type)
    return Effect.map(Files.store({ bytes: body, mediaType: type, name }), done)
  }
  if (!isJson(mediaType)) return Effect.succeed(done(text))
  const parsed = parse(text)
  return parsed === undefined
    ? failed(`The response calls itself ${mediaType}, but it is not JSON`, text)
    : Effect.succeed(done(parsed.value))
}

const header = ({ headers }: OutboundResponse, name: string): string => {
  const value = headers[name]
  return typeof value === "string" ? value : value?.[0] ?? ""
}

const isJson = (mediaType: string) => /^(application|text)\/json$|\+json$/.test(mediaType)

const isText = (mediaType: string) =>
  /^text\/|[/+](xml|csv|yaml|x-yaml|x-www-form-urlencoded|javascript|x-javascript|ecmascript|sql|rtf|graphql|x-ndjson)$/
    .test(mediaType)

const isBinary = (mediaType: string) =>
  /^(image|audio|video|font)\/|^application\/(pdf|zip|gzip|octet-stream|vnd\.(openxml|ms-|oasis|rar)|msword|x-7z|x-tar)/
    .test(mediaType)

/** The body as text, or `undefined` for bytes that are none. Of an unknown type the bytes themselves decide. */
const decode = (response: OutboundResponse, mediaType: string): string | undefined => {
  if (isBinary(mediaType)) return undefined
  const isKnown = isJson(mediaType) || isText(mediaType)
  if (!isKnown && MediaType.ofBytes(response.body) !== "text/plain") return undefined
  const charset = /charset\s*=\s*"?([^\s;"]+)/i.exec(header(response, "content-type"))?.[1] ?? "utf-8"
  return decoder(charset).decode(response.body)
}

const utf8 = new TextDecoder()
const decoder = (charset: string) => {
  if (/^utf-?8$/i.test(charset)) return utf8
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder()
  }
}

const parse = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

/** As the server names it, else the last segment of the URL. */
const fileName = (response: OutboundResponse): string =>
  /filename\s*=\s*"?([^";]+)/i.exec(header(response, "content-disposition"))?.[1]?.trim() ||
  new URL(response.url).pathname.split("/").at(-1) || "response"
