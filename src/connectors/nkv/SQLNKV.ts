/** NKV in a database ({@link Sql}): a row for every entry, with a version that every write replaces. */
import { Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { conflict } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as NKV from "../../subsystems/io/NKV.ts"
import * as Sql from "../Sql.ts"

export const SQLNKV = Connector.make({
  name: "SQL",
  aliases: ["SQLNKV"],
  contract: NKV.NKVConnector,
  service: NKV.layer,
  settings: Schema.Struct(Sql.settings),
  make: Effect.fnUntraced(function*(settings) {
    const { run } = yield* Sql.open("SQL", settings, tables)

    return NKV.NKVConnector.of({
      get: (namespace, key) =>
        Effect.map(
          run("get", (sql) =>
            sql<Row>`SELECT name, value, version FROM sre_nkv
              WHERE namespace = ${Sql.toBytes(namespace)} AND name = ${Sql.toBytes(key)}`),
          ([row]) => Option.map(Option.fromNullable(row), entry)
        ),
      set: Effect.fnUntraced(function*(namespace, key, value, expected) {
        const id = { namespace: Sql.toBytes(namespace), name: Sql.toBytes(key) }
        const content = { value: Sql.toBytes(value), version: yield* Ids.make("v") }
        const written = yield* run("set", (sql) =>
          Option.match(expected, {
            onNone: () => Effect.as(sql`INSERT INTO sre_nkv ${sql.insert({ ...id, ...content })}`, 1),
            onSome: (version) =>
              Sql.rows(sql`UPDATE sre_nkv SET ${sql.update(content)}
                WHERE namespace = ${id.namespace} AND name = ${id.name} AND version = ${version}`)
          }))
        if (written === 0) return yield* conflict("SQL", "set")
      }),
      remove: Effect.fnUntraced(function*(namespace, key, expected) {
        const removed = yield* run(
          "remove",
          (sql) =>
            Sql.rows(sql`DELETE FROM sre_nkv WHERE namespace = ${Sql.toBytes(namespace)}
            AND name = ${Sql.toBytes(key)} AND version = ${expected}`)
        )
        if (removed === 0) return yield* conflict("SQL", "remove")
      }),
      // MySQL takes no parameter as a limit.
      list: (namespace, { after, limit }) =>
        Effect.map(
          run("list", (sql) =>
            sql<Row>`SELECT name, value, version FROM sre_nkv WHERE namespace = ${Sql.toBytes(namespace)}
              AND name > ${
              Sql.toBytes(Option.getOrElse(after, () => ""))
            } ORDER BY name LIMIT ${sql.literal(String(limit))}`),
          (rows) => {
            const items = rows.map(entry)
            return {
              items,
              next: Option.map(Option.fromNullable(items[limit - 1]), ({ key }) =>
                key)
            }
          }
        ),
      clear: (namespace) =>
        run("clear", (sql) => Effect.asVoid(sql`DELETE FROM sre_nkv WHERE namespace = ${Sql.toBytes(namespace)}`))
    })
  })
})

/** `NKV` in the database named by `SRE_SQL_URL`. */
export const SQLNKVLive = SQLNKV.layerConfig(Sql.config)

/** Names are bytes, for they may hold any character; a namespace is a home and a path. */
const tables: Sql.Migrations = {
  name: "nkv",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS sre_nkv (
        namespace ${type.key(1600)} NOT NULL,
        name ${type.key(1024)} NOT NULL,
        value ${type.bytes} NOT NULL,
        version ${type.word} NOT NULL,
        PRIMARY KEY (namespace, name))`
    ]
  ]
}

interface Row {
  readonly name: Uint8Array
  readonly value: Uint8Array
  readonly version: string
}

const entry = ({ name, value, version }: Row): NKV.StoredText => ({
  key: Sql.fromBytes(name),
  value: Sql.fromBytes(value),
  version
})
