/** What {@link VectorDB} takes and gives, how it fails, and the contract of its connectors. */
import { Context, Effect, type Option, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Guarded from "../Guarded.ts"
import type * as TextChunks from "./TextChunks.ts"
import type * as VectorRecords from "./VectorRecords.ts"

export interface Namespace {
  /** As the asker may write it: relative in its own home, else a `smythfs://` URI. */
  readonly namespace: string
  /** Unknown until the first vectors came, unless it was created with it. */
  readonly dimensions: Option.Option<number>
  /** What texts are embedded with; none while there were only vectors. */
  readonly model: Option.Option<string>
  readonly metadata: Guarded.Metadata
  /** Milliseconds since 1970. */
  readonly created: number
}

export interface NamespaceOptions {
  readonly dimensions?: number | undefined
  /** See {@link Embeddings.Request}. */
  readonly model?: string | undefined
  readonly metadata?: Guarded.Metadata | undefined
}

/** A text, a vector, or a vector that stands for the text. */
export interface Item {
  /** Default: a new one. */
  readonly id?: string | undefined
  readonly text?: string | undefined
  readonly vector?: ArrayLike<number> | undefined
  readonly metadata?: Guarded.Metadata | undefined
}

export interface StoredItem {
  readonly id: string
  readonly text: Option.Option<string>
  readonly metadata: Guarded.Metadata
  /** The data source it was cut from. */
  readonly datasource: Option.Option<string>
  /** As inserted, but of length 1. */
  readonly vector: Float32Array
}

export interface Hit extends StoredItem {
  /** Cosine, -1 to 1: higher is nearer. */
  readonly score: number
  /** Whether it has words of `SearchOptions.text`. */
  readonly byWords: boolean
}

export interface SearchOptions {
  /** 1 to 1000; default 10. */
  readonly topK?: number | undefined
  /**
   * Hybrid: also what has words of this text is found, and the order is that of both searches together. A connector without
   * full-text search fails with `Unsupported`.
   */
  readonly text?: string | undefined
  readonly filter?: VectorRecords.Filter | undefined
  /** Default: true. Without, that of every hit is empty. */
  readonly includeMetadata?: boolean | undefined
}

export interface DatasourceOptions extends Partial<TextChunks.Sizes> {
  /** Default: a new one. */
  readonly id?: string | undefined
  /** A whole text, or the pages of one: no chunk goes over the end of a page. */
  readonly text: string | ReadonlyArray<string>
  readonly label?: string | undefined
  /** Goes with the source and with each of its chunks. */
  readonly metadata?: Guarded.Metadata | undefined
  /** Whether a source of this id is replaced; default: it fails. */
  readonly replace?: boolean | undefined
}

/** A text that was cut into chunks and indexed; chunk `n` is the item `<id>#<n>`, from 0. */
export const Datasource = Schema.Struct({
  id: Schema.String,
  label: Schema.String,
  metadata: Guarded.Metadata,
  chunks: Schema.Int,
  chunkSize: Schema.Int,
  chunkOverlap: Schema.Int,
  sizeBytes: Schema.Int,
  /** Milliseconds since 1970. */
  created: Schema.Number
})
export type Datasource = typeof Datasource.Type

export class NamespaceNotFound extends Schema.TaggedError<NamespaceNotFound>()("NamespaceNotFound", {
  namespace: Schema.String
}) {
  override get message(): string {
    return `No vector namespace "${this.namespace}"`
  }
}

export class NamespaceExists extends Schema.TaggedError<NamespaceExists>()("NamespaceExists", {
  namespace: Schema.String
}) {
  override get message(): string {
    return `There is a vector namespace "${this.namespace}" already`
  }
}

export class DatasourceExists extends Schema.TaggedError<DatasourceExists>()("DatasourceExists", {
  namespace: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    return `There is a data source "${this.id}" in "${this.namespace}" already; delete it, or say replace`
  }
}

/** All vectors of a namespace have one length: the one it was created with, else that of the first ones. */
export class DimensionMismatch extends Schema.TaggedError<DimensionMismatch>()("DimensionMismatch", {
  namespace: Schema.String,
  expected: Schema.Int,
  got: Schema.Int
}) {
  override get message(): string {
    return `Vectors of "${this.namespace}" have ${this.expected} numbers, not ${this.got}`
  }
}

/** A text kept by name in a space: what namespaces and data sources are. */
export interface StoredRecord {
  readonly name: string
  readonly value: string
  /** Opaque, and new with every write. */
  readonly version: string
}

/** A vector of length 1 with what stands beside it, the terms a search may ask for, and the words it is found by. */
export interface Point {
  readonly id: string
  readonly vector: Float32Array
  readonly payload: string
  readonly terms: ReadonlyArray<string>
  /** The words of its text in their order, with one space between them; see {@link VectorWords}. */
  readonly words: string
}

/** What a connector gives back of a point. */
export type StoredPoint = Omit<Point, "terms" | "words">

export interface Query {
  readonly vector: Float32Array
  /** 1 to 1000. */
  readonly topK: number
  /** Of each group at least one term; no group: any point. */
  readonly groups: ReadonlyArray<ReadonlyArray<string>>
}

export interface WordQuery extends Omit<Query, "vector"> {
  /** 1 to 64 different ones of letters and digits; a point with any of them is found. */
  readonly words: ReadonlyArray<string>
}

export interface Match extends StoredPoint {
  /** Cosine: 1 the same direction, 0 unrelated, -1 the opposite. */
  readonly score: number
}

/**
 * Moves opaque text beside vectors; no access code. Collections have names of letters and digits that never come again; one
 * begins to exist with its first points, which all have one length. Names, ids and terms are any text. With `expected` a
 * write happens only while the stored version is that (none: no record), else it fails with `Conflict`.
 */
export class VectorDBConnector extends Context.Tag("effect-sre/VectorDBConnector")<VectorDBConnector, {
  readonly get: (space: string, name: string) => Effect.Effect<Option.Option<StoredRecord>, ConnectorError>
  readonly put: (
    space: string,
    name: string,
    value: string,
    expected: Option.Option<string>
  ) => Effect.Effect<void, ConnectorError>
  readonly remove: (space: string, name: string, expected: string) => Effect.Effect<void, ConnectorError>
  /** The records of this space alone, in a fixed order. */
  readonly list: (space: string, page: Guarded.Page) => Effect.Effect<Guarded.Listed<StoredRecord>, ConnectorError>
  /** Creates points or replaces those of the same id; at most 100, no id twice. All that is answered is found from then on. */
  readonly upsert: (collection: string, points: ReadonlyArray<Point>) => Effect.Effect<void, ConnectorError>
  /** Those there are, in any order. */
  readonly fetch: (
    collection: string,
    ids: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<StoredPoint>, ConnectorError>
  readonly delete: (collection: string, ids: ReadonlyArray<string>) => Effect.Effect<void, ConnectorError>
  /** The nearest first. */
  readonly search: (collection: string, query: Query) => Effect.Effect<ReadonlyArray<Match>, ConnectorError>
  /** By the backend's own full-text search, the best first. One without it has {@link withoutWords} here. */
  readonly searchWords: (
    collection: string,
    query: WordQuery
  ) => Effect.Effect<ReadonlyArray<StoredPoint>, ConnectorError>
  /** Removes the collection's points, and the records of the space of that name. */
  readonly drop: (collection: string) => Effect.Effect<void, ConnectorError>
}>() {}

/** `searchWords` of a backend that has no full-text search. */
export const withoutWords = (connector: string) => (): Effect.Effect<never, ConnectorError> =>
  Effect.fail(
    new ConnectorError({
      connector,
      method: "searchWords",
      reason: "Unsupported",
      detail: "it has no full-text search, which a hybrid search needs; search without it, or choose another connector"
    })
  )
