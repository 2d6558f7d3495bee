/**
 * VectorDB in https://milvus.io 2.4 or newer, or Zilliz Cloud, over HTTP: a collection of Milvus for each of ours, and one for
 * the records. Its index finds near points fast and, among very many, not always the very nearest; and it has no conditional
 * writes.
 */
import type { HttpBaseResponse } from "@zilliz/milvus2-sdk-node"
import { Config, Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as VendorFetch from "../VendorFetch.ts"
import * as LockedRecords from "./LockedRecords.ts"

const MilvusSettings = Schema.Struct({
  /** `http://127.0.0.1:19530`, or the public endpoint of a cluster. */
  address: Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" })),
  /** An API key, or `user:password`; left out where the server knows no users. */
  token: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** One that exists. */
  database: Schema.optionalWith(Schema.NonEmptyString, { default: () => "default" }),
  /** Of one request, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})

export const Milvus = Connector.make({
  name: "Milvus",
  aliases: ["Zilliz"],
  contract: VectorDB.VectorDBConnector,
  service: VectorDB.layer,
  settings: MilvusSettings,
  make: Effect.fnUntraced(function*({ address, database, timeout, token }) {
    const { HttpClient } = yield* Connector.vendor(
      "Milvus",
      "@zilliz/milvus2-sdk-node",
      () => import("@zilliz/milvus2-sdk-node")
    )
    const { attempt, fetch } = yield* VendorFetch.make("Milvus", timeout)
    const client = new HttpClient({
      endpoint: address.replace(/\/+$/, ""),
      database,
      token: token === undefined ? "" : Redacted.value(token),
      // Ours is the shorter one.
      timeout: Duration.toMillis(timeout) + 1000,
      fetch
    })

    /** What Milvus refuses, it refuses with status 200 and a code. */
    const call = <A extends HttpBaseResponse<unknown>>(method: string, request: () => Promise<A>) =>
      Effect.filterOrElse(
        attempt(method, request),
        ({ code }) => code === 0,
        ({ code, message = "" }) => Effect.fail(refusal(method, code, message))
      )

    const known = new Set<string>()
    const ensure = (method: string, collectionName: string, fields: Fields, dimensions: number) =>
      Effect.gen(function*() {
        if (known.has(collectionName)) return
        const { data } = yield* call(method, () => client.hasCollection({ dbName: database, collectionName }))
        if (!data.has) yield* call(method, () => client.createCollection(schemaOf(collectionName, fields, dimensions)))
        known.add(collectionName)
      })

    const query = (method: string, collectionName: string, filter: string, outputFields: Array<string>, limit = 1000) =>
      call(method, () => client.query({ collectionName, filter, outputFields, limit, consistencyLevel: "Strong" }))
        .pipe(
          Effect.map(({ data }): ReadonlyArray<Row> => data),
          orElseNothing([])
        )

    const erase = (method: string, collectionName: string, filter: string) =>
      orElseNothing(undefined)(Effect.asVoid(call(method, () => client.delete({ collectionName, filter }))))

    yield* call("connect", () => client.hasCollection({ dbName: database, collectionName: records }))
    return VectorDB.VectorDBConnector.of({
      ...(yield* LockedRecords.make("Milvus", {
        get: (space, name) =>
          Effect.map(
            query("get", records, isOneOf([LockedRecords.idOf(space, name)]), ["name", "value", "version"]),
            ([row]) => Option.map(Option.fromNullable(row), toRecord)
          ),
        // With a limit Milvus gives the rows with the smallest primary keys.
        list: (space, { after, limit }) =>
          Effect.map(
            query(
              "list",
              records,
              `space == "${LockedRecords.digest(space)}" and id > "${Option.getOrElse(after, () => "")}"`,
              ["id", "name", "value", "version"],
              limit + 1
            ),
            (rows) => {
              const sorted = [...rows].sort((a, b) => text(a["id"]) < text(b["id"]) ? -1 : 1)
              return {
                items: sorted.slice(0, limit).map(toRecord),
                next: sorted.length > limit ? Option.some(text(sorted[limit - 1]?.["id"])) : Option.none()
              }
            }
          ),
        write: (space, record) =>
          Effect.zipRight(
            ensure("put", records, recordFields, 2),
            Effect.asVoid(call("put", () =>
              client.upsert({
                collectionName: records,
                data: [{
                  id: LockedRecords.idOf(space, record.name),
                  space: LockedRecords.digest(space),
                  ...record,
                  vector: [1, 0]
                }]
              })))
          ),
        erase: (space, name) => erase("remove", records, isOneOf([LockedRecords.idOf(space, name)]))
      })),
      upsert: (collection, points) =>
        Effect.zipRight(
          ensure("upsert", collection, pointFields, points[0]?.vector.length ?? 0),
          Effect.asVoid(call("upsert", () => client.upsert({ collectionName: collection, data: points.map(toRow) })))
        ),
      fetch: (collection, ids) =>
        ids.length === 0 ? Effect.succeed([]) : Effect.map(
          query("fetch", collection, isOneOf(ids.map(LockedRecords.digest)), ["name", "payload", "vector"]),
          (rows) => rows.map(toPoint)
        ),
      delete: (collection, ids) =>
        ids.length === 0 ? Effect.void : erase("delete", collection, isOneOf(ids.map(LockedRecords.digest))),
      search: (collection, { groups, topK, vector }) =>
        call("search", () =>
          client.search({
            collectionName: collection,
            data: [Array.from(vector)],
            annsField: "vector",
            limit: topK,
            outputFields: ["name", "payload", "vector"],
            searchParams: { metricType: "COSINE" },
            consistencyLevel: "Strong",
            ...(groups.length === 0 ? {} : {
              filter: groups.map((group) => `array_contains_any(terms, ${listOf(group.map(LockedRecords.digest))})`)
                .join(" and ")
            })
          })).pipe(
            Effect.map(({ data }) => {
              const rows: ReadonlyArray<unknown> = [data].flat()
              return rows.map((row) => toMatch(row as Row))
            }),
            orElseNothing([])
          ),
      searchWords: VectorDB.withoutWords("Milvus"),
      drop: (collection) =>
        Effect.gen(function*() {
          yield* orElseNothing(undefined)(
            Effect.asVoid(call("drop", () => client.dropCollection({ collectionName: collection })))
          )
          known.delete(collection)
          yield* erase("drop", records, `space == "${LockedRecords.digest(collection)}"`)
        })
    })
  })
})

