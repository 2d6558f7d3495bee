/** How {@link VectorDB} writes down namespaces, data sources and what stands beside a vector. Stored encodings: keep them. */
import { Effect, Option, ParseResult, Schema } from "effect"
import { createHash } from "node:crypto"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Guarded from "../Guarded.ts"
import { isDimension, maxDimensions, unit } from "../llm/Embeddings.ts"
import type { Sizes } from "./TextChunks.ts"
import { Datasource, type Namespace, type StoredItem, type StoredPoint, type StoredRecord } from "./VectorModels.ts"
import * as VectorWords from "./VectorWords.ts"

/** What the record of a namespace says beside its list. */
const Space = Schema.Struct({
  /** Where its points are. */
  collection: Schema.String,
  dimensions: Schema.optional(Schema.Int),
  /** What a model is asked for, where the creator of the namespace said how long vectors are. */
  asked: Schema.optional(Schema.Int),
  model: Schema.optional(Schema.String),
  created: Schema.Number
})
const SpaceFromText = Schema.parseJson(Space)
const DatasourceFromText = Schema.parseJson(Datasource)

/** The record of a namespace, read. */
export interface Found extends Pick<Guarded.Envelope, "acl" | "metadata"> {
  readonly space: typeof Space.Type
  readonly version: string
}

export const namespace = (key: string) => ({ value, version }: StoredRecord): Effect.Effect<Found, ConnectorError> =>
  Effect.gen(function*() {
    const { acl, metadata, value: space } = yield* Guarded.unpack("VectorDB", key, value)
    return { acl, metadata, space: yield* decode(SpaceFromText, key, space), version }
  })

export const datasource = (id: string, value: string): Effect.Effect<Datasource, ConnectorError> =>
  decode(DatasourceFromText, id, value)

/** The space of a namespace's record is its home, and its name what comes behind that. */
export const nameOf = ({ home, key }: Guarded.Place): readonly [space: string, name: string] => {
  const space = Candidate.format(home)
  return [space, key.slice(space.length + 1)]
}

export const describe = (key: string, { metadata, space }: Found, who: Candidate.Candidate): Namespace => ({
  namespace: Guarded.keyFor(who, key),
  dimensions: Option.fromNullable(space.dimensions),
  model: Option.fromNullable(space.model),
  metadata,
  created: space.created
})

export const open = ({ id, payload, vector }: StoredPoint): Effect.Effect<StoredItem, ConnectorError> =>
  Effect.map(decode(PayloadFromText, id, payload), ({ datasource, metadata, text }) => ({
    id,
    text: Option.fromNullable(text),
    metadata,
    datasource: Option.fromNullable(datasource),
    vector
  }))

const decode = <A>(schema: Schema.Schema<A, string>, name: string, text: string): Effect.Effect<A, ConnectorError> =>
  Effect.mapError(
    ParseResult.decode(schema)(text),
    () => failure("get", "Corrupted", `what is stored as "${name}" cannot be read; remove or replace it`)
  )

/** What stands beside a vector. `datasource` and `chunk` say where a text was cut from. */
export const Payload = Schema.Struct({
  text: Schema.optional(Schema.String),
  metadata: Schema.optionalWith(Guarded.Metadata, { default: () => ({}) }),
  datasource: Schema.optional(Schema.String),
  chunk: Schema.optional(Schema.Int)
})
export type Payload = typeof Payload.Type

const PayloadFromText = Schema.parseJson(Payload)
export const pack = Schema.encodeSync(PayloadFromText)

/** Every field named must have the value, or one of the values. A list in the metadata has each of its elements as value. */
export type Filter = Readonly<Record<string, Scalar | ReadonlyArray<Scalar>>>
type Scalar = string | number | boolean

