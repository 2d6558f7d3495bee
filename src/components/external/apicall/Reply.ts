/** What came back, by its media type: JSON parsed, text as text, anything else as a stored file. */
import { Effect } from "effect"
import * as Files from "../../../subsystems/io/Files.ts"
import * as MediaType from "../../../subsystems/io/MediaType.ts"
import type { OutboundResponse } from "../../../subsystems/io/Outbound.ts"
import { ComponentFailed } from "../../Component.ts"

/** Fails when the status says so, with the body beside the error: nothing but the error flows on then. */
export const read = (response: OutboundResponse) => {
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

const decoder = (charset: string) => {
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
