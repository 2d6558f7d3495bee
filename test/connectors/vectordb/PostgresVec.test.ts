import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { PostgresVec } from "../../../src/connectors/vectordb/PostgresVec.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { VectorDB, VectorDBConnector } from "../../../src/subsystems/io/VectorDB.ts"
import { suite } from "../../../src/testing/conformance/vectordb.ts"
import * as Faults from "../../conformance/faults.ts"
import * as PgVectorServer from "../../fixtures/PgVectorServer.ts"
import { hasPostgres, postgresServer } from "../../fixtures/PostgresServer.ts"

describe("PostgresVec", () => {
  it.scopedLive("what one connector wrote, another reads", () =>
    Effect.gen(function*() {
      const { url } = yield* PgVectorServer.make
      const on = <A, E>(use: (db: VectorDB["Type"]) => Effect.Effect<A, E>) =>
        Effect.provide(
          Candidate.as(Effect.flatMap(VectorDB, use), Candidate.user("ann")),
          PostgresVec.layer({ url })
        )
      yield* on((db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns")
          yield* db.insert("ns", [{ id: "a", vector: [1, 2, 3] }])
          yield* db.createNamespace("other")
          yield* db.insert("other", [{ id: "a", vector: [1, 2] }])
        })
      )
      assert.strictEqual((yield* on((db) => db.search("ns", [1, 2, 3])))[0]?.id, "a")
    }), 60_000)

  it.scopedLive("a server that is not there fails the start, and the password is not told", () =>
    Effect.gen(function*() {
      const contract = PostgresVec.contract({ url: "postgres://postgres:hunter2@127.0.0.1:1/x" })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(contract)))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unavailable" })
      assert.notInclude(error.message, "hunter2")
    }))

  if (hasPostgres()) {
    it.scopedLive(
      "a database without the extension fails the start and is told what it lacks",
      () =>
        Effect.gen(function*() {
          const { url } = yield* postgresServer
          const error = yield* Effect.flip(Effect.scoped(Layer.build(PostgresVec.contract({ url: url() }))))
          assert.strictEqual(error._tag, "BootError")
          assert.include(error.message, "pgvector")
        }),
      30_000
    )
  } else {
    it.skip("a database without the extension: there is no PostgreSQL server on this machine", () => {})
  }

  it.scopedLive("an address of another kind is refused", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(PostgresVec.contract({ url: "mysql://x/y" }))))
      assert.deepInclude(error, { _tag: "BootError", path: "VectorDB.Settings.url" })
    }))
})

suite("PostgresVec", Layer.unwrapScoped(Effect.map(PgVectorServer.make, ({ url }) => PostgresVec.contract({ url }))))

Faults.suite("PostgresVec", {
  server: Effect.map(PgVectorServer.make, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    PostgresVec.contract({ url: PgVectorServer.urlOf(port), timeout: timeoutMillis, maxConnections: 2 }),
  read: Effect.flatMap(
    VectorDBConnector,
    (store) => Effect.map(store.get("user:ann", "k"), Option.map(({ value }) => value))
  ),
  write: (value) =>
    Effect.gen(function*() {
      const store = yield* VectorDBConnector
      const found = yield* store.get("user:ann", "k")
      yield* store.put("user:ann", "k", value, Option.map(found, ({ version }) => version))
    })
})
