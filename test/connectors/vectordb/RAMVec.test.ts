import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { RAMVec } from "../../../src/connectors/vectordb/RAMVec.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { VectorDB } from "../../../src/subsystems/io/VectorDB.ts"
import { suite } from "../../../src/testing/conformance/vectordb.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const on = <A, E>(
  settings: Parameters<typeof RAMVec.layer>[0],
  use: (db: VectorDB["Type"]) => Effect.Effect<A, E>
) => Effect.provide(Candidate.as(Effect.flatMap(VectorDB, use), Candidate.user("ann")), RAMVec.layer(settings))

describe("RAMVec", () => {
  it.effect("holds no more than its bound, loses nothing for it, and has room again after a deletion", () =>
    on({ maxBytes: "20kb" }, (db) =>
      Effect.gen(function*() {
        const items = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `i${n}`, vector: [1, n, 2] }))
        yield* db.createNamespace("ns")
        yield* db.insert("ns", items(30))
        const error = yield* Effect.flip(db.insert("ns", items(90).slice(30)))
        assert.deepInclude(error, { _tag: "ConnectorError", reason: "Full" })
        assert.lengthOf(yield* db.search("ns", [1, 1, 1], { topK: 100 }), 30)
        yield* db.deleteNamespace("ns")
        yield* db.createNamespace("other")
        yield* db.insert("other", items(30))
        yield* db.remove("other", items(30).map(({ id }) => id))
        yield* db.insert("other", items(30))
      })))

  it.effect("is without embeddings when there are none, and takes vectors", () =>
    on({}, (db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("ns")
        const error = yield* Effect.flip(db.insert("ns", [{ text: "a text" }]))
        assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unsupported" })
        assert.include(error.message, "Embeddings")
        yield* db.insert("ns", [{ text: "a text", vector: [1, 2] }])
        assert.lengthOf(yield* db.search("ns", [1, 2]), 1)
      })))

  it.scopedLive("with a folder what was written is there after a restart", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* on({ folder }, (db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns")
          yield* db.createNamespace("gone")
          const items = Array.from({ length: 50 }, (_, n) => ({ id: `日本 ${n}`, vector: [1, n], metadata: { n } }))
          yield* db.insert("ns", items)
          yield* db.remove("ns", ["日本 3"])
          yield* db.deleteNamespace("gone")
        }))
      yield* on({ folder }, (db) =>
        Effect.gen(function*() {
          const hits = yield* db.search("ns", [1, 7], { topK: 100 })
          assert.lengthOf(hits, 49)
          assert.deepInclude(hits[0], { id: "日本 7", metadata: { n: 7 } })
          assert.lengthOf(yield* db.search("ns", [1, 7], { filter: { n: [1, 2, 3] } }), 2)
          assert.isFalse(yield* db.namespaceExists("gone"))
        }))
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), ["vectors.snapshot"])
    }))

  it.scopedLive("writes the snapshot while it runs", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* on({ folder, saveEvery: 20 }, (db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns")
          const files = Effect.promise(() => readdir(folder))
          yield* Effect.repeat(Effect.zipRight(Effect.sleep("10 millis"), files), {
            until: (names) => names.includes("vectors.snapshot")
          })
        }))
    }))

  it.scopedLive("a damaged snapshot is refused", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* on({ folder }, (db) => Effect.zipRight(db.createNamespace("ns"), db.insert("ns", [{ vector: [1, 2] }])))
      const file = join(folder, "vectors.snapshot")
      for (const damaged of ["", "{}\n", "no json"]) {
        yield* Effect.promise(() => writeFile(file, damaged))
        const error = yield* Effect.scoped(Effect.flip(Layer.build(RAMVec.contract({ folder }))))
        assert.deepInclude(error, { _tag: "ConnectorError", reason: "Corrupted" })
      }
    }))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("RAMVec", RAMVec.contract({}))
