/**
 * Databases for connectors that keep their data in SQL: SQLite, PostgreSQL, MySQL and MariaDB through `@effect/sql`. A
 * connector brings its tables as {@link Migrations}, gets a {@link Database}, and writes the SQL that all three understand;
 * where they differ, this file says how.
 */
import type { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment, Statement } from "@effect/sql/Statement"
import { Config, Context, Duration, Effect, Option, Redacted, Schedule, Schema, type Scope } from "effect"
import { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import * as Deadlines from "../kernel/Deadlines.ts"
import * as DataFolder from "./DataFolder.ts"
import { mysql, postgres, sqlite, sqlitePackage } from "./SqlClients.ts"
import { fromSqlError, isSqlError } from "./SqlReason.ts"

/** What every such connector is told; to be spread into its own settings. */
export const settings = {
  /**
   * `postgres://user:password@host/database`, `mysql://…`, `mariadb://…`, `sqlite:<file>` or `sqlite::memory:`. Default: the
   * SQLite file `sre.sqlite` in the data folder, opened on first use.
   */
  url: Schema.optional(Schema.Redacted(Schema.String)),
  /** Connections at a time to a server. */
  maxConnections: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 10 }),
  /** Of a statement, or of several that stand together, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) })
}
export type Settings = Schema.Struct.Type<typeof settings>

/** `SRE_SQL_URL`, `SRE_SQL_MAX_CONNECTIONS` and `SRE_SQL_TIMEOUT`, for all connectors alike. */
export const config = {
  url: Config.withDefault(Config.redacted("SRE_SQL_URL"), undefined),
  maxConnections: Config.withDefault(Config.integer("SRE_SQL_MAX_CONNECTIONS"), 10),
  timeout: Config.withDefault(Config.duration("SRE_SQL_TIMEOUT"), Duration.seconds(10))
}

export interface Database {
  /** Statements that need not stand together. What the database refuses is a `ConnectorError` of `method`. */
  readonly run: <A, E, R>(
    method: string,
    use: (sql: SqlClient) => Effect.Effect<A, E | SqlError, R>
  ) => Effect.Effect<A, Exclude<E, SqlError> | ConnectorError, R>
  /** All of it or nothing, tried again where others stood in the way: `use` may run several times. */
  readonly transaction: Database["run"]
}

/** Tables of one connector: later versions of it append steps, and never change one. */
export interface Migrations {
  /** In the table of applied versions. */
  readonly name: string
  /** May be run again after a crash: `CREATE TABLE IF NOT EXISTS`. */
  readonly steps: ReadonlyArray<(sql: SqlClient, type: Types) => ReadonlyArray<Statement<unknown>>>
}

/** Connects, except to the default SQLite file, and brings the tables up to date. */
export const open = Effect.fnUntraced(function*(
  connector: string,
  { maxConnections, timeout, url }: Settings,
  migrations: Migrations
): Effect.fn.Return<Database, BootError | ConnectorError, Scope.Scope> {
  const deadlines = yield* Deadlines.make(timeout)
  const on = (client: Effect.Effect<SqlClient, ConnectorError>) => database(connector, client, deadlines)
  const start = (opening: Effect.Effect<SqlClient, BootError | ConnectorError, Scope.Scope>) =>
    Effect.tap(opening, (sql) => migrate(connector, on(Effect.succeed(sql)), migrations))

  if (url === undefined) {
    const file = yield* Effect.mapError(
      DataFolder.config("sre.sqlite"),
      (cause) => new BootError({ service: "connectors", connector, problem: "SRE_DATA cannot be read", cause })
    )
    return on(yield* Connector.optionally(connector, sqlitePackage, start(sqlite(connector, file))))
  }
  const address = Redacted.value(url)
  const file = /^sqlite:(?:\/\/)?(.+)$/s.exec(address)?.[1]
  const opening = file !== undefined
    ? sqlite(connector, file)
    : /^postgres(ql)?:\/\//.test(address)
    ? postgres(connector, url, maxConnections, timeout)
    : /^(mysql|mariadb):\/\//.test(address)
    ? mysql(connector, address.replace(/^mariadb/, "mysql"), maxConnections, timeout)
    : new BootError({
      service: "connectors",
      connector,
      path: "Settings.url",
      problem: "the address of the database is of no known kind.",
      accepted: ["postgres://…", "mysql://…", "mariadb://…", "sqlite:<file>", "sqlite::memory:"]
    })
  return on(Effect.succeed(yield* start(opening)))
})

