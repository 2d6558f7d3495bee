/**
 * VectorDB in a SQLite file, exact, with the vectors in tables of https://alexgarcia.xyz/sqlite-vec: one for each number of
 * dimensions, partitioned by collection, so that a search reads the vectors of its own namespace alone.
 */
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Statement } from "@effect/sql/Statement"
import { Config, Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Sql from "../Sql.ts"
import * as SqlRecords from "./SqlRecords.ts"

const SQLiteVecSettings = Schema.Struct({
  /** Created where it is missing, or `:memory:`. Default: `vectors.sqlite` in the folder `SRE_DATA`, `.sre` by default. */
  file: Schema.optional(Schema.NonEmptyString),
  /** To wait for another process that writes, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) })
})

export const SQLiteVec = Connector.make({
  name: "SQLiteVec",
  aliases: ["SQLite", "LocalVec"],
  contract: VectorDB.VectorDBConnector,
  service: VectorDB.layer,
  settings: SQLiteVecSettings,
  make: Effect.fnUntraced(function*({ file, timeout }) {
    const path = file ?? (yield* DataFolder.config("vectors.sqlite"))
    const database = yield* Connector.optionally("SQLiteVec", "sqlite-vec", open(path, timeout))
    const run: Sql.Database["run"] = (method, use) => Effect.flatMap(database, (on) => on.run(method, use))
    const transaction: Sql.Database["run"] = (method, use) =>
      Effect.flatMap(database, (on) => on.transaction(method, use))

    return VectorDB.VectorDBConnector.of({
      ...SqlRecords.make("SQLiteVec", database),
      upsert: (collection, points) =>
        transaction("upsert", (sql) =>
          Effect.gen(function*() {
            const dimensions = points[0]?.vector.length ?? 0
            const vectors = sql(`vectors_${dimensions}`)
            yield* sql`CREATE VIRTUAL TABLE IF NOT EXISTS ${vectors} USING vec0(
              collection TEXT PARTITION KEY, vector FLOAT[${sql.literal(String(dimensions))}] distance_metric=cosine,
              chunk_size=128)`
            for (const { id, payload, terms, vector, words } of points) {
              const [row] = yield* sql<{ row: number }>`INSERT INTO vector_points
                ${sql.insert({ collection, id, payload, dimensions })}
                ON CONFLICT (collection, id) DO UPDATE SET payload = excluded.payload RETURNING row`
              const at = sql`CAST(${row!.row} AS INTEGER)`
              yield* sql`DELETE FROM ${vectors} WHERE rowid = ${at}`
              yield* sql`INSERT INTO ${vectors} (rowid, collection, vector)
                VALUES (${at}, ${collection}, ${toBytes(vector)})`
              yield* sql`DELETE FROM vector_terms WHERE row = ${at}`
              yield* sql`INSERT INTO vector_terms (term, row) SELECT value, ${at} FROM json_each(${
                JSON.stringify(terms)
              })`
              yield* sql`DELETE FROM vector_words WHERE rowid = ${at}`
              yield* sql`INSERT INTO vector_words (rowid, collection, words) VALUES (${at}, ${collection}, ${words})`
            }
          })),
      fetch: (collection, ids) =>
        run("fetch", (sql) =>
          Effect.gen(function*() {
            const dimensions = yield* dimensionsOf(sql, collection)
            if (dimensions === undefined) return []
            const found = yield* sql<Row>`SELECT id, payload, vector FROM vector_points
              JOIN ${sql(`vectors_${dimensions}`)} AS vectors ON vectors.rowid = row
              WHERE vector_points.collection = ${collection} AND id IN (SELECT value FROM json_each(${
              JSON.stringify(ids)
            }))`
            return found.map(({ id, payload, vector }) => ({ id, payload, vector: fromBytes(vector) }))
          })),
      delete: (collection, ids) =>
        transaction("delete", (sql) =>
          erase(
            sql,
            collection,
            sql`SELECT row FROM vector_points WHERE collection = ${collection}
              AND id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`
          )),
      search: (collection, { groups, topK, vector }) =>
        run("search", (sql) => {
          const only = groups.length === 0 ? sql.literal("") : sql`AND rowid IN (${rowsOf(sql, collection, groups)})`
          return Effect.map(
            sql<Row & { distance: number }>`SELECT id, payload, vector, distance FROM (
              SELECT rowid, vector, distance FROM ${sql(`vectors_${vector.length}`)}
              WHERE vector MATCH ${toBytes(vector)} AND k = ${sql.literal(String(topK))} AND collection = ${collection}
              ${only}
            ) AS nearest JOIN vector_points ON row = nearest.rowid ORDER BY distance`,
            (found) =>
              found.map(({ distance, id, payload, vector }) => ({
                id,
                payload,
                vector: fromBytes(vector),
                score: 1 - distance
              }))
          )
        }).pipe(Effect.catchIf(({ reason }) => reason === "NotFound", () => Effect.succeed([]))),
      searchWords: (collection, { groups, topK, words }) =>
        run("searchWords", (sql) =>
          Effect.gen(function*() {
            const dimensions = yield* dimensionsOf(sql, collection)
            if (dimensions === undefined) return []
            const wanted = `collection : "${collection}" AND words : (${words.map((one) => `"${one}"`).join(" OR ")})`
            const only = groups.length === 0 ? sql.literal("") : sql`AND rowid IN (${rowsOf(sql, collection, groups)})`
            const found = yield* sql<Row>`SELECT id, payload, vector FROM (
              SELECT rowid, bm25(vector_words, 0, 1) AS place FROM vector_words WHERE vector_words MATCH ${wanted} ${only}
              ORDER BY place, rowid LIMIT ${topK}
            ) AS best JOIN vector_points ON row = best.rowid
              JOIN ${sql(`vectors_${dimensions}`)} AS vectors ON vectors.rowid = row ORDER BY place, row`
            return found.map(({ id, payload, vector }) => ({ id, payload, vector: fromBytes(vector) }))
          })),
      drop: (collection) =>
        transaction("drop", (sql) =>
          Effect.zipRight(
            erase(sql, collection, sql`SELECT row FROM vector_points WHERE collection = ${collection}`),
            sql`DELETE FROM vector_records WHERE space = ${collection}`
          ))
    })
  })
})

/** `VectorDB` in the file `SQLITE_VEC_FILE`, by default `vectors.sqlite` in `SRE_DATA`. */
export const SQLiteVecLive = SQLiteVec.layerConfig({
  file: Config.withDefault(Config.nonEmptyString("SQLITE_VEC_FILE"), undefined),
  timeout: Config.succeed(Duration.seconds(10))
})

interface Row {
  readonly id: string
  readonly payload: string
  readonly vector: Uint8Array
}

const open = Effect.fnUntraced(function*(file: string, timeout: Duration.Duration) {
  const { getLoadablePath } = yield* Connector.vendor("SQLiteVec", "sqlite-vec", () => import("sqlite-vec"))
  const extension = yield* Effect.try({
    try: getLoadablePath,
    catch: (cause) =>
      new ConnectorError({
        connector: "SQLiteVec",
        method: "open",
        reason: "Unsupported",
        detail: "sqlite-vec is not built for this machine; choose another connector for VectorDB",
        cause
      })
  })
  const database = yield* Sql.open(
    "SQLiteVec",
    { url: Redacted.make(`sqlite:${file}`), maxConnections: 1, timeout },
    migrations
  )
  yield* database.run("open", (sql) => (sql as SqliteClient).loadExtension(extension))
  return database
})

/** `row` is where the point's vector is; terms are found by either end. */
const migrations: Sql.Migrations = {
  name: "vectors",
  steps: [
    SqlRecords.table,
    (sql) => [
      sql`CREATE TABLE IF NOT EXISTS vector_points (row INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL,
        id TEXT NOT NULL, payload TEXT NOT NULL, dimensions INTEGER NOT NULL, UNIQUE (collection, id))`,
      sql`CREATE TABLE IF NOT EXISTS vector_terms (row INTEGER NOT NULL, term TEXT NOT NULL, PRIMARY KEY (row, term))
        WITHOUT ROWID`,
      sql`CREATE INDEX IF NOT EXISTS vector_terms_by_term ON vector_terms (term, row)`
    ],
    // Points of before are found by words once they are written again.
    (sql) => [
      sql`CREATE VIRTUAL TABLE IF NOT EXISTS vector_words USING fts5(collection, words, content='',
        contentless_delete=1, tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'")`
    ]
  ]
}

const dimensionsOf = (sql: SqlClient, collection: string) =>
  Effect.map(
    sql<{ dimensions: number }>`SELECT dimensions FROM vector_points WHERE collection = ${collection} LIMIT 1`,
    ([point]) => point?.dimensions
  )

/** The rows of the points that have of each group at least one term. */
const rowsOf = (sql: SqlClient, collection: string, groups: VectorDB.Query["groups"]) => {
  const having = groups.map((group) =>
    sql`row IN (SELECT row FROM vector_terms WHERE term IN (SELECT value FROM json_each(${JSON.stringify(group)})))`
  )
  return sql`SELECT row FROM vector_points WHERE collection = ${collection} AND ${sql.and(having)}`
}

/** The points `rows` selects, with their vectors, terms and words. */
const erase = Effect.fnUntraced(function*(sql: SqlClient, collection: string, rows: Statement<unknown>) {
  const dimensions = yield* dimensionsOf(sql, collection)
  if (dimensions === undefined) return
  yield* sql`DELETE FROM ${sql(`vectors_${dimensions}`)} WHERE rowid IN (${rows})`
  yield* sql`DELETE FROM vector_terms WHERE row IN (${rows})`
  yield* sql`DELETE FROM vector_words WHERE rowid IN (${rows})`
  yield* sql`DELETE FROM vector_points WHERE row IN (${rows})`
})

const toBytes = ({ buffer, byteLength, byteOffset }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** A copy: what SQLite gives need not start where a number may. */
const fromBytes = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer)
