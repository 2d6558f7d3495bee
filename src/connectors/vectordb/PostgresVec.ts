/**
 * VectorDB in PostgreSQL with the extension `vector` (https://github.com/pgvector/pgvector), exact: a search compares the
 * vectors of its own collection, which the primary key finds.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Config, Effect, Schema } from "effect"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as Sql from "../Sql.ts"
import * as SqlRecords from "./SqlRecords.ts"

const PostgresVecSettings = Schema.Struct({
  /** `postgres://user:password@host/database`. The user may create tables; the extension is there, or it may create it. */
  url: Schema.Redacted(Schema.String.pipe(
    Schema.pattern(/^postgres(ql)?:\/\//, { message: () => "expected postgres://user:password@host/database" })
  )),
  maxConnections: Sql.settings.maxConnections,
  timeout: Sql.settings.timeout
})

export const PostgresVec = Connector.make({
  name: "PostgresVec",
  aliases: ["Postgres", "pgvector"],
  contract: VectorDB.VectorDBConnector,
  service: VectorDB.layer,
  settings: PostgresVecSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { run, transaction } = yield* Effect.mapError(
      Sql.open("PostgresVec", settings, migrations),
      (error) => /extension "vector"|extension control file/.test(error.message) ? withoutExtension : error
    )
    return VectorDB.VectorDBConnector.of({
      ...SqlRecords.make("PostgresVec", Effect.succeed({ run, transaction })),
      upsert: (collection, points) =>
        run("upsert", (sql) =>
          sql`INSERT INTO vector_points (collection, id, payload, terms, vector, words)
            SELECT ${collection}, id, payload, terms, vector::vector, to_tsvector('simple', words) FROM json_to_recordset(${
            JSON.stringify(points.map((point) => ({ ...point, vector: toText(point.vector) })))
          }::json) AS points (id text, payload text, terms text[], vector text, words text)
            ON CONFLICT (collection, id)
            DO UPDATE SET payload = excluded.payload, terms = excluded.terms, vector = excluded.vector,
              words = excluded.words`),
      fetch: (collection, ids) =>
        Effect.map(
          run("fetch", (sql) =>
            sql<Row>`SELECT id, payload, vector::text AS vector FROM vector_points
              WHERE collection = ${collection} AND id IN (SELECT json_array_elements_text(${
              JSON.stringify(ids)
            }::json))`),
          (found) => found.map(fromRow)
        ),
      delete: (collection, ids) =>
        run("delete", (sql) =>
          sql`DELETE FROM vector_points
            WHERE collection = ${collection} AND id IN (SELECT json_array_elements_text(${
            JSON.stringify(ids)
          }::json))`),
      search: (collection, { groups, topK, vector }) =>
        Effect.map(
          run("search", (sql) =>
            sql<Row & { score: number }>`SELECT id, payload, vector::text AS vector, 1 - distance AS score FROM (
              SELECT *, vector <=> ${toText(vector)}::vector AS distance FROM vector_points WHERE ${
              sql.and([
                sql`collection = ${collection}`,
                ...having(sql, groups)
              ])
            }) AS compared ORDER BY distance LIMIT ${topK}`),
          (found) =>
            found.map((row) => ({ ...fromRow(row), score: row.score }))
        ),
      searchWords: (collection, { groups, topK, words }) =>
        Effect.map(
          run("searchWords", (sql) => {
            const wanted = sql`to_tsquery('simple', ${words.map((word) => `'${word}'`).join(" | ")})`
            return sql<Row>`SELECT id, payload, vector::text AS vector FROM vector_points WHERE ${
              sql.and([sql`collection = ${collection}`, sql`words @@ ${wanted}`, ...having(sql, groups)])
            } ORDER BY ts_rank(words, ${wanted}, 1) DESC, id LIMIT ${topK}`
          }),
          (found) => found.map(fromRow)
        ),
      drop: (collection) =>
        transaction("drop", (sql) =>
          Effect.zipRight(
            sql`DELETE FROM vector_points WHERE collection = ${collection}`,
            sql`DELETE FROM vector_records WHERE space = ${collection}`
          ))
    })
  })
})

/** `VectorDB` in the PostgreSQL database `SRE_SQL_URL`. */
export const PostgresVecLive = PostgresVec.layerConfig({
  url: Config.redacted("SRE_SQL_URL"),
  maxConnections: Sql.config.maxConnections,
  timeout: Sql.config.timeout
})

interface Row {
  readonly id: string
  readonly payload: string
  /** `[1,0.5]` */
  readonly vector: string
}

const migrations: Sql.Migrations = {
  name: "vectors",
  steps: [
    SqlRecords.table,
    (sql, { id, text, word }) => [
      sql`CREATE EXTENSION IF NOT EXISTS vector`,
      sql`CREATE TABLE IF NOT EXISTS vector_points (collection ${word} NOT NULL, id ${id} NOT NULL,
        payload ${text} NOT NULL, terms TEXT[] NOT NULL, vector VECTOR NOT NULL, PRIMARY KEY (collection, id))`
    ],
    // Points of before are found by words once they are written again.
    (sql) => [sql`ALTER TABLE vector_points ADD COLUMN IF NOT EXISTS words TSVECTOR`]
  ]
}

const having = (sql: SqlClient, groups: VectorDB.Query["groups"]) =>
  groups.map((group) => sql`terms && ARRAY(SELECT json_array_elements_text(${JSON.stringify(group)}::json))`)

const withoutExtension = new BootError({
  service: "VectorDB",
  connector: "PostgresVec",
  problem: "the database has no extension \"vector\". Install pgvector on its server, or have an administrator run " +
    "CREATE EXTENSION vector in this database."
})

/** Numbers of 32 bits in as many digits as tell them apart. */
const toText = (vector: Float32Array): string => `[${vector.join(",")}]`

const fromRow = ({ id, payload, vector }: Row) => ({
  id,
  payload,
  vector: Float32Array.from(vector.slice(1, -1).split(","), Number)
})
