/** Vectors and embeddings of a whole system: the embedded default, and what a configuration chooses. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option } from "effect"
import * as Configuration from "../../src/boot/Configuration.ts"
import * as Sre from "../../src/boot/Sre.ts"
import { MemoryStorage } from "../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { VectorDB } from "../../src/subsystems/io/VectorDB.ts"
import { Embeddings } from "../../src/subsystems/llm/Embeddings.ts"
import * as EmbeddingsServer from "../fixtures/EmbeddingsServer.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const asAnn = Candidate.as(Candidate.user("ann"))

const inFolder = (folder: string, more: Record<string, string> = {}) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries({ SRE_DATA: folder, ...more }))))

describe("VectorDB and Embeddings of a system", () => {
  it.scopedLive("by default need no server, no key and no network, and last", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const system = Layer.provide(Sre.layer({ storage: MemoryStorage.layer({}) }), inFolder(folder))
      yield* Effect.gen(function*() {
        const db = yield* VectorDB
        yield* db.createNamespace("docs")
        yield* db.createDatasource("docs", { id: "cats", text: "Cats sleep on sofas." })
      }).pipe(asAnn, Effect.provide(system))
      yield* Effect.gen(function*() {
        const [hit] = yield* (yield* VectorDB).search("docs", "a sleeping cat")
        assert.deepInclude(hit, { id: "cats#0", text: Option.some("Cats sleep on sofas.") })
      }).pipe(asAnn, Effect.provide(Layer.fresh(system)))
    }), 30_000)

  it.scopedLive("are those of the configuration, several side by side", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      const system = Configuration.layerFromConfig({
        Embeddings: [
          { Connector: "Hashed" },
          { Connector: "OpenAI", Default: true, Settings: { baseURL: `${server.url}/v1`, apiKey: "sk" } }
        ],
        VectorDB: [{ Connector: "RAM" }, { Connector: "SQLiteVec", Id: "archive" }],
        Storage: { Connector: "Memory" }
      })
      yield* Effect.gen(function*() {
        const embeddings = yield* Embeddings
        assert.strictEqual((yield* embeddings.embed({ texts: ["x"] })).provider, "OpenAI")
        assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk")
        assert.strictEqual((yield* embeddings.embed({ texts: ["x"], model: "Hashed" })).provider, "Hashed")
        const db = yield* VectorDB
        const archive = yield* VectorDB.named("archive")
        yield* db.createNamespace("ns")
        yield* archive.createNamespace("ns", { model: "Hashed" })
        yield* db.insert("ns", [{ id: "a", text: "asked of the server" }])
        yield* archive.insert("ns", [{ id: "b", text: "hashed here" }])
        assert.deepStrictEqual((yield* db.getNamespace("ns")).model, Option.some("text-embedding-3-large"))
        assert.deepStrictEqual((yield* db.search("ns", "server")).map(({ id }) => id), ["a"])
        assert.deepStrictEqual((yield* archive.search("ns", "hashed")).map(({ id }) => id), ["b"])
      }).pipe(asAnn, Effect.provide(Layer.provide(system, inFolder(yield* tempFolder))))
    }), 30_000)

  it.scopedLive("fail boot by name where the configuration is wrong", () =>
    Effect.gen(function*() {
      const boot = (config: unknown) => Effect.flip(Effect.scoped(Layer.build(Configuration.layerFromConfig(config))))
      const unknown = yield* boot({ VectorDB: { Connector: "Pinecon" } })
      assert.deepInclude(unknown, { _tag: "BootError", path: "VectorDB.Connector" })
      assert.include(unknown.message, "Pinecone")
      const embedder = yield* boot({ Embeddings: { Connector: "OpenAi", Settings: { batchSize: 0 } } })
      assert.deepInclude(embedder, { _tag: "BootError", path: "Embeddings.Settings.batchSize" })
      const settings = yield* boot({ VectorDB: { Connector: "Pinecone", Settings: { apiKey: "x" } } })
      assert.deepInclude(settings, { _tag: "BootError", path: "VectorDB.Settings.indexName" })
    }), 30_000)
})
