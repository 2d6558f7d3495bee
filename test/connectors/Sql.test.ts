import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Exit, Layer, Redacted, Schema } from "effect"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Sql from "../../src/connectors/Sql.ts"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import { databases, execute, sqlite } from "../fixtures/Databases.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const counter: Sql.Migrations = {
  name: "counter",
  steps: [
    (sql, type) => [
      sql`CREATE TABLE IF NOT EXISTS counter (name ${
        type.key(20)
      } NOT NULL, n ${type.number} NOT NULL, PRIMARY KEY (name))`
    ],
    (sql) => [sql`INSERT INTO counter ${sql.insert({ name: Sql.toBytes("c"), n: 0 })}`]
  ]
}

const settings = (some: Schema.Struct.Encoded<typeof Sql.settings>) =>
  Schema.decodeSync(Schema.Struct(Sql.settings))(some)

const opened = (
  url: string,
  migrations = counter,
  others: Omit<Schema.Struct.Encoded<typeof Sql.settings>, "url"> = {}
) => Sql.open("Test", settings({ url, ...others }), migrations)

const read = (database: Sql.Database) =>
  Effect.map(database.run("read", (sql) => sql<{ n: number }>`SELECT n FROM counter`), ([row]) => row?.n)

const reasonOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(self), (error) => error instanceof ConnectorError ? error.reason : "no ConnectorError")

for (const [name, database] of databases) {
  describe(`on ${name}`, () => {
    it.scopedLive(
      "of many that start at once each finds the tables, and every step was done once",
      () =>
        Effect.gen(function*() {
          const url = yield* database
          const all = yield* Effect.replicateEffect(opened(url), 8, { concurrency: "unbounded" })
          assert.deepStrictEqual(yield* Effect.forEach(all, read), all.map(() => 0))
          assert.deepStrictEqual(
            (yield* execute(url, "SELECT name, version FROM sre_migrations ORDER BY version"))
              .map(({ name, version }) => [name, version]),
            [["counter", 1], ["counter", 2]]
          )
        }),
      30_000
    )

    it.scopedLive("later steps are added to what is there, and newer tables than one knows are left alone", () =>
      Effect.gen(function*() {
        const url = yield* database
        yield* opened(url, { ...counter, steps: counter.steps.slice(0, 1) })
        assert.strictEqual(yield* read(yield* opened(url)), 0)
        const older = yield* Effect.flip(opened(url, { ...counter, steps: counter.steps.slice(0, 1) }))
        assert.deepInclude(older, { _tag: "ConnectorError", reason: "Unsupported" })
        assert.include(older.message, "of version 2, and this program knows up to 1")
      }))

    it.scopedLive("a step that fails leaves no version behind, so it is done again", () =>
      Effect.gen(function*() {
        const url = yield* database
        const broken: Sql.Migrations = {
          name: "counter",
          steps: [...counter.steps, (sql) => [sql`INSERT INTO nowhere ${sql.insert({ n: 1 })}`]]
        }
        assert.strictEqual(yield* reasonOf(opened(url, broken)), "NotFound")
        assert.strictEqual(yield* read(yield* opened(url)), 0)
      }))

    it.scopedLive(
      "transactions of several connections lose nothing, and a failed one leaves nothing",
      () =>
        Effect.gen(function*() {
          const url = yield* database
          const both = [yield* opened(url), yield* opened(url)]
          const increment = ({ transaction }: Sql.Database) =>
            transaction("increment", (sql) =>
              Effect.gen(function*() {
                yield* sql`UPDATE counter SET n = n + 1`
                const [row] = yield* sql<{ n: number }>`SELECT n FROM counter`
                yield* Effect.yieldNow()
                yield* Sql.upsert(sql, "counter", ["name"], { name: Sql.toBytes("c"), n: row?.n })
              }))
          yield* Effect.forEach(Array.from({ length: 40 }, (_, n) => both[n % 2]!), increment, { concurrency: 8 })
          assert.strictEqual(yield* read(both[0]!), 40)
          const failed = both[0]!.transaction(
            "fail",
            (sql) => Effect.zipRight(sql`UPDATE counter SET n = 0`, Effect.fail("mine" as const))
          )
          assert.strictEqual(yield* Effect.flip(failed), "mine")
          const died = both[0]!.transaction(
            "die",
            (sql) => Effect.zipRight(sql`UPDATE counter SET n = 0`, Effect.die("bug"))
          )
          assert.isTrue(Exit.isFailure(yield* Effect.exit(died)))
          assert.strictEqual(yield* read(both[1]!), 40)
        }),
      30_000
    )

    it.scopedLive("what goes wrong has an honest reason and quotes no data", () =>
      Effect.gen(function*() {
        const { run } = yield* opened(yield* database)
        const insert = run("insert", (sql) => sql`INSERT INTO counter ${sql.insert({ name: Sql.toBytes("c"), n: 1 })}`)
        const error = yield* Effect.flip(insert)
        assert.deepInclude(error, { reason: "Conflict", connector: "Test", method: "insert" })
        assert.strictEqual(yield* reasonOf(run("read", (sql) => sql`SELECT * FROM nowhere`)), "NotFound")
        assert.strictEqual(
          yield* reasonOf(run("insert", (sql) => sql`INSERT INTO counter ${sql.insert({ name: null })}`)),
          "InvalidInput"
        )
        assert.include(["Protocol", "Unavailable"], yield* reasonOf(run("read", (sql) => sql`SELECT FROM WHERE`)))
      }))

    it.scopedLive("rows that were met are counted, also those that did not change", () =>
      Effect.gen(function*() {
        const { run } = yield* opened(yield* database)
        const update = (name: string) =>
          run("update", (sql) => Sql.rows(sql`UPDATE counter SET n = 5 WHERE name = ${Sql.toBytes(name)}`))
        assert.deepStrictEqual(yield* Effect.all([update("c"), update("c"), update("d")]), [1, 1, 0])
      }))

    if (name === "SQLite") return

    it.scopedLive(
      "a statement that takes too long fails, and its connection is given back",
      () =>
        Effect.gen(function*() {
          const slow = name === "PostgreSQL" ? "SELECT pg_sleep(20)" : "SELECT SLEEP(20)"
          const on = yield* opened(yield* database, counter, { maxConnections: 1, timeout: 400 })
          const waiting = on.run("slow", (sql) => sql.unsafe(slow))
          assert.strictEqual(yield* reasonOf(waiting), "Timeout")
          assert.strictEqual(yield* reasonOf(on.transaction("slow", (sql) => sql.unsafe(slow))), "Timeout")
          assert.strictEqual(yield* Effect.retry(read(on), { times: 5 }), 0)
        }),
      20_000
    )

    it.scopedLive("a database that is not there is told as such", () =>
      Effect.gen(function*() {
        const url = (yield* database).replace(/\w+$/, "absent")
        assert.strictEqual(yield* reasonOf(opened(url)), "NotFound")
        assert.strictEqual(yield* reasonOf(opened(url.replace(/:\d+\//, ":1/"))), "Unavailable")
      }))
  })
}

describe("the address", () => {
  it.scopedLive("of an unknown kind, or none at all, is refused without telling it", () =>
    Effect.gen(function*() {
      for (const url of ["oracle://u:hunter2@h/d", "hunter2", "", "sqlite:"]) {
        const error = yield* Effect.flip(opened(url))
        assert.strictEqual(error._tag, "BootError")
        assert.include(error.message, "postgres://")
        assert.notInclude(error.message, "hunter2")
      }
      for (const url of ["postgres://u:hunter2@[/d", "mysql://u:hunter2@[/d"]) {
        const error = yield* Effect.flip(opened(url))
        assert.strictEqual(error._tag, "ConnectorError")
        assert.notInclude(error.message, "hunter2")
      }
    }))

  it.scopedLive("of a SQLite file is a path, in a folder that is made, or memory", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      for (const prefix of ["sqlite:", "sqlite://"]) {
        const file = join(folder, prefix.replace(/\W/g, ""), `${prefix.length}.sqlite`)
        assert.strictEqual(yield* read(yield* opened(`${prefix}${file}`)), 0)
        assert.isTrue(existsSync(file))
      }
      assert.strictEqual(yield* read(yield* opened("sqlite::memory:")), 0)
    }))

  it.scopedLive("of a file that is no database, or below a file, is an error", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "text")
      yield* Effect.promise(() => writeFile(file, "not a database, but long enough to look at it as one".repeat(10)))
      assert.strictEqual(yield* reasonOf(opened(`sqlite:${file}`)), "Corrupted")
      assert.strictEqual(yield* reasonOf(opened(`sqlite:${file}/below`)), "NotFound")
    }))

  it.scopedLive("when there is none, is a file in the data folder, made on first use", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const environment = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_DATA", folder]])))
      const database = yield* Effect.provide(Sql.open("Test", settings({}), counter), environment)
      assert.isFalse(existsSync(join(folder, "sre.sqlite")))
      assert.deepStrictEqual(yield* Effect.all([read(database), read(database)], { concurrency: 2 }), [0, 0])
      assert.isTrue(existsSync(join(folder, "sre.sqlite")))
    }))
})

