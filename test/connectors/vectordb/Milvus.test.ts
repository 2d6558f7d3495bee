import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { HashedEmbeddings } from "../../../src/connectors/embeddings/HashedEmbeddings.ts"
import { Milvus } from "../../../src/connectors/vectordb/Milvus.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { VectorDB, VectorDBConnector } from "../../../src/subsystems/io/VectorDB.ts"
import { suite } from "../../../src/testing/conformance/vectordb.ts"
import * as Faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as MilvusServer from "../../fixtures/MilvusServer.ts"

const settings = (address: string) => ({ address, token: MilvusServer.token })

const connect = (settings: Parameters<typeof Milvus.contract>[0]) =>
  Effect.flip(Effect.scoped(Layer.build(Milvus.contract(settings))))

describe("Milvus", () => {
  it.scopedLive("a server that cannot be used fails the start, and its token is not told", () =>
    Effect.gen(function*() {
      const { url } = yield* MilvusServer.make
      const refused = yield* connect({ address: url, token: "hunter2" })
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.notInclude(`${refused.message} ${JSON.stringify(refused)}`, "hunter2")
      assert.deepInclude(yield* connect({ ...settings(url), database: "other" }), { reason: "NotFound" })
      assert.deepInclude(yield* connect(settings("http://127.0.0.1:1")), { reason: "Unavailable" })
      const page = yield* HttpServer.make((_, response) => response.end("<html>hello</html>"))
      assert.deepInclude(yield* connect(settings(page.url)), { reason: "Protocol" })
      const silent = yield* HttpServer.make(() => {})
      assert.deepInclude(yield* connect({ ...settings(silent.url), timeout: 50 }), { reason: "Timeout" })
    }))

  it.scopedLive("what one connector wrote, another reads; what is deleted leaves no collection behind", () =>
    Effect.gen(function*() {
      const { collections, url } = yield* MilvusServer.make
      const on = <A, E>(use: (db: VectorDB["Type"]) => Effect.Effect<A, E>) =>
        Effect.provide(
          Candidate.as(Effect.flatMap(VectorDB, use), Candidate.user("ann")),
          Layer.provide(Milvus.layer(settings(url)), HashedEmbeddings.layer({}))
        )
      yield* on((db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns")
          yield* db.createDatasource("ns", { id: "doc", text: "Cats sleep on sofas." })
          yield* db.createNamespace("other")
          yield* db.insert("other", [{ id: "a", vector: [1, 2] }])
        })
      )
      assert.strictEqual((yield* on((db) => db.search("ns", "cats")))[0]?.id, "doc#0")
      assert.lengthOf(Array.from(collections), 3)
      yield* on((db) => Effect.all([db.deleteNamespace("ns"), db.deleteNamespace("other")]))
      assert.deepStrictEqual(Array.from(collections, ([name, { rows }]) => [name, rows.size]), [["sre_records", 0]])
    }))
})

suite(
  "Milvus",
  Layer.unwrapScoped(Effect.map(MilvusServer.make, ({ url }) => Milvus.contract(settings(url)))),
  { hasWords: false }
)

Faults.suite("Milvus", {
  server: Effect.map(MilvusServer.make, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    Milvus.contract({ ...settings(`http://127.0.0.1:${port}`), timeout: timeoutMillis }),
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
