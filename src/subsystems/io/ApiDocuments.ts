/**
 * ApiDocuments: descriptions of HTTP APIs (OpenAPI 3.0 and 3.1) read as data, and values judged by the JSON Schemas in them.
 * Callers use {@link ApiDocuments}, connectors implement {@link ApiDocumentsConnector}.
 */
import { Context, Effect, Layer, ParseResult, Schema } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Candidate from "../../security/Candidate.ts"

export class InvalidApiDocument extends Schema.TaggedError<InvalidApiDocument>()("InvalidApiDocument", {
  problem: Schema.String
}) {
  override get message(): string {
    return `Not an OpenAPI document: ${this.problem}`
  }
}

const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })
export type JsonSchema = typeof JsonSchema.Type

const optionalText = Schema.optionalWith(Schema.String, { default: () => "" })
const mapOf = <A, I>(value: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.Record({ key: Schema.String, value }), { default: () => ({}) })
const listOf = <A, I>(item: Schema.Schema<A, I>) => Schema.optionalWith(Schema.Array(item), { default: () => [] })

const MediaTypes = mapOf(Schema.Struct({ schema: Schema.optional(JsonSchema) }))

export const Parameter = Schema.Struct({
  name: Schema.String,
  in: Schema.Literal("path", "query", "header", "cookie"),
  description: optionalText,
  required: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  style: Schema.optional(Schema.String),
  explode: Schema.optional(Schema.Boolean),
  schema: Schema.optional(JsonSchema),
  content: MediaTypes
})
export type Parameter = typeof Parameter.Type

const Security = Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const Server = Schema.Struct({ url: Schema.String, variables: mapOf(Schema.Struct({ default: Schema.String })) })

const Operation = Schema.Struct({
  operationId: Schema.optional(Schema.String),
  summary: optionalText,
  description: optionalText,
  parameters: listOf(Parameter),
  requestBody: Schema.optional(
    Schema.Struct({ required: Schema.optionalWith(Schema.Boolean, { default: () => false }), content: MediaTypes })
  ),
  security: Schema.optional(Security),
  servers: listOf(Server)
})
export type Operation = typeof Operation.Type

export const SecurityScheme = Schema.Struct({
  type: Schema.Literal("apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"),
  in: Schema.optional(Schema.Literal("query", "header", "cookie")),
  name: optionalText,
  scheme: optionalText
})
export type SecurityScheme = typeof SecurityScheme.Type

const PathItem = Schema.Struct({
  parameters: listOf(Parameter),
  servers: listOf(Server),
  get: Schema.optional(Operation),
  put: Schema.optional(Operation),
  post: Schema.optional(Operation),
  delete: Schema.optional(Operation),
  options: Schema.optional(Operation),
  head: Schema.optional(Operation),
  patch: Schema.optional(Operation)
})

/** What matters for calling an API. Every reference is what it refers to; schemas that contain themselves end in `{}`. */
export const ApiDocument = Schema.Struct({
  openapi: Schema.String.pipe(
    Schema.pattern(/^3\.[01]\b/, { message: () => "expected version 3.0 or 3.1; convert older documents first" })
  ),
  info: Schema.Struct({ title: optionalText, description: optionalText }),
  servers: listOf(Server),
  paths: mapOf(PathItem),
  security: Schema.optional(Security),
  components: Schema.optionalWith(Schema.Struct({ securitySchemes: mapOf(SecurityScheme) }), {
    default: () => ({ securitySchemes: {} })
  })
})
export type ApiDocument = typeof ApiDocument.Type

/** Asks nobody: a reference to another document is refused. */
export class ApiDocumentsConnector extends Context.Tag("effect-sre/ApiDocumentsConnector")<ApiDocumentsConnector, {
  /** JSON or YAML, valid by the standard, to a tree without references. */
  readonly parse: (text: string) => Effect.Effect<unknown, InvalidApiDocument | ConnectorError>
  /** What is wrong with a value, a sentence each. */
  readonly problems: (schema: JsonSchema, value: unknown) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
}>() {}

export class ApiDocuments extends Context.Tag("effect-sre/ApiDocuments")<ApiDocuments, {
  readonly parse: (
    text: string
  ) => Effect.Effect<ApiDocument, InvalidApiDocument | ConnectorError | Candidate.NoCandidate>
  /** What is wrong with a value, a sentence each; none when it fits. */
  readonly problems: (
    schema: JsonSchema,
    value: unknown
  ) => Effect.Effect<ReadonlyArray<string>, ConnectorError | Candidate.NoCandidate>
}>() {}

const decode = ParseResult.decodeUnknown(ApiDocument)

const make = Effect.gen(function*() {
  const connector = yield* ApiDocumentsConnector
  const guard = yield* Access.guard("ApiDocuments")

  return ApiDocuments.of({
    parse: Effect.fnUntraced(function*(text) {
      yield* guard.candidate("parse")
      const tree = yield* connector.parse(text)
      return yield* Effect.mapError(decode(tree), (issue) => {
        const [first] = ParseResult.ArrayFormatter.formatIssueSync(issue)
        return new InvalidApiDocument({ problem: `${first?.path.join(".") ?? ""}: ${first?.message ?? ""}` })
      })
    }, traced("ApiDocuments.parse")),
    problems: Effect.fnUntraced(function*(schema, value) {
      yield* guard.candidate("problems")
      return yield* connector.problems(schema, value)
    }, traced("ApiDocuments.problems"))
  })
})

export const layer: Layer.Layer<ApiDocuments, never, ApiDocumentsConnector> = Layer.effect(ApiDocuments, make)
