import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { HashedEmbeddings } from "../../../src/connectors/embeddings/HashedEmbeddings.ts"
import { Pinecone } from "../../../src/connectors/vectordb/Pinecone.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { VectorDB, VectorDBConnector } from "../../../src/subsystems/io/VectorDB.ts"
import { suite } from "../../../src/testing/conformance/vectordb.ts"
import * as Faults from "../../conformance/faults.ts"
import * as PineconeServer from "../../fixtures/PineconeServer.ts"

const settings = (controllerHostUrl: string) => ({
  apiKey: PineconeServer.apiKey,
  indexName: "test",
  controllerHostUrl
})

const connect = (settings: Parameters<typeof Pinecone.contract>[0]) =>
  Effect.flip(Effect.scoped(Layer.build(Pinecone.contract(settings))))

describe("Pinecone", () => {
  it.scopedLive("an index that cannot be used fails the start and is named, the key is not", () =>
    Effect.gen(function*() {
      const { url } = yield* PineconeServer.make({ name: "test", dimension: 4 })
      const unknown = yield* connect({ ...settings(url), indexName: "other" })
      assert.deepInclude(unknown, { _tag: "ConnectorError", reason: "NotFound" })
      assert.include(unknown.message, "other")
      const refused = yield* connect({ ...settings(url), apiKey: "hunter2" })
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.notInclude(`${refused.message} ${JSON.stringify(refused)}`, "hunter2")
      const euclidean = yield* PineconeServer.make({ name: "test", dimension: 4, metric: "euclidean" })
      assert.deepInclude(yield* connect(settings(euclidean.url)), { reason: "Unsupported" })
    }))

  it.scopedLive("what one connector wrote, another reads; vectors of another length are refused", () =>
    Effect.gen(function*() {
      const { namespaces, url } = yield* PineconeServer.make({ name: "test", dimension: 32 })
      const on = <A, E>(use: (db: VectorDB["Type"]) => Effect.Effect<A, E>) =>
        Effect.provide(
          Candidate.as(Effect.flatMap(VectorDB, use), Candidate.user("ann")),
          Layer.provide(Pinecone.layer(settings(url)), HashedEmbeddings.layer({ dimensions: 32 }))
        )
      yield* on((db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns")
          yield* db.createDatasource("ns", {
            id: "doc",
            text: "Cats sleep on sofas. ".repeat(200),
            chunkSize: 50,
            chunkOverlap: 0
          })
          yield* db.createNamespace("short")
          const error = yield* Effect.flip(db.insert("short", [{ vector: [1, 2] }]))
          assert.deepInclude(error, { _tag: "ConnectorError", reason: "InvalidInput" })
        })
      )
      const found = yield* on((db) => db.search("ns", "cats", { topK: 1000 }))
      assert.isAbove(found.length, 80)
      yield* on((db) => Effect.all([db.deleteNamespace("ns"), db.deleteNamespace("short")]))
      assert.strictEqual(namespaces.size, 0)
    }))

  it.scopedLive("large items go in as many requests as it takes", () =>
    Effect.gen(function*() {
      const { url } = yield* PineconeServer.make({ name: "test", dimension: 2 })
      yield* Effect.flatMap(VectorDB, (db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns")
          const items = Array.from({ length: 90 }, (_, n) => ({ vector: [1, n], text: "x".repeat(30_000) }))
          yield* db.insert("ns", items)
          assert.lengthOf(yield* db.search("ns", [1, 1], { topK: 100 }), 90)
        })).pipe(Candidate.as(Candidate.user("ann")), Effect.provide(Pinecone.layer(settings(url))))
    }))
})

suite(
  "Pinecone",
  Layer.unwrapScoped(
    Effect.map(PineconeServer.make({ name: "test", dimension: 64 }), ({ url }) => Pinecone.contract(settings(url)))
  ),
  { dimensions: 64, hasWords: false }
)

Faults.suite("Pinecone", {
  server: Effect.map(PineconeServer.make({ name: "test", dimension: 2 }), ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    Pinecone.contract({ ...settings(`http://127.0.0.1:${port}`), timeout: timeoutMillis }),
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
