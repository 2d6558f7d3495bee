/** ApiDocuments with the OpenAPI Initiative's schemas (Swagger Parser, in a thread), values judged by Ajv. */
import type { ValidateFunction } from "ajv"
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as ApiDocuments from "../../subsystems/io/ApiDocuments.ts"
import * as ReaderThreads from "../ReaderThreads.ts"

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
    Effect.map(ReaderThreads.make, (reading) => {
      const compiled = new WeakMap<object, ValidateFunction>()
      return ApiDocuments.ApiDocumentsConnector.of({
        parse: (text) =>
          Effect.mapBoth(reading({ reader: "api", input: text, maxValues }), {
            onFailure: toError,
            onSuccess: ([tree = "{}"]): unknown => JSON.parse(tree)
          }),
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

const unsupported = (detail: string, cause?: unknown) =>
  new ConnectorError({ connector: "SwaggerParser", method: "load", reason: "Unsupported", detail, cause })

const validator = Effect.mapBoth(
  Connector.vendor("SwaggerParser", "ajv", async () => (await import("ajv/dist/2020.js")).Ajv2020),
  {
    onFailure: ({ cause, problem }) => unsupported(problem, cause),
    onSuccess: (Ajv) =>
      new Ajv({ strict: false, validateFormats: false, allErrors: true, addUsedSchema: false, logger: false })
  }
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

const toError = ({ problem, reason }: ReaderThreads.Unread) =>
  reason === "Missing"
    ? unsupported("the package is not installed: npm install @apidevtools/swagger-parser")
    : new ApiDocuments.InvalidApiDocument({ problem: problem.replace(/\s+/g, " ").slice(0, 500) })