const database = (
  connector: string,
  client: Effect.Effect<SqlClient, ConnectorError>,
  deadlines: Deadlines.Deadlines
): Database => {
  const run: Database["run"] = <A, E, R>(
    method: string,
    use: (sql: SqlClient) => Effect.Effect<A, E | SqlError, R>
  ) =>
    client.pipe(
      Effect.flatMap(use),
      outside,
      // What fails at the end of a transaction is a defect there.
      Effect.catchSomeDefect((defect) => isSqlError(defect) ? Option.some(Effect.fail(defect)) : Option.none()),
      Effect.mapError((error) =>
        isSqlError(error) ? fromSqlError(connector, method)(error) : error as Exclude<E, SqlError>
      ),
      untilUnlocked,
      deadlines.within(() => new ConnectorError({ connector, method, reason: "Timeout" }))
    )
  return { run, transaction: (method, use) => run(method, (sql) => sql.withTransaction(use(sql))) }
}

/** Without the transaction of another database that the caller may be in: a client takes any it finds for its own. */
const outside = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.contextWithEffect((context: Context.Context<R>) =>
    // Most callers are in none: a copy of all that is in the context costs as much as the statement.
    context.unsafeMap.has(connectionOfTransaction.key)
      ? Effect.mapInputContext(self, (all: Context.Context<R>) =>
        Context.omit(connectionOfTransaction)(all) as Context.Context<R>)
      : self
  )
const connectionOfTransaction = Context.GenericTag<TransactionConnection, unknown>(
  "@effect/sql/SqlClient/TransactionConnection"
)

/** A schedule costs more than most statements: it is made where another stood in the way. */
const untilUnlocked = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.catchIf(
    self,
    isLocked,
    () =>
      Effect.retry(self, { while: isLocked, schedule: Schedule.jittered(Schedule.spaced("20 millis")) }).pipe(
        Effect.delay("20 millis")
      )
  )
const isLocked = (error: unknown) => error instanceof ConnectorError && error.reason === "Locked"

/* ------------------------------------------------------------------------------------------------------------------
 * Tables
 * ---------------------------------------------------------------------------------------------------------------- */

const migrations = "sre_migrations"

/** Of processes that start at once, one makes the tables and the others wait for it. */
const migrate = Effect.fnUntraced(
  function*(connector: string, { run, transaction }: Database, { name, steps }: Migrations) {
    const applied = (sql: SqlClient) =>
      Effect.map(
        sql<{ version: number | null }>`SELECT MAX(version) AS version FROM ${sql(migrations)} WHERE name = ${name}`,
        ([row]) => Number(row?.version ?? 0)
      )
    const create = (sql: SqlClient) =>
      sql`CREATE TABLE IF NOT EXISTS ${sql(migrations)}
      (name ${types(sql).word} NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (name, version))`
    const before = yield* Effect.catchIf(
      // Elsewhere, who uses the tables need not be allowed to make them; and SQLite's client remembers what failed.
      run("migrate", (sql) =>
        sql.onDialectOrElse({
          sqlite: () => Effect.zipRight(create(sql), applied(sql)),
          orElse: () => applied(sql)
        })),
      ({ reason }) => reason === "NotFound",
      () => Effect.succeed(0)
    )
    if (before > steps.length) {
      return yield* new ConnectorError({
        connector,
        method: "migrate",
        reason: "Unsupported",
        detail:
          `the tables of "${name}" are of version ${before}, and this program knows up to ${steps.length}: update it`
      })
    }
    if (before === steps.length) return
    yield* transaction("migrate", (sql) =>
      alone(
        connector,
        sql,
        Effect.gen(function*() {
          yield* create(sql)
          for (const [n, step] of Array.from(steps.entries()).slice(yield* applied(sql))) {
            yield* Effect.all(step(sql, types(sql)), { discard: true })
            yield* sql`INSERT INTO ${sql(migrations)} ${sql.insert({ name, version: n + 1 })}`
          }
        })
      ))
  }
)

