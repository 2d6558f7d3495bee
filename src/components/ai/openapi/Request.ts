/** A call of an operation as an HTTP request: https://spec.openapis.org/oas/v3.1.0#style-values */
import { Effect } from "effect"
import * as Json from "../../../kernel/Json.ts"
import type { ApiDocument, Operation, Parameter, SecurityScheme } from "../../../subsystems/io/ApiDocuments.ts"
import type { OutboundRequest } from "../../../subsystems/io/Outbound.ts"
import { ComponentFailed } from "../../Component.ts"
import * as Multipart from "../../external/Multipart.ts"
import { isObject } from "../Completion.ts"
import * as Operations from "./Operations.ts"
import type { SentFiles } from "./SentFiles.ts"

type Values = Readonly<Record<string, unknown>>

export interface Request extends OutboundRequest {
  readonly headers: Readonly<Record<string, string>>
}

/** `credentials`: by the name of their security scheme. The arguments fit the operation's schema. */
export const of = Effect.fnUntraced(function*(
  { body, method, operation, parameters, path, server }: Operations.Callable,
  args: Values,
  document: ApiDocument,
  credentials: Readonly<Record<string, string>>,
  files: SentFiles
) {
  const url = new URL(server)
  const headers: Record<string, string> = {}
  const cookies: Array<string> = []
  let filled = path
  for (const [argument, parameter] of parameters) {
    const value = Object.hasOwn(args, argument) ? args[argument] : undefined
    if (value === undefined || value === null) continue
    switch (parameter.in) {
      case "path":
        filled = filled.replaceAll(`{${parameter.name}}`, encodeURIComponent(joined(value)))
        break
      case "query":
        for (const [name, one] of queryOf(parameter, value)) url.searchParams.append(name, one)
        break
      case "header":
        headers[parameter.name.toLowerCase()] = joined(value)
        break
      case "cookie":
        cookies.push(`${parameter.name}=${encodeURIComponent(joined(value))}`)
    }
  }
  for (const name of schemesOf(operation.security ?? document.security ?? [], credentials)) {
    const scheme = document.components.securitySchemes[name]
    const value = credentials[name]
    if (scheme === undefined || value === undefined) continue
    if (scheme.type !== "apiKey") headers["authorization"] = authorization(scheme, value)
    else if (scheme.in === "query") url.searchParams.append(scheme.name, value)
    else if (scheme.in === "cookie") cookies.push(`${scheme.name}=${value}`)
    else headers[scheme.name.toLowerCase()] = value
  }
  if (cookies.length > 0) headers["cookie"] = cookies.join("; ")
  if (filled.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) {
    return yield* new ComponentFailed({ message: `Not sent: ${filled} leads out of ${path}` })
  }
  url.pathname = url.pathname.replace(/\/+$/, "") + filled
  const given = body === undefined ? undefined : args[body.argument]
  if (body === undefined || given === undefined) return { method, url: url.href, headers }
  const { content, mediaType } = yield* bodyOf(body.mediaType, given, operation, files)
  return { method, url: url.href, headers: { ...headers, "content-type": mediaType }, body: content }
})

const bodyOf = (mediaType: string, given: unknown, { requestBody }: Operation, files: SentFiles) =>
  Effect.gen(function*() {
    const kind = Operations.kindOf(mediaType)
    if (kind === "value") {
      const type = mediaType.startsWith("*/") ? "application/json" : mediaType
      return { mediaType: type, content: encoded(type, given) }
    }
    if (kind === "file") {
      const file = yield* files.load(Json.toText(given))
      return { mediaType: mediaType.includes("*") ? file.mediaType : mediaType, content: file.bytes }
    }
    const schema = requestBody?.content[mediaType]?.schema ?? {}
    const parts: Array<Multipart.Field> = []
    for (const [name, value] of Object.entries(isObject(given) ? given : {})) {
      const property = isObject(schema["properties"]) ? schema["properties"][name] : undefined
      const isFile = isObject(property) && Operations.isFile(isObject(property["items"]) ? property["items"] : property)
      for (const one of [value].flat()) {
        if (one === undefined || one === null) continue
        parts.push([name, isFile ? yield* files.load(Json.toText(one)) : Json.toText(one)])
      }
    }
    return yield* Multipart.encode(parts)
  })

/** The first alternative whose credentials are all there. */
const schemesOf = (security: ReadonlyArray<Values>, credentials: Values): ReadonlyArray<string> =>
  security.map((one) => Object.keys(one)).find((names) => names.every((name) => Object.hasOwn(credentials, name))) ?? []

const authorization = ({ scheme, type }: SecurityScheme, value: string) =>
  type === "http" && scheme.toLowerCase() === "basic"
    ? `Basic ${value.includes(":") ? Buffer.from(value).toString("base64") : value}`
    : `Bearer ${value}`

/** Style `simple` without `explode`. */
const joined = (value: unknown): string =>
  Array.isArray(value)
    ? value.map(Json.toText).join(",")
    : isObject(value)
    ? Object.entries(value).flatMap(([name, one]) => [name, Json.toText(one)]).join(",")
    : Json.toText(value)

const delimiters: Readonly<Record<string, string>> = { form: ",", spaceDelimited: " ", pipeDelimited: "|" }

const queryOf = (
  { content, explode, name, style = "form" }: Parameter,
  value: unknown
): ReadonlyArray<readonly [string, string]> => {
  if (Object.keys(content).length > 0) return [[name, JSON.stringify(value)]]
  const isExploded = explode ?? style === "form"
  if (Array.isArray(value)) {
    return isExploded
      ? value.map((one) => [name, Json.toText(one)])
      : [[name, value.map(Json.toText).join(delimiters[style] ?? ",")]]
  }
  if (!isObject(value)) return [[name, Json.toText(value)]]
  return style === "deepObject"
    ? Object.entries(value).map(([key, one]) => [`${name}[${key}]`, Json.toText(one)])
    : isExploded
    ? Object.entries(value).map(([key, one]) => [key, Json.toText(one)])
    : [[name, joined(value)]]
}

const encoded = (mediaType: string, content: unknown): string => {
  if (!mediaType.startsWith("application/x-www-form-urlencoded")) {
    return mediaType.startsWith("text/") ? Json.toText(content) : JSON.stringify(content)
  }
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(isObject(content) ? content : {})) {
    for (const one of [value].flat()) form.append(name, Json.toText(one))
  }
  return form.toString()
}
