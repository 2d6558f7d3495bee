/**
 * VectorDB in an index of https://docs.pinecone.io, whose metric is cosine: a namespace of Pinecone for each collection, and
 * one for the records. Pinecone shows what was written after a moment, not at once; and it has no conditional writes.
 */
import type { Index, RecordMetadata } from "@pinecone-database/pinecone"
import { Config, Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as VendorFetch from "../VendorFetch.ts"
import * as LockedRecords from "./LockedRecords.ts"

const PineconeSettings = Schema.Struct({
  /** Of the project the index is in. */
  apiKey: Schema.Redacted(Schema.NonEmptyString),
  /** An index that exists. All vectors have its number of dimensions. */
  indexName: Schema.NonEmptyString,
  /** Default: `https://api.pinecone.io` */
  controllerHostUrl: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Of one request, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})

export const Pinecone = Connector.make({
  name: "Pinecone",
  contract: VectorDB.VectorDBConnector,
  service: VectorDB.layer,
  settings: PineconeSettings,
  make: Effect.fnUntraced(function*({ apiKey, controllerHostUrl, indexName, timeout }) {
    const sdk = yield* Connector.vendor(
      "Pinecone",
      "@pinecone-database/pinecone",
      () => import("@pinecone-database/pinecone")
    )
    const { attempt, fetch } = yield* VendorFetch.make("Pinecone", timeout)
    const client = new sdk.Pinecone({
      apiKey: Redacted.value(apiKey),
      fetchApi: fetch,
      maxRetries: 0,
      ...(controllerHostUrl === undefined ? {} : { controllerHostUrl })
    })
    const { dimension = 0, host, metric } = yield* attempt("connect", () => client.describeIndex(indexName))
    if (metric === "euclidean") return yield* unsupported(indexName, "its metric is euclidean, not cosine")
    if (dimension === 0) return yield* unsupported(indexName, "it has no dense vectors")

    const on = (namespace: string) => client.index<Stored>({ host, namespace })
    const records = on("sre-records")

    /** A namespace nothing was written to is none. */
    const absent = (error: ConnectorError) => error.reason === "NotFound"

    const fetched = (method: string, index: Index<Stored>, ids: ReadonlyArray<string>) =>
      ids.length === 0 ? Effect.succeed([]) : attempt(method, () => index.fetch({ ids: [...ids] })).pipe(
        Effect.map(({ records }) => Object.values(records)),
        Effect.catchIf(absent, () => Effect.succeed([]))
      )

    const page = (space: string, limit: number, after: Option.Option<string>) =>
      attempt("list", () =>
        records.listPaginated({
          prefix: LockedRecords.idOf(space, "").slice(0, 44),
          limit: Math.min(limit, 100),
          ...(Option.isSome(after) ? { paginationToken: after.value } : {})
        })).pipe(
          Effect.map(({ pagination, vectors = [] }) => ({
            ids: vectors.flatMap(({ id }) => id ?? []),
            next: Option.fromNullable(pagination?.next)
          })),
          Effect.catchIf(absent, () => Effect.succeed({ ids: [], next: Option.none<string>() }))
        )

    const erased = (method: string, index: Index<Stored>, ids: ReadonlyArray<string>) =>
      ids.length === 0
        ? Effect.void
        : Effect.catchIf(attempt(method, () => index.deleteMany({ ids: [...ids] })), absent, () => Effect.void)

    /** The first page again and again: what was on it is gone. */
    const eraseSpace = (space: string): Effect.Effect<void, ConnectorError> =>
      Effect.flatMap(
        page(space, 100, Option.none()),
        ({ ids, next }) =>
          Effect.zipRight(erased("drop", records, ids), Option.isSome(next) ? eraseSpace(space) : Effect.void)
      )

    const fitting = (method: string, { length }: Float32Array) =>
      length === dimension ? Effect.void : Effect.fail(
        new ConnectorError({
          connector: "Pinecone",
          method,
          reason: "InvalidInput",
          detail: `vectors of the index "${indexName}" have ${dimension} numbers, not ${length}`
        })
      )

    return VectorDB.VectorDBConnector.of({
      ...(yield* LockedRecords.make("Pinecone", {
        get: (space, name) =>
          Effect.map(
            fetched("get", records, [LockedRecords.idOf(space, name)]),
            ([found]) => Option.flatMap(Option.fromNullable(found), toRecord)
          ),
        list: (space, { after, limit }) =>
          Effect.flatMap(
            page(space, limit, after),
            ({ ids, next }) =>
              Effect.map(fetched("list", records, ids), (found) => ({
                items: found.flatMap((one) => Option.toArray(toRecord(one))),
                next
              }))
          ),
        write: (space, { name, value, version }) =>
          attempt("put", () =>
            records.upsert({
              records: [{
                id: LockedRecords.idOf(space, name),
                values: Array.from({ length: dimension }, () => 1),
                metadata: { space, name, value, version }
              }]
            })),
        erase: (space, name) => erased("remove", records, [LockedRecords.idOf(space, name)])
      })),
      upsert: (collection, points) =>
        Effect.forEach(
          requests(points, dimension),
          (some) =>
            Effect.zipRight(
              Effect.forEach(some, ({ vector }) => fitting("upsert", vector), { discard: true }),
              attempt("upsert", () => on(collection).upsert({ records: some.map(toVector) }))
            ),
          { discard: true }
        ),
      fetch: (collection, ids) =>
        Effect.map(
          fetched("fetch", on(collection), ids.map(LockedRecords.digest)),
          (found) => found.flatMap((one) => Option.toArray(toPoint(one)))
        ),
      delete: (collection, ids) => erased("delete", on(collection), ids.map(LockedRecords.digest)),
      search: (collection, { groups, topK, vector }) =>
        Effect.zipRight(
          fitting("search", vector),
          attempt("search", () =>
            on(collection).query({
              vector: Array.from(vector),
              topK,
              includeMetadata: true,
              includeValues: true,
              ...(groups.length === 0 ? {} : { filter: { $and: groups.map((group) => ({ terms: { $in: group } })) } })
            }))
        ).pipe(
          Effect.map(({ matches }) =>
            matches.flatMap((match) =>
              Option.toArray(Option.map(toPoint(match), (point) => ({ ...point, score: match.score ?? 0 })))
            )
          ),
          Effect.catchIf(absent, () => Effect.succeed([]))
        ),
      searchWords: VectorDB.withoutWords("Pinecone"),
      drop: (collection) =>
        Effect.zipRight(
          Effect.catchIf(attempt("drop", () => on(collection).deleteAll()), absent, () => Effect.void),
          eraseSpace(collection)
        )
    })
  })
})

/** `VectorDB` in the index `PINECONE_INDEX_NAME`, with the key `PINECONE_API_KEY`. */
export const PineconeLive = Pinecone.layerConfig({
  apiKey: Config.redacted(Config.nonEmptyString("PINECONE_API_KEY")),
  indexName: Config.nonEmptyString("PINECONE_INDEX_NAME"),
  controllerHostUrl: Config.withDefault(Config.nonEmptyString("PINECONE_CONTROLLER_HOST"), undefined),
  timeout: Config.succeed(Duration.seconds(30))
})

/** Of a record: its space, name, value and version. Of a point: its id, payload and terms. */
type Stored = RecordMetadata

interface Vector {
  readonly values?: ReadonlyArray<number>
  readonly metadata?: Stored
}

const text = (value: unknown): string => typeof value === "string" ? value : ""

const toRecord = ({ metadata }: Vector): Option.Option<VectorDB.StoredRecord> =>
  Option.map(Option.fromNullable(metadata), ({ name, value, version }) => ({
    name: text(name),
    value: text(value),
    version: text(version)
  }))

const toVector = ({ id, payload, terms, vector }: VectorDB.Point) => ({
  id: LockedRecords.digest(id),
  values: Array.from(vector),
  metadata: { id, payload, ...(terms.length === 0 ? {} : { terms: [...terms] }) }
})

const toPoint = ({ metadata, values = [] }: Vector): Option.Option<VectorDB.StoredPoint> =>
  Option.map(Option.fromNullable(metadata), ({ id, payload }) => ({
    id: text(id),
    payload: text(payload),
    vector: Float32Array.from(values)
  }))

/** A request has at most 2 MB: https://docs.pinecone.io/reference/api/database-limits */
const requests = (points: ReadonlyArray<VectorDB.Point>, dimension: number) => {
  const all: Array<Array<VectorDB.Point>> = []
  let bytes = 0
  for (const point of points) {
    const size = dimension * 22 + Buffer.byteLength(JSON.stringify([point.payload, point.terms])) + 200
    bytes += size
    if (all.length === 0 || bytes > 1_900_000) {
      all.push([])
      bytes = size
    }
    all[all.length - 1]!.push(point)
  }
  return all
}

const unsupported = (indexName: string, problem: string) =>
  new ConnectorError({
    connector: "Pinecone",
    method: "connect",
    reason: "Unsupported",
    detail: `the index "${indexName}" cannot be used: ${problem}`
  })
