import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { randomBytes } from "node:crypto"
import { SQLNKV } from "../../../src/connectors/nkv/SQLNKV.ts"
import { NKVConnector } from "../../../src/subsystems/io/NKV.ts"
import { suite } from "../../../src/testing/conformance/nkv.ts"
import * as faults from "../../conformance/faults.ts"
import { databases, mariaDB, on, postgres } from "../../fixtures/Databases.ts"
import { hasMariaDB } from "../../fixtures/MariaDBServer.ts"
import { hasPostgres } from "../../fixtures/PostgresServer.ts"

const read = Effect.flatMap(NKVConnector, (nkv) => nkv.get("user:ann/faults", "k"))
const subject = {
  read: Effect.map(read, Option.map(({ value }) => value)),
  write: (value: string) =>
    Effect.flatMap(
      NKVConnector,
      (nkv) =>
        Effect.flatMap(read, (found) =>
          nkv.set("user:ann/faults", "k", value, Option.map(found, ({ version }) => version)))
    )
}

if (hasPostgres()) {
  faults.suite("SQLNKV on PostgreSQL", {
    ...subject,
    server: Effect.map(postgres, ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      SQLNKV.contract({ url: `postgres://postgres@127.0.0.1:${port}/postgres`, timeout: timeoutMillis })
  })
}

if (hasMariaDB()) {
  faults.suite("SQLNKV on MariaDB", {
    ...subject,
    server: Effect.map(mariaDB, ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      SQLNKV.contract({ url: `mariadb://root@127.0.0.1:${port}/test`, timeout: timeoutMillis })
  })
}

describe("SQLNKV", () => {
  for (const [name, database] of databases) {
    it.scopedLive(`on ${name} has room for the longest names there are`, () =>
      Effect.gen(function*() {
        const url = yield* database
        const nkv = yield* Effect.map(Layer.build(SQLNKV.contract({ url })), Context.get(NKVConnector))
        // Of random bytes, for an index may compress others.
        const namespace = `agent:${"👋".repeat(128)}/${randomBytes(512).toString("hex")}`
        const keys = ["a", "b"].map((last) => `${randomBytes(511).toString("hex")}-${last}`)
        for (const key of keys) yield* nkv.set(namespace, key, key, Option.none())
        for (const key of keys) {
          assert.deepStrictEqual(Option.map(yield* nkv.get(namespace, key), ({ value }) => value), Option.some(key))
        }
      }))
  }
})

for (const [name, database] of databases) {
  suite(`SQLNKV on ${name}`, on(database, (url) => SQLNKV.contract({ url })), { entries: 100_000 })
}
