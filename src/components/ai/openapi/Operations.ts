/** The operations of an API as a model sees them: one object of arguments each. */
import { Record } from "effect"
import type { ApiDocument, JsonSchema, Operation, Parameter } from "../../../subsystems/io/ApiDocuments.ts"
import type { Method } from "../../../subsystems/io/Outbound.ts"
import { isObject } from "../Completion.ts"
import * as SentFiles from "./SentFiles.ts"

export interface Callable {
  /** The operation's id, else one made of its method and path. */
  readonly name: string
  readonly description: string
  readonly method: Method
  readonly path: string
  readonly operation: Operation
  readonly server: string
  /** By the name of their argument. */
  readonly parameters: ReadonlyMap<string, Parameter>
  readonly body: { readonly argument: string; readonly mediaType: string } | undefined
  /** JSON Schema of all arguments. */
  readonly schema: JsonSchema
}

export interface Operations {
  readonly callable: ReadonlyArray<Callable>
  /** What is left out, and why. */
  readonly omitted: ReadonlyArray<string>
}

const methods = ["get", "put", "post", "delete", "options", "head", "patch"] as const

/** `base`: where relative addresses of servers start from; `server`: in place of those of the document. */
export const of = (document: ApiDocument, base: string, server: string | undefined): Operations => {
  const callable: Array<Callable> = []
  const omitted: Array<string> = []
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of methods) {
      const operation = item[method]
      if (operation === undefined) continue
      const shown = `${method.toUpperCase()} ${path}`
      const servers = [...operation.servers, ...item.servers, ...document.servers]
      const address = server ?? addressOf(servers[0], base)
      const body = bodyOf(operation)
      if (address === undefined) omitted.push(`${shown}: the address of its server cannot be read`)
      else if (body === "unsupported") {
        omitted.push(
          `${shown}: its body is neither JSON, a form, text nor a file, but ${mediaTypes(operation).join(", ")}`
        )
      } else {
        const parameters = parametersOf(document, [...item.parameters, ...operation.parameters])
        callable.push({
          name: operation.operationId ?? `${method}${path.replace(/[^\w]+/g, "_")}`,
          description: [operation.summary, operation.description].filter((one) => one !== "").join("\n") || shown,
          method: method.toUpperCase() as Method,
          path,
          operation,
          server: address,
          parameters,
          body: body === undefined ? undefined : { argument: free("body", parameters), mediaType: body },
          schema: schemaOf(operation, parameters, body)
        })
      }
    }
  }
  return { callable, omitted }
}

const addressOf = (server: ApiDocument["servers"][number] | undefined, base: string): string | undefined => {
  const { url, variables } = server ?? { url: "/", variables: {} }
  const filled = url.replace(/\{([^}]*)\}/g, (token, name: string) => variables[name]?.default ?? token)
  return URL.canParse(filled, base) ? new URL(filled, base).href : undefined
}

/** Of two with one name the later is meant, if both stand at the same place; else the place is part of the argument's name. */
const parametersOf = (document: ApiDocument, given: ReadonlyArray<Parameter>): ReadonlyMap<string, Parameter> => {
  const placed = new Map(given.map((one) => [`${one.in} ${one.name}`, one]))
  const keys = new Set(
    Object.values(document.components.securitySchemes).filter(({ type }) => type === "apiKey")
      .map((scheme) => `${scheme.in} ${scheme.name}`)
  )
  const parameters = new Map<string, Parameter>()
  for (const [place, parameter] of placed) {
    if (keys.has(place) || (parameter.in === "header" && isReserved(parameter.name))) continue
    parameters.set(parameters.has(parameter.name) ? `${parameter.in}_${parameter.name}` : parameter.name, parameter)
  }
  return parameters
}

/** https://spec.openapis.org/oas/v3.1.0#parameter-object: these say nothing as parameters. */
const isReserved = (header: string) => ["accept", "authorization", "content-type"].includes(header.toLowerCase())

const mediaTypes = ({ requestBody }: Operation) => Object.keys(requestBody?.content ?? {})

const bodyOf = (operation: Operation): string | "unsupported" | undefined => {
  const types = mediaTypes(operation)
  return types.length === 0 ? undefined : types.find(isText) ?? types.find((type) => kindOf(type) === "form") ??
    types.find((type) => kindOf(type) === "file" && isFileBody(operation.requestBody?.content[type]?.schema ?? {})) ??
    "unsupported"
}

const isText = (type: string) =>
  /^application\/(json|x-www-form-urlencoded|([\w.-]+\+)json)\b|^text\/|^\*\/\*/.test(type)

/** What the argument for a body of this media type is: a value, an object with files in it, or a file. */
export const kindOf = (mediaType: string): "value" | "form" | "file" =>
  isText(mediaType)
    ? "value"
    : mediaType.startsWith("multipart/form-data")
    ? "form"
    : mediaType.startsWith("multipart/")
    ? "value"
    : "file"

/** Bytes, in the words of OpenAPI 3.0 (`format`) or 3.1 (`contentMediaType`). */
export const isFile = ({ contentEncoding, contentMediaType, format }: JsonSchema): boolean =>
  format === "binary" ||
  (typeof contentMediaType === "string" && contentEncoding === undefined && !isText(contentMediaType))

/** In 3.1 a body of bytes needs no schema. */
const isFileBody = (schema: JsonSchema): boolean =>
  isFile(schema) || Object.keys(schema).every((key) => key === "description")

/** A file is a text to a model: what stands for it. */
const withFiles = (schema: JsonSchema): JsonSchema => {
  if (isFile(schema)) return fileSchema(schema)
  const { items, properties } = schema
  return {
    ...schema,
    ...(isObject(items) ? { items: withFiles(items) } : {}),
    ...(isObject(properties)
      ? { properties: Record.map(properties, (one) => isObject(one) ? withFiles(one) : one) }
      : {})
  }
}

const fileSchema = ({ description }: JsonSchema): JsonSchema => ({
  type: "string",
  description: typeof description === "string" ? `${description}. ${SentFiles.described}` : SentFiles.described
})

const free = (name: string, parameters: ReadonlyMap<string, Parameter>) =>
  parameters.has(name) ? `request_${name}` : name

const schemaOf = (
  { requestBody }: Operation,
  parameters: ReadonlyMap<string, Parameter>,
  mediaType: string | undefined
): JsonSchema => {
  const properties: { [name: string]: JsonSchema } = {}
  const required: Array<string> = []
  for (const [argument, { content, description, in: place, required: isRequired, schema }] of parameters) {
    const type = schema ?? Object.values(content)[0]?.schema ?? {}
    properties[argument] = description === "" || "description" in type ? type : { ...type, description }
    if (isRequired || place === "path") required.push(argument)
  }
  if (mediaType !== undefined) {
    const argument = free("body", parameters)
    const schema = requestBody?.content[mediaType]?.schema ?? {}
    const kind = kindOf(mediaType)
    properties[argument] = kind === "value" ? schema : kind === "file" ? fileSchema(schema) : withFiles(schema)
    if (requestBody?.required === true) required.push(argument)
  }
  return { type: "object", properties, required, additionalProperties: false }
}
