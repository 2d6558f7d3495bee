/** The endpoints of one agent as an OpenAPI 3.0 document: https://spec.openapis.org/oas/v3.0.1 */
import type { LoadedAgent } from "../agents/Agents.ts"
import type { Endpoint, EndpointInput } from "../agents/Endpoint.ts"

export interface Options {
  /** What paths such as `/api/digest` are relative to. */
  readonly serverUrl: string
  /** A version of the agent other than `latest`, for paths such as `/v1.2/api/digest`. */
  readonly version?: string | undefined
  /** For models: only what the agent exposes to them, files as text, the agent's behaviour as the description. */
  readonly forModels?: boolean | undefined
}

export const make = (
  { definition: { document }, endpoints, name }: Pick<LoadedAgent, "definition" | "endpoints" | "name">,
  { forModels = false, serverUrl, version }: Options
): Readonly<Record<string, unknown>> => {
  const prefix = version === undefined || version === "latest" ? "" : `/v${version}`
  const paths: Record<string, Record<string, unknown>> = {}
  for (const endpoint of endpoints) {
    if (forModels && !endpoint.exposed) continue
    const path = paths[`${prefix}/api/${endpoint.name}`] ??= {}
    path[endpoint.method.toLowerCase()] = operation(endpoint, forModels)
  }
  return {
    openapi: "3.0.1",
    info: {
      title: name,
      description: firstText(forModels ? document.behavior : document.shortDescription, document.description),
      version: firstText(version, document.version, "1.0.0")
    },
    servers: [{ url: serverUrl }],
    paths,
    components: { schemas: {} }
  }
}

const operation = (endpoint: Endpoint, forModels: boolean) => ({
  operationId: endpoint.name,
  summary: forModels ? firstText(endpoint.description, endpoint.doc) : firstText(endpoint.doc, endpoint.description),
  "x-openai-isConsequential": false,
  ...(endpoint.inputs.length === 0
    ? {}
    : endpoint.method === "GET"
    ? { parameters: endpoint.inputs.map(parameter) }
    : { requestBody: body(endpoint.inputs, forModels) }),
  responses: { 200: { description: "What the agent answers", content: { "application/json": { schema: {} } } } }
})

const parameter = (input: EndpointInput) => {
  const schema = schemaOf(input.type)
  return {
    name: input.name,
    in: "query",
    description: input.description,
    required: input.required,
    schema: withDefault(schema, input),
    ...(schema.type === "array"
      ? { style: "form", explode: false }
      : schema.type === "object"
      ? { style: "deepObject", explode: true }
      : {})
  }
}

const body = (inputs: ReadonlyArray<EndpointInput>, forModels: boolean) => {
  const hasFile = !forModels && inputs.some(isBinary)
  const required = inputs.filter((input) => input.required).map(({ name }) => name)
  const properties = inputs.map((input) => [input.name, {
    ...withDefault(schemaOf(input.type), input),
    description: input.description,
    ...(hasFile && isBinary(input) ? { format: "binary" } : {})
  }])
  return {
    required: true,
    content: {
      [hasFile ? "multipart/form-data" : "application/json"]: {
        schema: {
          type: "object",
          properties: Object.fromEntries(properties),
          ...(required.length === 0 ? {} : { required })
        }
      }
    }
  }
}

const isBinary = ({ type }: EndpointInput) => type.toLowerCase() === "binary"

const withDefault = <S extends object>(schema: S, { fallback }: EndpointInput) =>
  fallback === undefined ? schema : { ...schema, default: fallback }

const schemaOf = (type: string): { readonly type: string } & Readonly<Record<string, unknown>> => {
  switch (type.toLowerCase()) {
    case "number":
    case "float":
      return { type: "number" }
    case "integer":
      return { type: "integer" }
    case "boolean":
      return { type: "boolean" }
    case "array":
      return { type: "array", items: {} }
    case "object":
      return { type: "object", additionalProperties: true }
    default:
      return { type: "string" }
  }
}

const firstText = (...texts: ReadonlyArray<string | null | undefined>): string =>
  texts.find((text) => text !== undefined && text !== null && text !== "") ?? ""