/** `VectorDB` at `MILVUS_ADDRESS`, with `MILVUS_TOKEN` where it is set. */
export const MilvusLive = Milvus.layerConfig({
  address: Config.nonEmptyString("MILVUS_ADDRESS"),
  token: Config.withDefault(Config.redacted(Config.nonEmptyString("MILVUS_TOKEN")), undefined),
  database: Config.withDefault(Config.nonEmptyString("MILVUS_DATABASE"), "default"),
  timeout: Config.succeed(Duration.seconds(30))
})

type Row = Readonly<Record<string, unknown>>

const records = "sre_records"

/** Names and terms go in as digests, so that no text of a caller is ever part of an expression. */
const isOneOf = (ids: ReadonlyArray<string>) => `id in ${listOf(ids)}`
const listOf = (digests: ReadonlyArray<string>) => `["${digests.join("\", \"")}"]`

const toRow = ({ id, payload, terms, vector }: VectorDB.Point) => ({
  id: LockedRecords.digest(id),
  name: id,
  payload,
  terms: terms.map(LockedRecords.digest),
  vector: Array.from(vector)
})

const toPoint = ({ name, payload, vector }: Row) => ({
  id: text(name),
  payload: text(payload),
  vector: Float32Array.from(Array.isArray(vector) ? vector : [])
})

/** With this metric the distance is the cosine. */
const toMatch = (row: Row): VectorDB.Match => ({ ...toPoint(row), score: Number(row["distance"]) })

const toRecord = ({ name, value, version }: Row) => ({ name: text(name), value: text(value), version: text(version) })

const text = (value: unknown): string => typeof value === "string" ? value : ""

/** Bytes of each text. */
type Fields = Readonly<Record<string, number>>
const recordFields: Fields = { space: 64, name: 2048, value: 65_535, version: 64 }
const pointFields: Fields = { name: 512, payload: 65_535 }

/** https://milvus.io/api-reference/restful/v2.4.x/v2/Collection%20(v2)/Create.md */
const schemaOf = (collectionName: string, fields: Fields, dim: number) => ({
  collectionName,
  schema: {
    autoID: false,
    enabledDynamicField: false,
    fields: [
      { fieldName: "id", dataType: "VarChar", isPrimary: true, elementTypeParams: { max_length: 100 } },
      ...Object.entries(fields).map(([fieldName, max_length]) => ({
        fieldName,
        dataType: "VarChar",
        elementTypeParams: { max_length }
      })),
      ...(fields === pointFields
        ? [{
          fieldName: "terms",
          dataType: "Array",
          elementDataType: "VarChar",
          elementTypeParams: { max_length: 64, max_capacity: 1024 }
        }]
        : []),
      { fieldName: "vector", dataType: "FloatVector", elementTypeParams: { dim } }
    ]
  },
  indexParams: [{
    fieldName: "vector",
    indexName: "vector",
    metricType: "COSINE",
    params: { index_type: "AUTOINDEX" }
  }],
  params: { consistencyLevel: "Strong" }
})

/** A collection that nothing was written to is none. */
const orElseNothing = <B>(nothing: B) => <A, R>(self: Effect.Effect<A, ConnectorError, R>) =>
  Effect.catchIf(self, ({ reason }) => reason === "NotFound", () => Effect.succeed(nothing))

/** https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go */
const refusal = (method: string, code: number, message: string) =>
  new ConnectorError({
    connector: "Milvus",
    method,
    reason: reasons[code] ?? "Protocol",
    detail: `code ${code}: ${message.slice(0, 300)}`
  })

const reasons: Readonly<Record<number, Reason>> = {
  1: "Unavailable",
  2: "Unavailable",
  3: "Full",
  5: "Unavailable",
  8: "RateLimited",
  9: "Full",
  100: "NotFound",
  101: "Unavailable",
  800: "NotFound",
  1100: "InvalidInput",
  1800: "Unauthorized",
  1802: "InvalidInput",
  1804: "InvalidInput"
}