/** The facts of metadata that a filter can ask for: one text for each field and value. */
export const termsOf = (
  name: string,
  metadata: Guarded.Metadata
): Effect.Effect<ReadonlyArray<string>, ConnectorError> => {
  const terms = new Set(
    Object.entries(metadata).flatMap(([field, value]) =>
      (Array.isArray(value) ? value : [value]).filter(isScalar).map((one) => term(field, one))
    )
  )
  return terms.size > maxTerms
    ? invalid("insert", `the metadata of ${name} has ${terms.size} fields and elements; ${maxTerms} are possible`)
    : Effect.succeed(Array.from(terms))
}

/** What full-text search gets of a text: its words, of a very long one the first. */
export const wordsOf = (text: string | undefined): string =>
  text === undefined ? "" : VectorWords.of(text).slice(0, maxWords).join(" ").slice(0, maxWordChars)

/** All of the groups, any term of each: what a filter asks for. */
export const groupsOf = (filter: Filter): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(filter).map(([field, value]) => (isList(value) ? value : [value]).map((one) => term(field, one)))

const isList = (value: Filter[string]): value is ReadonlyArray<Scalar> => Array.isArray(value)
const isScalar = (value: unknown): value is Scalar => ["string", "number", "boolean"].includes(typeof value)

/** `"lang":"en"`; a long one by its digest, since backends bound the length. */
const term = (field: string, value: Scalar): string => {
  const text = `${JSON.stringify(field)}:${JSON.stringify(value)}`
  return text.length <= 200 ? text : `sha256:${createHash("sha256").update(text).digest("hex")}`
}

/** Of length 1, or `InvalidInput`: a vector has a direction, made of numbers that are finite. */
export const direction = (
  method: string,
  name: string,
  vector: ArrayLike<number>
): Effect.Effect<Float32Array, ConnectorError> => {
  const one = unit(vector)
  return !isDimension(one.length)
    ? invalid(method, `${name} has ${one.length} numbers; 1 to ${maxDimensions} are possible`)
    : !one.every(Number.isFinite)
    ? invalid(method, `${name} has an element that is not a finite number`)
    : one.every((element) => element === 0)
    ? invalid(method, `${name} is all zeros, which point nowhere`)
    : Effect.succeed(one)
}

/** Of one data source, which is embedded in memory. */
const maxPieces = 100_000
const maxCharacters = 100 * 2 ** 20

/** Small pieces, or large ones that repeat most of the one before, come to a thousand times the text. */
export const checkPieces = (
  pages: ReadonlyArray<string>,
  { chunkOverlap, chunkSize }: Sizes
): Effect.Effect<void, ConnectorError> => {
  const length = pages.reduce((sum, page) => sum + page.length, 0)
  const pieces = Math.ceil(length / (chunkSize - chunkOverlap))
  return pieces <= maxPieces && pieces * Math.min(chunkSize, length) <= maxCharacters ? Effect.void : invalid(
    "createDatasource",
    `the text would come to ${pieces} pieces of ${chunkSize} characters; ${maxPieces}, with ${maxCharacters} characters ` +
      "in all, are the most. Index it in parts, or with less overlap"
  )
}

export const checkDimensions = (method: string, dimensions: number): Effect.Effect<void, ConnectorError> =>
  isDimension(dimensions)
    ? Effect.void
    : invalid(method, `dimensions are a whole number from 1 to ${maxDimensions}, not ${dimensions}`)

const maxTerms = 1000
const maxWords = 20_000
/** What PostgreSQL indexes of one text, in letters of three bytes. */
const maxWordChars = 200_000

/** 1 to 512 bytes without control characters. */
export const checkId = (method: string, id: string): Effect.Effect<void, ConnectorError> =>
  id === "" || Buffer.byteLength(id) > 512 || /\p{Cc}/u.test(id) || !id.isWellFormed()
    ? invalid(
      method,
      `the id ${JSON.stringify(id.slice(0, 40))} is not 1 to 512 bytes of text without control characters`
    )
    : Effect.void

export const invalid = (method: string, detail: string) => Effect.fail(failure(method, "InvalidInput", detail))

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: "VectorDB", method, reason, detail })
