/** What a vector database must do behind the service that guards it; part of the suite in `vectordb.ts`. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as Candidate from "../../security/Candidate.ts"
import { VectorDB } from "../../subsystems/io/VectorDB.ts"

const asAnn = Candidate.as(Candidate.user("ann"))
const asBob = Candidate.as(Candidate.user("bob"))
const asEve = Candidate.as(Candidate.user("eve"))

/** Ann and Bob are in the team `t1`, Eve is in none; texts are embedded by `Hashed` in so many dimensions. */
export const guardedTests = (it: Pick<Vitest.MethodsNonLive<VectorDB, true>, "effect">, dimensions: number): void => {
  const use = <A, F>(run: (db: VectorDB["Type"]) => Effect.Effect<A, F>) => Effect.flatMap(VectorDB, run)
  const all = <A, F, G>(listing: Effect.Effect<Stream.Stream<A, F>, G>) =>
    Effect.map(Stream.runCollect(Stream.unwrap(listing)), (items) => Array.from(items))
  const vector = (...start: ReadonlyArray<number>) =>
    Float32Array.from({ length: dimensions }, (_, at) => start[at] ?? 0)
  const near = (got: number, expected: number) => assert.closeTo(got, expected, 1e-5)

  it.effect("scores are cosines: 1 the same direction, 0 across, -1 against, whatever the lengths", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("scores")
        yield* db.insert("scores", [
          { id: "same", vector: vector(1e30, 1e30) },
          { id: "across", vector: vector(1e-30, -1e-30) },
          { id: "against", vector: vector(-3, -3) }
        ])
        const hits = yield* db.search("scores", vector(5, 5))
        assert.deepStrictEqual(hits.map(({ id }) => id), ["same", "across", "against"])
        for (const [n, score] of [1, 0, -1].entries()) near(hits[n]!.score, score)
        assert.isTrue(hits.every(({ score }) => score <= 1 && score >= -1))
        assert.deepStrictEqual(hits[0]!.text, Option.none())
        near(hits[0]!.vector[0]!, Math.SQRT1_2)
      })
    )))

  it.effect("metadata of every kind of JSON comes back, and a filter asks for its values", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        const metadata = {
          text: "it's \"quoted\" 日本\u0000",
          number: -1.5e10,
          zero: 0,
          yes: true,
          no: false,
          nothing: null,
          list: ["a", 1, null, ["deep"]],
          object: { deep: { deeper: [1, { x: "y" }] } },
          "field with \"signs\" $.[0]": "x",
          "": "empty name",
          long: "l".repeat(3000)
        }
        yield* db.createNamespace("json", { metadata: { about: ["json"] } })
        yield* db.insert("json", [{ id: "all", vector: vector(1), metadata }, { id: "none", vector: vector(1) }])
        assert.deepStrictEqual((yield* db.get("json", ["all"]))[0]?.metadata, metadata)
        assert.deepStrictEqual((yield* db.getNamespace("json")).metadata, { about: ["json"] })
        const matching = (filter: NonNullable<Parameters<typeof db.search>[2]>["filter"]) =>
          Effect.map(db.search("json", vector(1), { filter }), (hits) => hits.map(({ id }) => id))
        for (
          const filter of [
            { text: metadata.text },
            { number: -1.5e10, zero: 0, yes: true, no: false },
            { list: "a" },
            { list: [7, 1] },
            { "field with \"signs\" $.[0]": ["x", "y"] },
            { "": "empty name" },
            { long: metadata.long }
          ]
        ) assert.deepStrictEqual(yield* matching(filter), ["all"], JSON.stringify(filter).slice(0, 50))
        for (
          const filter of [
            { zero: "0" },
            { zero: false },
            { yes: "true" },
            { list: "deep" },
            { list: [] },
            { absent: "a" },
            { text: metadata.text, no: true },
            { long: `${metadata.long}l` }
          ]
        ) assert.deepStrictEqual(yield* matching(filter), [], JSON.stringify(filter).slice(0, 50))
        assert.sameMembers(yield* matching({}), ["all", "none"])
        const bare = yield* db.search("json", vector(1), { filter: { yes: true }, includeMetadata: false })
        assert.deepStrictEqual(bare.map(({ id, metadata }) => [id, metadata]), [["all", {}]])
      })
    )))

  it.effect("texts are found by texts, and items replaced by their id", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("texts")
        assert.deepStrictEqual(yield* db.search("texts", "cats"), [])
        const [cat] = yield* db.insert("texts", [
          { text: "The cat sleeps on the sofa" },
          { id: "stocks", text: "Stock markets fell on Monday" },
          { id: "日本語 👋", text: "猫はソファで寝ている" }
        ])
        const [first] = yield* db.search("texts", "a cat on a sofa", { topK: 1 })
        assert.deepInclude(first, { id: cat ?? "", text: Option.some("The cat sleeps on the sofa") })
        assert.strictEqual((yield* db.search("texts", "猫はソファで"))[0]?.id, "日本語 👋")
        yield* db.insert("texts", [{ id: "stocks", text: "A cat, a cat, a cat on a sofa" }])
        assert.strictEqual((yield* db.search("texts", "a cat on a sofa"))[0]?.id, "stocks")
        assert.lengthOf(yield* db.search("texts", "anything"), 3)
        yield* db.remove("texts", ["stocks", "absent"])
        assert.lengthOf(yield* db.search("texts", "anything"), 2)
        const { model } = yield* db.getNamespace("texts")
        assert.deepStrictEqual(model, Option.some("Hashed"))
      })
    )))

  it.effect("250 items go in at once; of an id that stands twice the last stays", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("many")
        const items = Array.from({ length: 250 }, (_, n) => ({ id: `i${n}`, vector: vector(1, n / 250) }))
        const ids = yield* db.insert("many", [...items, { id: "i0", vector: vector(-1), text: "last" }])
        assert.lengthOf(ids, 251)
        const hits = yield* db.search("many", vector(1), { topK: 1000 })
        assert.lengthOf(hits, 250)
        assert.deepInclude(hits[249], { id: "i0", text: Option.some("last") })
        assert.deepStrictEqual(hits.slice(0, 3).map(({ id }) => id), ["i1", "i2", "i3"])
      })
    )))

  it.effect("a data source is chunks that are found, replaced as a whole and deleted as a whole", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("sources")
        yield* db.insert("sources", [{ id: "own", text: "an item of its own" }])
        const pages = ["First page about zebras. ".repeat(20), "Second page about llamas. ".repeat(20)]
        const source = yield* db.createDatasource("sources", {
          id: "doc",
          text: pages,
          label: "Animals",
          chunkSize: 100,
          chunkOverlap: 20,
          metadata: { by: "ann" }
        })
        assert.deepInclude(source, { id: "doc", label: "Animals", metadata: { by: "ann" }, chunkSize: 100 })
        assert.isAbove(source.chunks, 8)
        const hits = yield* db.search("sources", "llamas", { topK: 100, filter: { by: "ann" } })
        assert.lengthOf(hits, source.chunks)
        assert.isTrue(hits.every(({ datasource }) => Option.contains(datasource, "doc")))
        assert.include(Option.getOrThrow(hits[0]!.text), "llamas")
        assert.isFalse(hits.some(({ text }) => /zebras[^]*llamas/.test(Option.getOrThrow(text))))
        const again = yield* Effect.flip(db.createDatasource("sources", { id: "doc", text: "other" }))
        assert.deepInclude(again, { _tag: "DatasourceExists", id: "doc" })
        yield* db.createDatasource("sources", { id: "doc", text: "now short", replace: true })
        assert.deepStrictEqual((yield* db.search("sources", "x", { topK: 100 })).map(({ id }) => id).sort(), [
          "doc#0",
          "own"
        ])
        assert.strictEqual(Option.getOrThrow(yield* db.getDatasource("sources", "doc")).chunks, 1)
        yield* db.createDatasource("sources", { id: "empty", text: " \n " })
        for (const sizes of [{ chunkSize: 1, chunkOverlap: 0 }, { chunkSize: 100_000, chunkOverlap: 99_999 }]) {
          const many = yield* Effect.flip(
            db.createDatasource("sources", { id: "many", text: "x".repeat(200_000), ...sizes })
          )
          assert.deepInclude(many, { _tag: "ConnectorError", reason: "InvalidInput" })
        }
        assert.isTrue(yield* db.deleteDatasource("sources", "doc"))
        assert.isFalse(yield* db.deleteDatasource("sources", "doc"))
        assert.deepStrictEqual((yield* all(db.listDatasources("sources"))).map(({ id }) => id), ["empty"])
        assert.deepStrictEqual((yield* db.search("sources", "short")).map(({ id }) => id), ["own"])
        assert.deepStrictEqual(yield* db.getDatasource("sources", "doc"), Option.none())
      })
    )))

  it.effect("of many that write one data source each is whole, and one is last", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("racing")
        const texts = Array.from({ length: 6 }, (_, n) => `word${n} `.repeat(20 * (n + 1)))
        yield* Effect.forEach(
          texts,
          (text) => db.createDatasource("racing", { id: "doc", text, replace: true, chunkSize: 50, chunkOverlap: 0 }),
          { concurrency: "unbounded" }
        )
        const hits = yield* db.search("racing", "word", { topK: 1000 })
        const { chunks, sizeBytes } = Option.getOrThrow(yield* db.getDatasource("racing", "doc"))
        assert.lengthOf(hits, chunks)
        const words = new Set(hits.flatMap(({ text }) => Option.getOrThrow(text).split(" ")))
        assert.deepStrictEqual(words, new Set([`word${texts.findIndex(({ length }) => length === sizeBytes)}`]))
      })
    )))

  it.effect("a namespace is made once, is known by its name, and is gone with all that was in it", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        const made = yield* Effect.forEach(
          [1, 2, 3, 4],
          () => Effect.exit(db.createNamespace("life")),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(made.filter(({ _tag }) => _tag === "Success").length, 1)
        assert.deepInclude(yield* Effect.flip(db.createNamespace("life")), { _tag: "NamespaceExists" })
        yield* db.createNamespace("life/deeper 日本")
        assert.isTrue(yield* db.namespaceExists("life"))
        assert.deepStrictEqual((yield* db.getNamespace("life")).dimensions, Option.none())
        yield* db.insert("life", [{ id: "a", text: "a text" }])
        yield* db.createDatasource("life", { id: "s", text: "a text" })
        assert.deepStrictEqual((yield* db.getNamespace("life")).dimensions, Option.some(dimensions))
        const listed = yield* all(db.listNamespaces("life"))
        assert.sameMembers(listed.map(({ namespace }) => namespace), ["life", "life/deeper 日本"])
        yield* db.deleteNamespace("life")
        yield* db.deleteNamespace("life")
        assert.isFalse(yield* db.namespaceExists("life"))
        yield* db.createNamespace("life")
        assert.deepStrictEqual(yield* all(db.listDatasources("life")), [])
        assert.deepStrictEqual(yield* db.search("life", "a text"), [])
        assert.deepStrictEqual(yield* db.get("life", ["a", "s#0"]), [])
      })
    )))

  it.effect("what cannot be is refused by name", () =>
    asAnn(use((db) =>
      Effect.gen(function*() {
        yield* db.createNamespace("bad", { dimensions })
        const refused = <A, F extends { readonly _tag: string }>(self: Effect.Effect<A, F>, expected: object) =>
          Effect.map(Effect.flip(self), (error) => assert.deepInclude(error, expected as never))
        yield* refused(db.search("absent", vector(1)), { _tag: "NamespaceNotFound", namespace: "absent" })
        yield* refused(db.insert("absent", []), { _tag: "NamespaceNotFound" })
        yield* refused(db.createDatasource("absent", { text: "x" }), { _tag: "NamespaceNotFound" })
        const mismatch = { _tag: "DimensionMismatch", expected: dimensions, got: 2 }
        yield* refused(db.insert("bad", [{ vector: [1, 2] }]), mismatch)
        yield* refused(db.search("bad", [1, 2]), mismatch)
        const invalid = { reason: "InvalidInput" }
        for (const wrong of [[], [0, 0], [1, Number.NaN], [Infinity]]) {
          yield* refused(db.insert("bad", [{ vector: wrong }]), invalid)
        }
        yield* refused(db.insert("bad", [{ metadata: {} }]), invalid)
        for (const id of ["", "line\nbreak", "i".repeat(513), "half \ud800"]) {
          yield* refused(db.insert("bad", [{ id, vector: vector(1) }]), invalid)
        }
        yield* refused(db.insert("bad", [{ text: " " }]), invalid)
        yield* refused(db.search("bad", ""), invalid)
        for (const topK of [0, -1, 1.5, 1001, Number.NaN]) {
          yield* refused(db.search("bad", vector(1), { topK }), invalid)
        }
        yield* refused(db.createDatasource("bad", { text: "x", chunkSize: 10, chunkOverlap: 10 }), invalid)
        yield* refused(db.createNamespace("../x"), { _tag: "InvalidKey" })
        yield* refused(db.createNamespace("zero", { dimensions: 0 }), invalid)
        assert.deepStrictEqual(yield* db.search("bad", vector(1)), [])
        assert.deepStrictEqual(yield* db.insert("bad", []), [])
      })
    )))

  it.effect("namespaces of one name in two homes never meet, and a stranger learns nothing of another's", () =>
    use((db) =>
      Effect.gen(function*() {
        const uri = "smythfs://ann.user/private"
        for (const [as, who] of [[asAnn, "ann"], [asEve, "eve"]] as const) {
          yield* as(db.createNamespace("private"))
          yield* as(db.insert("private", [{ id: "x", text: `belongs to ${who}` }]))
          yield* as(db.createDatasource("private", { id: "s", text: `source of ${who}` }))
        }
        const texts = yield* asEve(db.search("private", "belongs to ann", { topK: 100 }))
        assert.sameMembers(texts.map(({ text }) => Option.getOrThrow(text)), ["belongs to eve", "source of eve"])
        const refusals = [
          db.search(uri, "x"),
          db.get(uri, ["x"]),
          db.getNamespace(uri),
          db.namespaceExists(uri),
          db.namespaceExists("smythfs://ann.user/no-such"),
          db.deleteNamespace(uri),
          db.createNamespace("smythfs://ann.user/planted"),
          db.insert(uri, [{ text: "planted" }]),
          db.remove(uri, ["x"]),
          db.createDatasource(uri, { text: "planted" }),
          db.getDatasource(uri, "s"),
          db.listDatasources(uri),
          db.deleteDatasource(uri, "s"),
          db.acl(uri),
          db.setAcl(uri, { grants: [{ role: "user", id: "eve", levels: ["owner"] }] }),
          db.share(uri, Candidate.user("eve"), ["owner"])
        ] as ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>>
        for (const refusal of refusals) {
          assert.strictEqual((yield* asEve(Effect.flip(refusal)))._tag, "AccessDenied")
        }
        const seen = yield* asEve(all(db.listNamespaces("smythfs://ann.user/")))
        assert.deepStrictEqual(seen, [])
        assert.lengthOf(yield* asAnn(db.search("private", "x", { topK: 100 })), 2)
      })
    ))

  it.effect("who is given a level has that level and no more; the team's namespaces are the team's", () =>
    use((db) =>
      Effect.gen(function*() {
        const uri = "smythfs://ann.user/shared"
        yield* asAnn(db.createNamespace("shared"))
        yield* asAnn(db.insert("shared", [{ id: "x", text: "a shared text" }]))
        yield* asAnn(db.share("shared", Candidate.user("eve"), ["read"]))
        assert.lengthOf(yield* asEve(db.search(uri, "text")), 1)
        assert.deepStrictEqual(
          (yield* asEve(all(db.listNamespaces("smythfs://ann.user/")))).map(({ namespace }) => namespace),
          [uri]
        )
        const denied = <A>(self: Effect.Effect<A, { readonly _tag: string }>) =>
          Effect.map(Effect.flip(asEve(self)), ({ _tag }) => assert.strictEqual(_tag, "AccessDenied"))
        yield* denied(db.insert(uri, [{ text: "x" }]))
        yield* denied(db.createDatasource(uri, { text: "x" }))
        yield* asAnn(db.share("shared", Candidate.user("eve"), ["write"]))
        yield* denied(db.search(uri, "text"))
        yield* asEve(db.insert(uri, [{ id: "by eve", text: "x" }]))
        yield* denied(db.deleteNamespace(uri))
        yield* denied(db.share(uri, Candidate.user("eve"), ["owner"]))
        const orphan = yield* asAnn(Effect.flip(db.setAcl("shared", { grants: [] })))
        assert.deepInclude(orphan, { reason: "InvalidInput" })

        const team = "smythfs://t1.team/library"
        yield* asAnn(db.share("shared", Candidate.team("t1"), ["read"]))
        assert.lengthOf(yield* asBob(db.search(uri, "text")), 2)
        yield* Candidate.as(Candidate.team("t1"))(db.createNamespace("library"))
        yield* asBob(db.insert(team, [{ text: "of the team" }]))
        assert.lengthOf(yield* asAnn(db.search(team, "team")), 1)
        yield* denied(db.search(team, "team"))
      })
    ))

  it.effect("nobody known is refused", () =>
    use((db) =>
      Effect.gen(function*() {
        const refusals: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
          db.search("x", "x"),
          db.listNamespaces(""),
          db.createNamespace("x")
        ]
        for (const refusal of refusals) assert.strictEqual((yield* Effect.flip(refusal))._tag, "NoCandidate")
      })
    ))
}
