/** Models with the custom ones in a database ({@link Sql}); the operator's are those of JSONModels. */
import { Config, Effect, ParseResult, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Models from "../../subsystems/llm/Models.ts"
import * as Sql from "../Sql.ts"
import * as JSONModels from "./JSONModels.ts"

export const SQLModels = Connector.make({
  name: "SQLModels",
  aliases: ["SQL"],
  contract: Models.ModelsConnector,
  service: Models.layer,
  settings: Schema.Struct({ ...Sql.settings, ...JSONModels.settings }),
  make: Effect.fnUntraced(function*({ mode, models, prices, ...settings }) {
    const shared = yield* JSONModels.operatorModels({ mode, models, prices })
    const { run, transaction } = yield* Sql.open(connector, settings, tables)

    return Models.ModelsConnector.of({
      shared: Effect.succeed(shared),
      custom: Effect.fnUntraced(function*(home) {
        const rows = yield* run(
          "custom",
          (sql) => sql<Row>`SELECT name, entry FROM sre_models WHERE home = ${Sql.toBytes(home)}`
        )
        return new Map(yield* Effect.forEach(rows, ({ entry, name }) => decoded(home, Sql.fromBytes(name), entry)))
      }),
      put: (home, name, entry) =>
        transaction("put", (sql) =>
          Effect.gen(function*() {
            const key = { home: Sql.toBytes(home), name: Sql.toBytes(name) }
            yield* Sql.upsert(sql, "sre_models", ["home", "name"], { ...key, entry: JSON.stringify(entry) })
            const [row] = yield* sql<
              { count: unknown }
            >`SELECT COUNT(*) AS count FROM sre_models WHERE home = ${key.home}`
            if (Number(row?.count) > maxModels) return yield* full
          })),
      remove: (home, name) =>
        run("remove", (sql) =>
          Effect.asVoid(
            sql`DELETE FROM sre_models WHERE home = ${Sql.toBytes(home)} AND name = ${Sql.toBytes(name)}`
          ))
    })
  })
})

/** In the database named by `SRE_SQL_URL`, beside the built-in models. */
export const SQLModelsLive = SQLModels.layerConfig(
  Config.all({
    ...Sql.config,
    models: Config.succeed(undefined),
    prices: Config.succeed(undefined),
    mode: Config.succeed("merge" as const)
  })
)

const connector = "SQLModels"

/** Of one candidate; all of them are read together. */
const maxModels = 1000

const tables: Sql.Migrations = {
  name: "models",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS sre_models (
        home ${type.key(600)} NOT NULL, name ${type.key(1024)} NOT NULL, entry ${type.text} NOT NULL,
        PRIMARY KEY (home, name))`
    ]
  ]
}

interface Row {
  readonly name: Uint8Array
  readonly entry: string
}

const Entry = Schema.parseJson(Models.ModelEntry)

const decoded = (home: string, name: string, entry: string) =>
  ParseResult.decode(Entry)(entry).pipe(
    Effect.map((model) => [name, model] as const),
    Effect.mapError(() =>
      new ConnectorError({
        connector,
        method: "custom",
        reason: "Corrupted",
        detail: `the model "${name}" of ${home} cannot be read; add it again, or remove it`
      })
    )
  )

const full = new ConnectorError({
  connector,
  method: "put",
  reason: "Full",
  detail: `more than ${maxModels} custom models; remove some, or enter them in the operator's registry`
})
