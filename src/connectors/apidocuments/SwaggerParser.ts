/** ApiDocuments with the OpenAPI Initiative's schemas (Swagger Parser), values judged by Ajv. */
import type { ValidateFunction } from "ajv"
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as ApiDocuments from "../../subsystems/io/ApiDocuments.ts"
import { withBounds, withoutReferences } from "./References.ts"

const SwaggerParserSettings = Schema.Struct({
  /** Values in a document, references written out: what refers to itself many times over would fill the memory. */
  maxValues: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 500_000 })
})

export const SwaggerParser = Connector.make({
  name: "SwaggerParser",
  contract: ApiDocuments.ApiDocumentsConnector,
  service: ApiDocuments.layer,
  settings: SwaggerParserSettings,
  make: ({ maxValues }) =>
    Effect.sync(() => {
      const compiled = new WeakMap<object, ValidateFunction>()
      return ApiDocuments.ApiDocumentsConnector.of({
        parse: (text) =>
          Effect.flatMap(parser, (parser) =>
            Effect.tryPromise({
              // Written out before it is judged: the parser itself would follow references without bound.
              try: async () => {
                const tree = withoutReferences(await parser.parse(place, options(text)), maxValues)
                await parser.validate(structuredClone(tree) as never)
                return withBounds(tree)
              },
              catch: (cause) => new ApiDocuments.InvalidApiDocument({ problem: sentence(cause) })
            })),
        problems: (schema, value) =>
          Effect.map(validator, (ajv) => {
            const validate = compiled.get(schema) ?? compile(ajv, schema)
            compiled.set(schema, validate)
            return validate(value) ?
              [] :
              (validate.errors ?? []).map(({ instancePath, message, params }) =>
                `${instancePath === "" ? "the arguments" : instancePath.slice(1)}: ${message ?? "not valid"}${
                  "allowedValues" in params ? ` (${JSON.stringify(params["allowedValues"])})` : ""
                }`
              )
          })
      })
    })
})

/** `ApiDocuments` as every system has it. */
export const SwaggerParserLive = SwaggerParser.layer({})

const loaded = <A>(packageName: string, load: () => Promise<A>) =>
  Effect.mapError(
    Connector.vendor("SwaggerParser", packageName, load),
    ({ cause, problem }) =>
      new ConnectorError({ connector: "SwaggerParser", method: "load", reason: "Unsupported", detail: problem, cause })
  )

const parser = loaded("@apidevtools/swagger-parser", async () => (await import("@apidevtools/swagger-parser")).default)

const validator = Effect.map(
  loaded("ajv", async () => (await import("ajv/dist/2020.js")).Ajv2020),
  (Ajv) => new Ajv({ strict: false, validateFormats: false, allErrors: true, addUsedSchema: false, logger: false })
)
type Ajv = Effect.Effect.Success<typeof validator>

/** A schema nobody can compile judges nothing: the server itself still does. */
const compile = (ajv: Ajv, schema: ApiDocuments.JsonSchema): ValidateFunction => {
  try {
    return ajv.compile(schema)
  } catch {
    return ajv.compile({})
  }
}

/** The parser wants to know where a document is; there is nothing but what was given. */
const place = "document"
const options = (text: string) => ({
  resolve: {
    file: false as const,
    http: false as const,
    given: { order: 1, canRead: true, read: () => text }
  }
})

const sentence = (cause: unknown): string =>
  cause instanceof Error
    ? cause.message.replace(/\s+/g, " ").slice(0, 500)
    : "it cannot be read"