describe("a locked SQLite file", () => {
  it.scopedLive("is waited for without holding up anything else, and not for ever", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const holder = yield* opened(url)
      const waiter = yield* opened(url, counter, { timeout: 600 })
      const write = waiter.run("write", (sql) => sql`UPDATE counter SET n = n + 1`)
      const held = holder.transaction("hold", (sql) =>
        Effect.zipRight(sql`UPDATE counter SET n = 10`, Effect.raceFirst(write, Effect.sleep("250 millis"))))
      yield* held
      yield* write
      assert.strictEqual(yield* read(holder), 11)
      const forEver = holder.transaction("hold", (sql) =>
        Effect.zipRight(sql`UPDATE counter SET n = 20`, reasonOf(write)))
      assert.strictEqual(yield* forEver, "Timeout")
    }))
})

it.effect("the settings of the environment have the same defaults", () =>
  Effect.gen(function*() {
    const environment = ConfigProvider.fromMap(new Map([["SRE_SQL_URL", "sqlite::memory:"]]))
    const url = yield* Effect.withConfigProvider(Sql.config.url, environment)
    assert.strictEqual(url === undefined ? "" : Redacted.value(url), "sqlite::memory:")
    const none = ConfigProvider.fromMap(new Map())
    const defaults = yield* Effect.withConfigProvider(Effect.all(Sql.config), none)
    const expected = settings({})
    assert.strictEqual(defaults.maxConnections, expected.maxConnections)
    assert.isTrue(Duration.equals(defaults.timeout, expected.timeout))
    assert.isUndefined(defaults.url)
  }))
