/** The operations of an API as a model sees them: one object of arguments each. */
import type { ApiDocument, JsonSchema, Operation, Parameter } from "../../../subsystems/io/ApiDocuments.ts"
import type { Method } from "../../../subsystems/io/Outbound.ts"

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
        omitted.push(`${shown}: its body is neither JSON, a form nor text, but ${mediaTypes(operation).join(", ")}`)
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
  return types.length === 0 ?
    undefined :
    types.find((type) => /^application\/(json|x-www-form-urlencoded|([\w.-]+\+)json)\b|^text\/|^\*\/\*/.test(type)) ??
      "unsupported"
}

const free = (name: string, parameters: ReadonlyMap<string, Parameter>) =>
  parameters.has(name) ? `request_${name}` : name

const schemaOf = (
  { requestBody }: Operation,
  parameters: ReadonlyMap<string, Parameter>,
  mediaType: string | undefined
): JsonSchema => {
  const properties: Record<string, JsonSchema> = {}
  const required: Array<string> = []
  for (const [argument, { content, description, in: place, required: isRequired, schema }] of parameters) {
    const type = schema ?? Object.values(content)[0]?.schema ?? {}
    properties[argument] = description === "" || "description" in type ? type : { ...type, description }
    if (isRequired || place === "path") required.push(argument)
  }
  if (mediaType !== undefined) {
    const argument = free("body", parameters)
    properties[argument] = requestBody?.content[mediaType]?.schema ?? {}
    if (requestBody?.required === true) required.push(argument)
  }
  return { type: "object", properties, required, additionalProperties: false }
}
