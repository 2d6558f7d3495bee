import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option } from "effect"
import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { HashedEmbeddings } from "../../../src/connectors/embeddings/HashedEmbeddings.ts"
import { SQLiteVec } from "../../../src/connectors/vectordb/SQLiteVec.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { VectorDB } from "../../../src/subsystems/io/VectorDB.ts"
import { suite } from "../../../src/testing/conformance/vectordb.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const on = <A, E>(file: string, use: (db: VectorDB["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(
    Candidate.as(Effect.flatMap(VectorDB, use), Candidate.user("ann")),
    Layer.provide(SQLiteVec.layer({ file }), HashedEmbeddings.layer({}))
  )

describe("SQLiteVec", () => {
  it.scopedLive("what was written is there after a restart", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "deeper", "vectors.sqlite")
      yield* on(file, (db) =>
        Effect.gen(function*() {
          yield* db.createNamespace("ns", { metadata: { about: "cats" } })
          yield* db.createDatasource("ns", { id: "doc", text: "Cats sleep on sofas.", metadata: { n: 1 } })
        }))
      yield* on(file, (db) =>
        Effect.gen(function*() {
          const [hit] = yield* db.search("ns", "sleeping cats", { filter: { n: 1 } })
          assert.deepInclude(hit, { id: "doc#0", text: Option.some("Cats sleep on sofas.") })
          assert.deepInclude(yield* db.getNamespace("ns"), {
            metadata: { about: "cats" },
            model: Option.some("Hashed")
          })
        }))
    }))

  it.scopedLive("vectors of several lengths live in one file", () =>
    Effect.gen(function*() {
      yield* on(join(yield* tempFolder, "v.sqlite"), (db) =>
        Effect.forEach([1, 2, 3, 384, 8192], (length) =>
          Effect.gen(function*() {
            yield* db.createNamespace(`n${length}`)
            yield* db.insert(`n${length}`, [{
              vector: Float32Array.from({ length }, (_, n) =>
                n + 1)
            }])
            const [hit] = yield* db.search(`n${length}`, Float32Array.from({ length }, (_, n) => n + 1))
            assert.closeTo(hit?.score ?? 0, 1, 1e-5)
          })))
    }))

  it.scopedLive("two processes may share a file: two connectors that write at once lose nothing", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "v.sqlite")
      yield* on(file, (db) => db.createNamespace("ns", { dimensions: 3 }))
      const writer = (name: string) =>
        on(
          file,
          (db) =>
            Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) =>
              Effect.zipRight(db.insert("ns", [{ id: `${name}${n}`, vector: [1, 2, n] }]), Effect.yieldNow()))
        )
      yield* Effect.all([writer("a"), writer("b")], { concurrency: 2 })
      assert.lengthOf(yield* on(file, (db) => db.search("ns", [1, 1, 1], { topK: 100 })), 40)
    }))

  it.scopedLive("opens nothing before it is asked, and then the file in SRE_DATA", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const environment = ConfigProvider.fromMap(new Map([["SRE_DATA", folder]]))
      const context = yield* Layer.build(Layer.provide(SQLiteVec.layer({}), Layer.setConfigProvider(environment)))
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), [])
      yield* Effect.flatMap(VectorDB, (db) => db.createNamespace("ns")).pipe(
        Candidate.as(Candidate.user("ann")),
        Effect.provide(context)
      )
      assert.include(yield* Effect.promise(() => readdir(folder)), "vectors.sqlite")
    }))

  it.scopedLive("a file that is no database is refused by name", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "v.sqlite")
      yield* Effect.promise(() =>
        writeFile(file, "this is no database, and long enough to be looked at as one. ".repeat(20))
      )
      const error = yield* Effect.flip(on(file, (db) => db.createNamespace("ns")))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Corrupted" })
    }))
})

suite("SQLiteVec", SQLiteVec.contract({ file: ":memory:" }))
