/**
 * The agent document (`.smyth`): components wired by ports. The schema checks what the runtime reads and transforms nothing:
 * a document that passes is its own decoding, so that `encode(decode(x))` is `x` and a designer can round-trip.
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
}, unknownFields).annotations({ identifier: "InputPort" })
export type InputPort = typeof InputPort.Type

export const OutputPort = Schema.Struct({
  name: Schema.NonEmptyString,
  default: flag,
  /** Path the value is read from, such as `body.x`; the name when absent. */
  expression: text,
  description: text
}, unknownFields).annotations({ identifier: "OutputPort" })
export type OutputPort = typeof OutputPort.Type

export const ComponentRecord = Schema.Struct({
  id: Schema.NonEmptyString,
  name: Schema.NonEmptyString,
  displayName: text,
  title: text,
  data: Schema.optional(Schema.NullOr(Schema.Record(unknownFields))),
  inputs: Schema.optional(Schema.NullOr(Schema.Array(InputPort))),
  outputs: Schema.optional(Schema.NullOr(Schema.Array(OutputPort)))
}, unknownFields).annotations({ identifier: "ComponentRecord" })
export type ComponentRecord = typeof ComponentRecord.Type

/** A position in the ports, also as text, or the name of a port. */
const PortReference = Schema.Union(Schema.Int, Schema.String).annotations({
  message: () => ({ message: "expected the position or the name of a port", override: true })
})

export const Connection = Schema.Struct({
  sourceId: Schema.String,
  sourceIndex: PortReference,
  targetId: Schema.String,
  targetIndex: PortReference
}, unknownFields).annotations({ identifier: "Connection" })
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
  connections: Schema.optional(Schema.NullOr(Schema.Array(Connection)))
}, unknownFields)
export type AgentDocument = typeof AgentDocument.Type

/** Flat layout: the document itself. Wrapped layout: the document under `data`, as agent stores return it. */
export interface Decoded {
  /** The document's, else the one beside it in the wrapped layout. */
  readonly id: string | undefined
  readonly document: AgentDocument
  /** The other fields of the wrapped layout. */
  readonly envelope: Readonly<Record<string, unknown>> | undefined
}

const check = ParseResult.validateEither(AgentDocument, { errors: "all" })

/** Levels of objects and lists within each other: many more than editors write, few enough for all that walks a document. */
const maxDepth = 200

/** Reads a document of either layout; all malformed fields are reported together. */
export const decode = (input: unknown): Effect.Effect<Decoded, InvalidAgent> => {
  if (!isRecord(input)) {
    return Effect.fail(malformed([at("", `expected an agent document, an object; got ${kind(input)}`)]))
  }
  const { data, ...envelope } = input
  const wrapped = input["components"] === undefined && isRecord(data)
  const document = wrapped ? data : input
  const prefix = wrapped ? ["data"] : []
  if (document["components"] === undefined) {
    return Effect.fail(
      malformed([
        at("components", `missing; an agent document has "components" and "connections", flat or under "data"`)
      ])
    )
  }
  const deep = tooDeep(input)
  if (deep !== undefined) {
    return Effect.fail(malformed([at(pathText(deep), `nested more than ${maxDepth} levels deep: make it flatter`)]))
  }
  const checked = check(document)
  if (checked._tag === "Left") {
    return Effect.fail(malformed(
      causes(ParseResult.ArrayFormatter.formatIssueSync(checked.left)).map((issue) =>
        at(pathText([...prefix, ...issue.path]), shorten(issue.message), componentAt(document, issue.path))
      )
    ))
  }
  const outer = wrapped && typeof envelope["id"] === "string" ? envelope["id"] : undefined
  return Effect.succeed({
    id: checked.right.id ?? outer,
    // Not the copy that the check makes, which leaves out what copying cannot carry (`__proto__`).
    document: document as unknown as AgentDocument,
    envelope: wrapped ? envelope : undefined
  })
}

/** Reads the text of a `.smyth` file; a syntax error is reported with line and column. */
export const decodeText = (source: string): Effect.Effect<Decoded, InvalidAgent> =>
  Either.match(JsonText.parse(source), {
    onLeft: (problem) => Effect.fail(malformed([at("", `not JSON: ${problem}`)])),
    onRight: decode
  })

/** The document as it was read, in the layout it was read in. */
export const encode = ({ document, envelope }: Pick<Decoded, "document" | "envelope">): unknown =>
  envelope === undefined ? document : { ...envelope, data: document }

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

/**
 * One issue for each place. A field that may be of several kinds fails as each of them; the first is what it should be. And
 * where something within a value is wrong, it is not the value that is.
 */
const causes = (issues: ReadonlyArray<ParseResult.ArrayFormatterIssue>) => {
  const outer = new Set(issues.flatMap(({ path }) => path.map((_, length) => pathText(path.slice(0, length)))))
  const seen = new Set<string>()
  return issues.filter(({ path }) => {
    const place = pathText(path)
    return !outer.has(place) && !seen.has(place) && seen.add(place)
  })
}

/** Messages quote what they are about, however large it is. */
const shorten = (message: string) => message.length <= 200 ? message : `${message.slice(0, 199)}…`

/** The beginning of a path to what is nested too deep. Looks at each level of the whole at once, at each object once a level. */
const tooDeep = (input: object): ReadonlyArray<PropertyKey> | undefined => {
  let level = new Map<object, ReadonlyArray<PropertyKey>>([[input, []]])
  for (let depth = 0; depth <= maxDepth; depth++) {
    const below: typeof level = new Map()
    for (const [holder, path] of level) {
      for (const [key, value] of Object.entries(holder)) {
        if (typeof value !== "object" || value === null) continue
        below.set(value, path.length < 5 ? [...path, Array.isArray(holder) ? Number(key) : key] : path)
      }
    }
    level = below
  }
  return level.values().next().value
}

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