/** In a transaction: until it ends, nobody else is in here. SQLite has one writer anyway. */
const alone = <A, E, R>(
  connector: string,
  sql: SqlClient,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError | ConnectorError, R> =>
  sql.onDialectOrElse({
    pg: () => Effect.zipRight(sql`SELECT pg_advisory_xact_lock(7352673)`, self),
    mysql: () => {
      const name = sql.literal("CONCAT('sre.', MD5(DATABASE()))")
      return Effect.acquireUseRelease(
        Effect.filterOrFail(
          sql<{ locked: unknown }>`SELECT GET_LOCK(${name}, 5) AS locked`,
          ([row]) => Number(row?.locked) === 1,
          () => new ConnectorError({ connector, method: "migrate", reason: "Locked" })
        ),
        () => self,
        () => Effect.ignore(sql`DO RELEASE_LOCK(${name})`)
      )
    },
    orElse: () => self
  })

/** Types of columns; all compare byte by byte. */
export interface Types {
  /** Any text, as bytes: see {@link toBytes}. For keys, which have a greatest length. */
  readonly key: (maxBytes: number) => Fragment
  /** Any text or bytes, of any length. */
  readonly bytes: Fragment
  /** Text without NUL, as JSON is. */
  readonly text: Fragment
  /** Up to 128 characters without NUL and white space: the id of a candidate. */
  readonly id: Fragment
  /** Up to 64 characters of ASCII: a version, a name of ours. */
  readonly word: Fragment
  /** As JavaScript has them: exact up to 2^53. */
  readonly number: Fragment
}

const types = (sql: SqlClient): Types =>
  sql.onDialectOrElse({
    pg: () => ({
      key: () => sql.literal("BYTEA"),
      bytes: sql.literal("BYTEA"),
      text: sql.literal("TEXT"),
      id: sql.literal("TEXT COLLATE \"C\""),
      word: sql.literal("TEXT COLLATE \"C\""),
      number: sql.literal("DOUBLE PRECISION")
    }),
    mysql: () => ({
      key: (maxBytes) => sql.literal(`VARBINARY(${maxBytes})`),
      bytes: sql.literal("LONGBLOB"),
      text: sql.literal("LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
      id: sql.literal("VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
      word: sql.literal("VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin"),
      number: sql.literal("DOUBLE")
    }),
    orElse: () => ({
      key: () => sql.literal("BLOB"),
      bytes: sql.literal("BLOB"),
      text: sql.literal("TEXT"),
      id: sql.literal("TEXT"),
      word: sql.literal("TEXT"),
      number: sql.literal("REAL")
    })
  })

/* ------------------------------------------------------------------------------------------------------------------
 * Statements
 * ---------------------------------------------------------------------------------------------------------------- */

/** Inserts the row, or replaces the one with the same `keys` (its primary key). */
export const upsert = (
  sql: SqlClient,
  table: string,
  keys: ReadonlyArray<string>,
  row: Readonly<Record<string, unknown>>
): Statement<unknown> => {
  const values = Object.keys(row).filter((column) => !keys.includes(column))
  return sql.onDialectOrElse({
    mysql: () =>
      sql`INSERT INTO ${sql(table)} ${sql.insert(row)} ON DUPLICATE KEY UPDATE ${
        sql.csv(values.map((column) => sql`${sql(column)} = VALUES(${sql(column)})`))
      }`,
    orElse: () =>
      sql`INSERT INTO ${sql(table)} ${sql.insert(row)} ON CONFLICT (${sql.csv(keys.map((key) => sql`${sql(key)}`))})
        DO UPDATE SET ${sql.csv(values.map((column) => sql`${sql(column)} = excluded.${sql(column)}`))}`
  })
}

/** How many rows an `UPDATE` or `DELETE` met. */
export const rows = (statement: Statement<unknown>): Effect.Effect<number, SqlError> =>
  Effect.map(statement.raw, (result) => {
    const { affectedRows, changes, rowCount } = result as Readonly<Record<string, number | undefined>>
    return changes ?? rowCount ?? affectedRows ?? 0
  })

export const toBytes = (text: string): Uint8Array => Buffer.from(text, "utf8")

export const fromBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8")
