import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { VectorDB } from "../../../src/subsystems/io/VectorDB.ts"
import * as documents from "../../fixtures/documents.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { agent, index, lookup, services } from "./rag.ts"

const one = agent("a1")
const chunks = Effect.flatMap(
  VectorDB,
  (vectors) =>
    Effect.map(vectors.getDatasource("docs", "d1"), (source) => source._tag === "Some" ? source.value : undefined)
)

describe("DataSourceIndexer", () => {
  it.effect("indexes a text once, says when nothing changed, and replaces what did", () =>
    Effect.gen(function*() {
      const settings = { id: "{{who}}-1", name: "About {{who}}" }
      const inputs = { who: "cats" }
      assert.deepStrictEqual(yield* index("Cats purr.", settings, inputs), { result: "indexed", id: "cats-1" })
      assert.deepStrictEqual(yield* index("Cats purr.", settings, inputs), { result: "unchanged", id: "cats-1" })
      assert.deepStrictEqual(yield* index("Cats meow.", settings, inputs), { result: "replaced", id: "cats-1" })
      assert.deepStrictEqual(
        yield* index("Cats meow.", { ...settings, chunkSize: 5, chunkOverlap: 0 }, inputs),
        { result: "replaced", id: "cats-1" }
      )
      assert.include(String((yield* lookup("meow", { topK: 1 }))[0]), "meow")
    }).pipe(one, Effect.provide(services())))

  it.effect("leaves none of the pieces a longer text had", () =>
    Effect.gen(function*() {
      const settings = { chunkSize: "20", chunkOverlap: "0" }
      yield* index("one two three four five six seven eight nine ten eleven twelve", settings)
      assert.isAbove((yield* chunks)!.chunks, 2)
      yield* index("short", settings)
      assert.strictEqual((yield* chunks)!.chunks, 1)
      assert.deepStrictEqual(yield* lookup("twelve", { scoreThreshold: -1 }), ["short"])
    }).pipe(one, Effect.provide(services())))

  it.scopedLive("reads files of all kinds, stored, given or fetched", () =>
    Effect.gen(function*() {
      const pdf = documents.pdf(["Kangaroos jump", "Penguins swim"])
      const server = yield* HttpServer.make((_, response) => {
        response.writeHead(200, { "content-type": "application/pdf" }).end(pdf)
      })
      yield* Effect.gen(function*() {
        for (
          const source of [
            pdf,
            `${server.url}/zoo.pdf`,
            { url: `data:application/pdf;base64,${Buffer.from(pdf).toString("base64")}`, mimetype: "application/pdf" }
          ]
        ) {
          yield* index(source, { id: `zoo${typeof source}` })
          const [best] = yield* lookup("penguins", { topK: 1 })
          assert.strictEqual(best, "Penguins swim")
        }
        yield* index({ animal: "wombat" }, { id: "json" })
        assert.deepStrictEqual(yield* lookup("wombat", { topK: 1 }), [`{"animal":"wombat"}`])
      }).pipe(one, Effect.provide(services([server.rule])))
    }))

  it.effect("refuses an id it cannot keep, and what cannot be read, naming it", () =>
    Effect.gen(function*() {
      for (const id of ["a b", "a/b", "{{nope}}", "ü"]) {
        assert.include((yield* Effect.flip(index("x", { id }))).message, "id:")
      }
      assert.include((yield* Effect.flip(index("x", { namespace: "" }))).message, "namespace")
      assert.include((yield* Effect.flip(index("x", { chunkSize: 10, chunkOverlap: 10 }))).message, "chunkOverlap")
      assert.include((yield* Effect.flip(index("http://10.0.0.1/a.pdf"))).message, "not public")
      assert.include((yield* Effect.flip(index(new Uint8Array([0, 1, 2, 255])))).message, "octet-stream")
    }).pipe(one, Effect.provide(services())))
})
