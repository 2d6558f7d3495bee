/** What full-text search must do where a vector database has one, and what it says where not; part of the suite in `vectordb.ts`. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import * as Candidate from "../../security/Candidate.ts"
import { type Point, VectorDB, VectorDBConnector } from "../../subsystems/io/VectorDB.ts"
import * as Records from "../../subsystems/io/VectorRecords.ts"
import * as VectorWords from "../../subsystems/io/VectorWords.ts"

type It = Pick<Vitest.MethodsNonLive<VectorDB | VectorDBConnector, true>, "effect">

const asAnn = Candidate.as(Candidate.user("ann"))
const hybrid = (namespace: string, text: string, options: { topK?: number; filter?: Record<string, string> } = {}) =>
  asAnn(Effect.flatMap(VectorDB, (db) => db.search(namespace, text, { ...options, text })))

export const wordTests = (it: It, dimensions: number): void => {
  let collections = 0
  const collection = () => `vwords${collections++}`
  const point = (id: string, text: string, terms: ReadonlyArray<string> = []): Point => ({
    id,
    vector: Float32Array.from({ length: dimensions }, (_, at) => at === 0 ? 1 : 0),
    payload: JSON.stringify({ text }),
    terms,
    words: VectorWords.of(text).join(" ")
  })
  const found = (name: string, text: string, groups: ReadonlyArray<ReadonlyArray<string>> = [], topK = 10) =>
    Effect.flatMap(VectorDBConnector, (store) =>
      Effect.map(
        store.searchWords(name, { words: VectorWords.wanted(text), groups, topK }),
        (points) => points.map(({ id }) => id)
      ))

  it.effect("words find the texts that have them, in any language, those with more of them first", () =>
    Effect.gen(function*() {
      const store = yield* VectorDBConnector
      const name = collection()
      yield* store.upsert(name, [
        point("cat", "The cat sleeps on the sofa, as every cat does"),
        point("long", `The sofa stands ${"in the room with the table and the lamp ".repeat(10)}`),
        point("code", "Part no. ZX-81/b costs 12.50 (see example.com)"),
        point("日本", "猫はソファで寝ている"),
        point("greek", "ΟΔΥΣΣΕΥΣ Ünïcode नमस्ते"),
        { ...point("silent", ""), payload: "{}" }
      ])
      assert.deepStrictEqual(yield* found(name, "CAT!"), ["cat"])
      assert.deepStrictEqual((yield* found(name, "sofa")).slice(0, 2), ["cat", "long"])
      assert.deepStrictEqual((yield* found(name, "sofa as cat")).slice(0, 2), ["cat", "long"])
      assert.deepStrictEqual(yield* found(name, "12.50"), ["code"])
      assert.deepStrictEqual(yield* found(name, "https://example.com"), ["code"])
      assert.deepStrictEqual(yield* found(name, "猫"), ["日本"])
      assert.deepStrictEqual(yield* found(name, "ünïcode"), ["greek"])
      assert.deepStrictEqual(yield* found(name, "नमस्ते"), ["greek"])
      assert.deepStrictEqual(yield* found(name, "absent"), [])
      const [cat] = yield* store.searchWords(name, { words: ["cat"], groups: [], topK: 1 })
      assert.deepInclude(cat, {
        id: "cat",
        payload: point("cat", "The cat sleeps on the sofa, as every cat does").payload
      })
      assert.strictEqual(cat?.vector.length, dimensions)
      assert.lengthOf(yield* found(name, "the", [], 1), 1)
    }))

  it.effect("words are of one collection alone, heed the filter, and go with their point", () =>
    Effect.gen(function*() {
      const store = yield* VectorDBConnector
      const [one, other] = [collection(), collection()]
      yield* store.upsert(one, [point("a", "red apple", ["kind:fruit"]), point("b", "red brick", ["kind:stone"])])
      yield* store.upsert(other, [point("a", "red herring")])
      assert.sameMembers(yield* found(one, "red"), ["a", "b"])
      assert.deepStrictEqual(yield* found(one, "red", [["kind:stone", "kind:wood"]]), ["b"])
      assert.deepStrictEqual(yield* found(one, "herring"), [])
      assert.deepStrictEqual(yield* found(one, other), [])
      yield* store.upsert(one, [point("a", "green apple")])
      assert.deepStrictEqual(yield* found(one, "red"), ["b"])
      assert.deepStrictEqual(yield* found(one, "green"), ["a"])
      yield* store.delete(one, ["a"])
      assert.deepStrictEqual(yield* found(one, "green apple"), [])
      yield* store.drop(one)
      assert.deepStrictEqual(yield* found(one, "red"), [])
      assert.deepStrictEqual(yield* found(other, "red"), ["a"])
    }))

  it.effect("words that a query language would read as its own are words", () =>
    Effect.gen(function*() {
      const store = yield* VectorDBConnector
      const name = collection()
      yield* store.upsert(name, [point("a", "near and or not"), point("b", "words collection columns")])
      assert.deepStrictEqual(yield* found(name, "\" OR NOT ( ' & | ! : * near:5"), ["a"])
      assert.deepStrictEqual(yield* found(name, "collection : x"), ["b"])
    }))

  it.effect("of a text without end the first words find it", () =>
    Effect.gen(function*() {
      const store = yield* VectorDBConnector
      const name = collection()
      const text = `first ${Array.from({ length: 30_000 }, (_, n) => `語${n}${"й".repeat(90)}`).join(" ")} last`
      yield* store.upsert(name, [{ ...point("huge", ""), words: Records.wordsOf(text) }, point("other", "second")])
      assert.deepStrictEqual(yield* found(name, "first"), ["huge"])
      assert.deepStrictEqual(yield* found(name, "last"), [])
    }))

  it.effect("a hybrid search finds by either, what both find first, and says which words found", () =>
    Effect.gen(function*() {
      const db = yield* VectorDB
      yield* asAnn(db.createNamespace("hybrid"))
      yield* asAnn(db.insert("hybrid", [
        { id: "both", text: "How to reset error 7741 of the printer" },
        { id: "like", text: "How to restart errors in print queues" },
        { id: "far", text: "7741", metadata: { kind: "code" } },
        { id: "off", text: "Gardening in spring" }
      ]))
      const hits = yield* hybrid("hybrid", "how to reset error 7741")
      assert.strictEqual(hits[0]?.id, "both")
      assert.sameMembers(hits.filter(({ byWords }) => byWords).map(({ id }) => id), ["both", "like", "far"])
      const plain = yield* asAnn(db.search("hybrid", "how to reset error 7741"))
      assert.isTrue(plain.every(({ byWords }) => !byWords))
      for (const { id, score } of hits) {
        assert.closeTo(score, plain.find((one) => one.id === id)?.score ?? Number.NaN, 1e-5)
      }
      assert.lengthOf(yield* hybrid("hybrid", "error", { topK: 1 }), 1)
      const filtered = yield* hybrid("hybrid", "7741", { filter: { kind: "code" } })
      assert.deepStrictEqual(filtered.map(({ id }) => id), ["far"])
      assert.deepStrictEqual(
        (yield* asAnn(db.search("hybrid", "printer", { text: "?!" }))).map(({ id }) => id),
        (yield* asAnn(db.search("hybrid", "printer"))).map(({ id }) => id)
      )
      yield* asAnn(db.remove("hybrid", ["both"]))
      assert.notInclude((yield* hybrid("hybrid", "7741")).map(({ id }) => id), "both")
    }))
}

export const withoutWordTests = (it: It, name: string): void => {
  it.effect("a hybrid search is refused with the name of the connector", () =>
    Effect.gen(function*() {
      const db = yield* VectorDB
      yield* asAnn(db.createNamespace("hybrid"))
      yield* asAnn(db.insert("hybrid", [{ text: "a text" }]))
      const error = yield* Effect.flip(hybrid("hybrid", "text"))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unsupported", connector: name })
      assert.include(error.message, "full-text")
    }))
}
