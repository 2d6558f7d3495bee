/**
 * The agent document (`.smyth`): components wired by ports. The schema checks what the runtime reads and keeps all else,
 * so that `encode(decode(x))` loses nothing and a designer can round-trip.
 */
import { Effect, Either, ParseResult, Schema } from "effect"
import * as JsonText from "../kernel/JsonText.ts"
import { InvalidAgent, type Problem } from "./Problem.ts"

const unknownFields = { key: Schema.String, value: Schema.Unknown }
const text = Schema.optional(Schema.NullOr(Schema.String))
const flag = Schema.optional(Schema.NullOr(Schema.Union(Schema.Boolean, Schema.Literal("true", "false", ""))))

export const InputPort = Schema.Struct({
  name: Schema.NonEmptyString,
  /** A port type; matched without regard to case. Absent: any. */
  type: text,
  optional: flag,
  default: flag,
  /** Used when no value arrived. */
  defaultVal: Schema.optional(Schema.Unknown),
  description: text
}, unknownFields)
export type InputPort = typeof InputPort.Type

export const OutputPort = Schema.Struct({
  name: Schema.NonEmptyString,
  default: flag,
  /** Path the value is read from, such as `body.x`; the name when absent. */
  expression: text,
  description: text
}, unknownFields)
export type OutputPort = typeof OutputPort.Type

export const ComponentRecord = Schema.Struct({
  id: Schema.NonEmptyString,
  name: Schema.NonEmptyString,
  displayName: text,
  title: text,
  data: Schema.optional(Schema.NullOr(Schema.Record(unknownFields))),
  inputs: Schema.optional(Schema.NullOr(Schema.Array(InputPort))),
  outputs: Schema.optional(Schema.NullOr(Schema.Array(OutputPort)))
}, unknownFields)
export type ComponentRecord = typeof ComponentRecord.Type

/** A position in the ports, also as text, or the name of a port. */
const PortReference = Schema.Union(Schema.Int, Schema.String)

export const Connection = Schema.Struct({
  sourceId: Schema.String,
  sourceIndex: PortReference,
  targetId: Schema.String,
  targetIndex: PortReference
}, unknownFields)
export type Connection = typeof Connection.Type

export const AgentDocument = Schema.Struct({
  id: text,
  name: text,
  version: text,
  behavior: text,
  description: text,
  shortDescription: text,
  defaultModel: Schema.optional(Schema.Unknown),
  /** Values may be vault tokens `{{KEY(name)}}`. */
  variables: Schema.optional(Schema.NullOr(Schema.Record(unknownFields))),
  components: Schema.Array(ComponentRecord),
  connections: Schema.optionalWith(Schema.Array(Connection), { default: () => [] })
}, unknownFields)
export type AgentDocument = typeof AgentDocument.Type

/** Flat layout: the document itself. Wrapped layout: the document under `data`, as agent stores return it. */
export interface Decoded {
  readonly document: AgentDocument
  /** The other fields of the wrapped layout. */
  readonly envelope: Readonly<Record<string, unknown>> | undefined
}

const decodeFlat = ParseResult.decodeUnknownEither(AgentDocument, { errors: "all", onExcessProperty: "preserve" })
const encodeFlat = ParseResult.encodeSync(AgentDocument)

/** Reads a document of either layout; all malformed fields are reported together. */
export const decode = (input: unknown): Effect.Effect<Decoded, InvalidAgent> => {
  if (!isRecord(input)) {
    return Effect.fail(malformed([at("", `expected an agent document, an object; got ${kind(input)}`)]))
  }
  const wrapped = input["components"] === undefined && isRecord(input["data"])
  const { data, ...envelope } = input
  const flat = wrapped ? { ...(data as Record<string, unknown>) } : input
  if (flat["components"] === undefined) {
    return Effect.fail(
      malformed([
        at("components", `missing; an agent document has "components" and "connections", flat or under "data"`)
      ])
    )
  }
  if (wrapped && flat["id"] === undefined && typeof envelope["id"] === "string") flat["id"] = envelope["id"]
  const decoded = decodeFlat(flat)
  if (decoded._tag === "Right") {
    return Effect.succeed({ document: decoded.right, envelope: wrapped ? envelope : undefined })
  }
  const prefix = wrapped ? ["data"] : []
  return Effect.fail(malformed(
    ParseResult.ArrayFormatter.formatIssueSync(decoded.left).map((issue) =>
      at(pathText([...prefix, ...issue.path]), issue.message, componentAt(flat, issue.path))
    )
  ))
}

/** Reads the text of a `.smyth` file; a syntax error is reported with line and column. */
export const decodeText = (source: string): Effect.Effect<Decoded, InvalidAgent> =>
  Either.match(JsonText.parse(source), {
    onLeft: (problem) => Effect.fail(malformed([at("", `not JSON: ${problem}`)])),
    onRight: decode
  })

/** The document as it was read, in the layout it was read in. */
export const encode = ({ document, envelope }: Decoded): unknown =>
  envelope === undefined ? encodeFlat(document) : { ...envelope, data: encodeFlat(document) }

/** `true`, or the text `"true"` of older editors. */
export const isSet = (value: unknown): boolean => value === true || value === "true"

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** `components[2].data.algorithm` */
export const pathText = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`,
    ""
  )

const malformed = (problems: ReadonlyArray<Problem>) => new InvalidAgent({ agent: undefined, problems })

const at = (path: string, message: string, component?: string): Problem => ({
  severity: "error",
  path,
  problem: message,
  ...(component === undefined ? {} : { component })
})

const componentAt = (document: Record<string, unknown>, path: ReadonlyArray<PropertyKey>): string | undefined => {
  if (path[0] !== "components" || typeof path[1] !== "number" || !Array.isArray(document["components"])) {
    return undefined
  }
  const record: unknown = document["components"][path[1]]
  return isRecord(record) && typeof record["id"] === "string" ? record["id"] : undefined
}

const kind = (value: unknown) => value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`
