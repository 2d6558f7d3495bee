/** Jobs in tables of a database, which any number of processes share: a job is held by whoever wrote the latest token into it. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Duration, Effect, Option, Schema } from "effect"
import * as Ids from "../../kernel/Ids.ts"
import type * as Scheduler from "../../subsystems/compute/Scheduler.ts"
import * as Sql from "../Sql.ts"

/** What every such connector is told; to be spread into its own settings. */
export const settings = {
  /** Whether this process runs jobs; `false` only manages them. */
  runJobs: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  /** Runs at once in this process. */
  concurrency: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 1000)), { default: () => 10 }),
  /** Of these, for one team, or one candidate that is in none. Default: half, at least one. */
  concurrencyPerTenant: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Runs that are remembered of each job. */
  maxHistoryEntries: Schema.optionalWith(Schema.Int.pipe(Schema.between(0, 10_000)), { default: () => 100 }),
  /** A job is taken over when its process was not heard of for this long, in milliseconds. */
  lease: Schema.optionalWith(
    Schema.DurationFromMillis.pipe(Schema.betweenDuration("100 millis", "1 hour")),
    { default: () => Duration.seconds(30) }
  )
}
export type Settings = Schema.Struct.Type<typeof settings>

export const migrations: Sql.Migrations = {
  name: "scheduler",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS sre_jobs (
        owner ${type.key(600)} NOT NULL, id ${type.key(1024)} NOT NULL, kind ${type.key(255)} NOT NULL,
        job ${type.text} NOT NULL, created ${type.number} NOT NULL, paused INTEGER NOT NULL, due ${type.number},
        token ${type.word} NOT NULL, lease ${type.number} NOT NULL, claims INTEGER NOT NULL, runs INTEGER NOT NULL,
        PRIMARY KEY (owner, id))`,
      sql`CREATE TABLE IF NOT EXISTS sre_job_runs (
        owner ${type.key(600)} NOT NULL, id ${type.key(1024)} NOT NULL, number INTEGER NOT NULL,
        record ${type.text} NOT NULL, PRIMARY KEY (owner, id, number))`
    ]
  ]
}

export const make = (
  database: Sql.Database,
  { concurrency, concurrencyPerTenant, lease, maxHistoryEntries, runJobs }: Settings,
  poll: Duration.Duration
) => {
  const { run, transaction } = database
  const keyed = (sql: SqlClient, owner: string, id: string) =>
    sql`owner = ${Sql.toBytes(owner)} AND id = ${Sql.toBytes(id)}`
  const oneOf = (sql: SqlClient, kinds: ReadonlyArray<string>) => sql.in("kind", kinds.map(Sql.toBytes))

  return {
    options: { runs: runJobs, concurrency, concurrencyPerTenant, poll, lease },
    put: ({ created, due, id, job, kind, owner, paused }) =>
      transaction("put", (sql) =>
        Effect.gen(function*() {
          const [before] = yield* sql<{ runs: number }>`SELECT runs FROM sre_jobs WHERE ${keyed(sql, owner, id)}`
          yield* Sql.upsert(sql, "sre_jobs", ["owner", "id"], {
            owner: Sql.toBytes(owner),
            id: Sql.toBytes(id),
            kind: Sql.toBytes(kind),
            job,
            created,
            paused: paused ? 1 : 0,
            due: Option.getOrNull(due),
            token: "",
            lease: 0,
            claims: 0,
            runs: before?.runs ?? 0
          })
        })),
    get: (owner, id) =>
      run("get", (sql) =>
        Effect.map(
          sql<Row>`SELECT * FROM sre_jobs WHERE ${keyed(sql, owner, id)}`,
          ([row]) => Option.map(Option.fromNullable(row), jobOf)
        )),
    list: (owner) =>
      run("list", (sql) =>
        Effect.map(
          sql<Row>`SELECT * FROM sre_jobs WHERE owner = ${Sql.toBytes(owner)} ORDER BY id`,
          (rows) => rows.map(jobOf)
        )),
    update: ({ due, id, owner, paused }) =>
      transaction("update", (sql) =>
        Effect.gen(function*() {
          yield* sql`UPDATE sre_jobs SET paused = ${paused ? 1 : 0}, due = ${Option.getOrNull(due)}
            WHERE ${keyed(sql, owner, id)}`
          // Not the number of changed rows: where nothing was to change, some databases say none.
          return (yield* sql`SELECT 1 AS found FROM sre_jobs WHERE ${keyed(sql, owner, id)}`).length > 0
        })),
    remove: (owner, id) =>
      transaction("remove", (sql) =>
        Effect.all([
          sql`DELETE FROM sre_job_runs WHERE ${keyed(sql, owner, id)}`,
          sql`DELETE FROM sre_jobs WHERE ${keyed(sql, owner, id)}`
        ], { discard: true })),
    due: (kinds, now) =>
      run("due", (sql) =>
        Effect.map(
          sql<Pick<Row, "owner">>`SELECT owner FROM sre_jobs
            WHERE paused = 0 AND due <= ${now} AND lease <= ${now} AND ${oneOf(sql, kinds)}
            GROUP BY owner ORDER BY MIN(due)`,
          (rows) => rows.map(({ owner }) => Sql.fromBytes(owner))
        )),
    claim: ({ kinds, now, owner, until }) =>
      run("claim", (sql) =>
        Effect.gen(function*() {
          // Others may take what was found; then there is more to be found, or nothing is left.
          for (;;) {
            const due = yield* sql<Row>`SELECT * FROM sre_jobs
              WHERE owner = ${Sql.toBytes(owner)}
                AND paused = 0 AND due <= ${now} AND lease <= ${now} AND ${oneOf(sql, kinds)}
              ORDER BY due LIMIT 10`
            if (due.length === 0) return Option.none()
            for (const row of due) {
              const token = yield* Ids.make("c")
              const taken = yield* Sql.rows(sql`UPDATE sre_jobs
                SET token = ${token}, lease = ${until}, claims = claims + 1
                WHERE owner = ${row.owner} AND id = ${row.id} AND token = ${row.token}
                  AND paused = 0 AND due <= ${now} AND lease <= ${now}`)
              if (taken > 0) return Option.some({ ...jobOf(row), token, claims: Number(row.claims) + 1 })
            }
          }
        })),
    renew: ({ id, owner, token }, until) =>
      transaction("renew", (sql) =>
        Effect.gen(function*() {
          yield* sql`UPDATE sre_jobs SET lease = ${until} WHERE ${keyed(sql, owner, id)} AND token = ${token}`
          return (yield* sql`SELECT 1 AS found FROM sre_jobs WHERE ${keyed(sql, owner, id)} AND token = ${token}`)
            .length > 0
        })),
    settle: ({ id, owner, token }, { due, record }) =>
      transaction("settle", (sql) =>
        Effect.gen(function*() {
          const isRun = Option.isSome(record)
          const held = yield* Sql.rows(sql`UPDATE sre_jobs
            SET due = ${Option.getOrNull(due)}, token = '', lease = 0,
              claims = ${isRun ? 0 : sql.literal("claims")}, runs = runs + ${sql.literal(isRun ? "1" : "0")}
            WHERE ${keyed(sql, owner, id)} AND token = ${token}`)
          if (held === 0 || !isRun) return
          const [row] = yield* sql<{ runs: number }>`SELECT runs FROM sre_jobs WHERE ${keyed(sql, owner, id)}`
          const number = Number(row?.runs ?? 0)
          yield* sql`INSERT INTO sre_job_runs ${
            sql.insert({ owner: Sql.toBytes(owner), id: Sql.toBytes(id), number, record: record.value })
          }`
          yield* sql`DELETE FROM sre_job_runs WHERE ${keyed(sql, owner, id)} AND number <= ${
            number - maxHistoryEntries
          }`
        })),
    history: (owner, id) =>
      run("history", (sql) =>
        Effect.map(
          sql<{ record: string }>`SELECT record FROM sre_job_runs WHERE ${keyed(sql, owner, id)} ORDER BY number DESC`,
          (rows) => rows.map(({ record }) => record)
        )),
    next: (kinds, now) =>
      run("next", (sql) =>
        Effect.map(
          sql<{ time: number | null }>`SELECT MIN(CASE WHEN lease > due THEN lease ELSE due END) AS time FROM sre_jobs
            WHERE paused = 0 AND due IS NOT NULL AND (due > ${now} OR lease > ${now}) AND ${oneOf(sql, kinds)}`,
          ([row]) => Option.map(Option.fromNullable(row?.time), Number)
        ))
  } satisfies typeof Scheduler.SchedulerConnector.Service
}

interface Row {
  readonly owner: Uint8Array
  readonly id: Uint8Array
  readonly kind: Uint8Array
  readonly job: string
  readonly created: number
  readonly paused: number
  readonly due: number | null
  readonly token: string
  readonly claims: number
}

const jobOf = ({ created, due, id, job, kind, owner, paused }: Row): Scheduler.StoredJob => ({
  owner: Sql.fromBytes(owner),
  id: Sql.fromBytes(id),
  kind: Sql.fromBytes(kind),
  job,
  created: Number(created),
  paused: Number(paused) !== 0,
  due: Option.map(Option.fromNullable(due), Number)
})
