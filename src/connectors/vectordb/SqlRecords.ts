/** The records of a vector database that lives in SQL. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Statement } from "@effect/sql/Statement"
import { type Context, Effect, Option } from "effect"
import { randomUUID } from "node:crypto"
import { conflict, type ConnectorError } from "../../kernel/ConnectorError.ts"
import type * as VectorDB from "../../subsystems/io/VectorDB.ts"
import * as Sql from "../Sql.ts"

/** The step of the migrations that makes their table. */
export const table = (sql: SqlClient, { id, text, word }: Sql.Types): ReadonlyArray<Statement<unknown>> => [
  sql`CREATE TABLE IF NOT EXISTS vector_records
    (space ${id} NOT NULL, name ${id} NOT NULL, value ${text} NOT NULL, version ${word} NOT NULL, PRIMARY KEY (space, name))`
]

export const make = (
  connector: string,
  database: Effect.Effect<Sql.Database, ConnectorError>
): Pick<Context.Tag.Service<VectorDB.VectorDBConnector>, "get" | "put" | "remove" | "list"> => {
  const run = <A, E>(method: string, use: (sql: SqlClient) => Effect.Effect<A, E>) =>
    Effect.flatMap(database, (on) => on.run(method, use))
  const change = (method: string, use: (sql: SqlClient) => Statement<unknown>) =>
    Effect.flatMap(
      run(method, (sql) => Sql.rows(use(sql))),
      (count) => count === 1 ? Effect.void : Effect.fail(conflict(connector, method))
    )
  return {
    get: (space, name) =>
      Effect.map(
        run("get", (sql) =>
          sql<VectorDB.StoredRecord>`SELECT name, value, version FROM vector_records
            WHERE space = ${space} AND name = ${name}`),
        ([record]) => Option.fromNullable(record)
      ),
    put: (space, name, value, expected) =>
      change("put", (sql) =>
        Option.match(expected, {
          onNone: () =>
            sql`INSERT INTO vector_records ${sql.insert({ space, name, value, version: randomUUID() })}
              ON CONFLICT DO NOTHING`,
          onSome: (version) =>
            sql`UPDATE vector_records SET value = ${value}, version = ${randomUUID()}
              WHERE space = ${space} AND name = ${name} AND version = ${version}`
        })),
    remove: (space, name, expected) =>
      change(
        "remove",
        (sql) => sql`DELETE FROM vector_records WHERE space = ${space} AND name = ${name} AND version = ${expected}`
      ),
    list: (space, { after, limit }) =>
      Effect.map(
        run("list", (sql) =>
          sql<VectorDB.StoredRecord>`SELECT name, value, version FROM vector_records
            WHERE space = ${space} AND name > ${Option.getOrElse(after, () => "")} ORDER BY name LIMIT ${limit + 1}`),
        (found) => ({
          items: found.slice(0, limit),
          next: found.length > limit ? Option.fromNullable(found[limit - 1]?.name) : Option.none()
        })
      )
  }
}
