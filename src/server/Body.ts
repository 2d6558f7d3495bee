/** The body of a request as a value: JSON, a form, or a form with files. Never more than the bound in memory. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect, Either, ParseResult, type Schema } from "effect"
import { isUtf8 } from "node:buffer"
import { Readable } from "node:stream"
import { type SettingIssue, settingIssuesOf } from "../kernel/Issues.ts"
import * as JsonText from "../kernel/JsonText.ts"
import type { FileObject } from "../subsystems/io/Files.ts"
import { BodyTooLarge, MalformedRequest, UnsupportedContentType } from "./Failures.ts"

export type BodyError = BodyTooLarge | MalformedRequest | UnsupportedContentType

const accepted = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]

/** An empty body is an empty object. A body without a type is taken for JSON. Files become file objects with data URLs. */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.Effect<unknown, BodyError> => {
  const contentType = request.headers["content-type"] ?? "application/json"
  const encoding = request.headers["content-encoding"] ?? "identity"
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase()
  const parse = type === "application/json" || type.endsWith("+json")
    ? json
    : type === "application/x-www-form-urlencoded"
    ? form
    : type === "multipart/form-data"
    ? multipart(contentType)
    : undefined
  return Effect.flatMap(bytesOf(request, maxBytes), (bytes): Effect.Effect<unknown, BodyError> =>
    bytes.byteLength === 0
      ? Effect.succeed({})
      : encoding !== "identity"
      ? Effect.fail(new UnsupportedContentType({ contentType: `${type} in ${encoding}`, accepted }))
      : parse === undefined
      ? Effect.fail(new UnsupportedContentType({ contentType: type, accepted }))
      : parse(bytes))
}

/** A body of this server's own endpoints: what does not fit is named, and so is what nobody reads. */
export const decode = <A, I>(schema: Schema.Schema<A, I>) => {
  const decoded = ParseResult.decodeUnknown(schema, { errors: "all", onExcessProperty: "error" })
  return (request: HttpServerRequest.HttpServerRequest, maxBytes: number): Effect.Effect<A, BodyError> =>
    Effect.flatMap(
      read(request, maxBytes),
      (body) =>
        Effect.mapError(
          decoded(body),
          (issue) => new MalformedRequest({ problem: settingIssuesOf(issue).map(problemOf).join("; ") })
        )
    )
}

const problemOf = ({ accepted, message, path }: SettingIssue): string =>
  [
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
    ...(accepted === undefined ? [] : [`Accepted: ${accepted.join(", ")}`])
  ].join(" ")

/** For endpoints that need none: who says something there would take it for heard. */
export const none = (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.Effect<void, BodyError> =>
  Effect.flatMap(read(request, maxBytes), (body) => {
    const [key] = Object.keys(Object(body))
    return key === undefined
      ? Effect.void
      : Effect.fail(new MalformedRequest({ problem: `${key}: this endpoint takes nothing from its body` }))
  })

/** Refused by its announced length, else as soon as more than `maxBytes` have come. */
export const bytesOf = (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.Effect<Buffer, BodyTooLarge | MalformedRequest> => {
  const { headers, source } = request
  const announced = Number(headers["content-length"] ?? 0)
  if (announced > maxBytes) return Effect.fail(new BodyTooLarge({ maxBytes }))
  return source instanceof Readable
    // Most are here already, all of them: there is nothing to wait for.
    ? announced > 0 && source.readableLength === announced ? Effect.succeed(source.read()) : collect(source, maxBytes)
    : Effect.flatMap(
      Effect.mapError(request.arrayBuffer, () => interrupted),
      (buffer) =>
        buffer.byteLength > maxBytes ? Effect.fail(new BodyTooLarge({ maxBytes })) : Effect.succeed(Buffer.from(buffer))
    )
}

const interrupted = new MalformedRequest({ problem: "the body ended before it was complete" })

/** A body that is refused is not read further here, but neither is its connection cut: the answer has to get through. */
const collect = (source: Readable, maxBytes: number): Effect.Effect<Buffer, BodyTooLarge | MalformedRequest> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let length = 0
    const done = (result: Effect.Effect<Buffer, BodyTooLarge | MalformedRequest>) => {
      stop()
      resume(result)
    }
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length > maxBytes) done(Effect.fail(new BodyTooLarge({ maxBytes })))
      else chunks.push(chunk)
    }
    const onEnd = () => done(Effect.succeed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)))
    const onFailure = () => done(Effect.fail(interrupted))
    const stop = () => {
      source.off("data", onData).off("end", onEnd).off("error", onFailure).off("close", onFailure)
      source.resume()
    }
    source.on("data", onData).on("end", onEnd).on("error", onFailure).on("close", onFailure)
    return Effect.sync(stop)
  })

const json = (bytes: Buffer): Effect.Effect<unknown, MalformedRequest> =>
  isUtf8(bytes)
    ? Either.mapLeft(JsonText.parse(bytes.toString("utf8")), (problem) =>
      new MalformedRequest({ problem: `the body is not JSON: ${problem}` }))
    : Effect.fail(new MalformedRequest({ problem: "the body is not UTF-8" }))

const form = (bytes: Buffer): Effect.Effect<unknown> =>
  Effect.sync(() => gather(new URLSearchParams(bytes.toString("utf8"))))

const multipart = (contentType: string) => (bytes: Buffer): Effect.Effect<unknown, MalformedRequest> =>
  Effect.tryPromise({
    try: async () => {
      const fields = await new Response(bytes, { headers: { "content-type": contentType } }).formData()
      const values = Array.from(
        fields,
        async ([name, value]) => [name, typeof value === "string" ? value : await fileObject(value)] as const
      )
      return gather(await Promise.all(values))
    },
    catch: () => new MalformedRequest({ problem: "the body is not multipart/form-data with the boundary it names" })
  })

const fileObject = async (file: File): Promise<typeof FileObject.Type> => {
  const mimetype = file.type === "" ? "application/octet-stream" : file.type
  const content = Buffer.from(await file.arrayBuffer()).toString("base64")
  return { name: file.name, mimetype, size: file.size, url: `data:${mimetype};base64,${content}` }
}

/** The query of a request's URL. Names are data: `toString` and `__proto__` are names like any other. */
export const query = ({ url }: HttpServerRequest.HttpServerRequest): Record<string, unknown> => {
  const start = url.indexOf("?")
  return start < 0 ? {} : gather(new URLSearchParams(url.slice(start)))
}

/** A name that comes more than once holds a list. */
const gather = <V extends string | object>(
  fields: Iterable<readonly [name: string, value: V]>
): Record<string, unknown> => {
  const values = new Map<string, Array<V>>()
  for (const [name, value] of fields) {
    const before = values.get(name)
    if (before === undefined) values.set(name, [value])
    else before.push(value)
  }
  return Object.fromEntries(Array.from(values, ([name, all]) => [name, all.length === 1 ? all[0] : all]))
}
