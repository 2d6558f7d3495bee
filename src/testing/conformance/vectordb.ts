/** What every vector database must do, by itself and behind the service that guards it. */
import { assert, layer } from "@effect/vitest"
import { Effect, FastCheck, Fiber, Layer, Option, Stream } from "effect"
import { HashedEmbeddings } from "../../connectors/embeddings/HashedEmbeddings.ts"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Access from "../../security/Access.ts"
import { layer as guarded, type Point, VectorDBConnector } from "../../subsystems/io/VectorDB.ts"
import { unit } from "../../subsystems/llm/Embeddings.ts"
import { guardedTests } from "./vectordbGuarded.ts"
import { withoutWordTests, wordTests } from "./vectordbWords.ts"

/** Ann and Bob are in a team; Eve is in none. */
const teams = Layer.succeed(Access.Teams, ({ id }) => Effect.succeed(id === "eve" ? [] : ["t1"]))

export interface Options {
  /** Vectors are of this length throughout, where a backend has one length for all. Default: 512. */
  readonly dimensions?: number
  /** Whether the backend has full-text search. Default: true; without, it must say so. */
  readonly hasWords?: boolean
}

export const suite = <E>(
  name: string,
  connector: Layer.Layer<VectorDBConnector, E>,
  { dimensions = 512, hasWords = true }: Options = {}
) =>
  layer(
    Layer.provideMerge(guarded, Layer.mergeAll(connector, teams, HashedEmbeddings.layer({ dimensions }))),
    { excludeTestServices: true, timeout: "60 seconds" }
  )(
    `${name} is a VectorDBConnector`,
    (it) => {
      const vector = (...start: ReadonlyArray<number>) =>
        Float32Array.from({ length: dimensions }, (_, at) => start[at] ?? 0)
      const point = (id: string, ...start: ReadonlyArray<number>): Point => ({
        id,
        vector: unit(vector(...start)),
        payload: `{"text":"${id}"}`,
        terms: [],
        words: ""
      })
      let collections = 0
      const collection = () => `v${name.replace(/\W/g, "").toLowerCase()}${collections++}`
      const near = (got: number, expected: number) => assert.closeTo(got, expected, 1e-5)

      it.effect("a record is written at the version that was read, and of many writers one wins", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const lost = (self: Effect.Effect<void, ConnectorError>) =>
            Effect.map(Effect.flip(self), ({ reason }) => assert.strictEqual(reason, "Conflict"))
          const exits = yield* Effect.forEach(
            Array.from({ length: 10 }, (_, n) => String(n)),
            (value) => Effect.exit(store.put("user:ann", "versions", value, Option.none())),
            { concurrency: "unbounded" }
          )
          const first = Option.getOrThrow(yield* store.get("user:ann", "versions"))
          const winners = exits.flatMap((exit, n) => exit._tag === "Success" ? [String(n)] : [])
          assert.deepStrictEqual(winners, [first.value])
          yield* store.put("user:ann", "versions", "two", Option.some(first.version))
          yield* lost(store.put("user:ann", "versions", "x", Option.some(first.version)))
          yield* lost(store.put("user:ann", "versions", "x", Option.none()))
          yield* lost(store.remove("user:ann", "versions", first.version))
          const second = Option.getOrThrow(yield* store.get("user:ann", "versions"))
          assert.deepInclude(second, { name: "versions", value: "two" })
          yield* store.remove("user:ann", "versions", second.version)
          assert.deepStrictEqual(yield* store.get("user:ann", "versions"), Option.none())
          yield* lost(store.remove("user:ann", "versions", second.version))
          yield* lost(store.put("user:ann", "versions", "x", Option.some(second.version)))
        }))

      it.effect("records come back as they were and are listed in pages, those of one space alone", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const names = ["plain", "日本語 👋", "a/b:c%_'\"\\", "\u00e9", "e\u0301", "UPPER", "upper", "n".repeat(1000)]
          for (const one of names) {
            yield* store.put("user:list", one, JSON.stringify({ one, "\u0000": "\n" }), Option.none())
          }
          for (const other of ["user:list2", "user:lis", "user:list/x"]) {
            yield* store.put(other, "other", "1", Option.none())
          }
          const pages = Stream.paginateEffect(Option.none<string>(), (after) =>
            Effect.map(
              store.list("user:list", { after, limit: 3 }),
              ({ items, next }) => [items, Option.map(next, Option.some)]
            ))
          const listed = Array.from(yield* Stream.runCollect(pages)).flat()
          assert.sameMembers(listed.map((record) => record.name), names)
          for (const record of listed) {
            assert.strictEqual(record.value, JSON.stringify({ one: record.name, "\u0000": "\n" }))
            assert.deepStrictEqual(yield* store.get("user:list", record.name), Option.some(record))
          }
          assert.deepStrictEqual((yield* store.list("user:nobody", { after: Option.none(), limit: 3 })).items, [])
        }))

      it.effect("points are replaced by their id, fetched, deleted and dropped, those of one collection alone", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const one = collection()
          const other = collection()
          const ids = [
            "a",
            "日本語 👋",
            "x'); DROP TABLE vector_points; --",
            "a#0",
            "A",
            "\u00e9",
            "e\u0301",
            "\"",
            "%",
            "i".repeat(500)
          ]
          yield* store.upsert(one, ids.map((id, n) => point(id, 1, n)))
          yield* store.upsert(other, [point("a", 0, 1), point("z", 1)])
          const fetched = yield* store.fetch(one, [...ids, "absent"])
          assert.sameMembers(fetched.map(({ id }) => id), ids)
          for (const [n, id] of ids.entries()) {
            const found = fetched.find((one) => one.id === id)
            assert.strictEqual(found?.payload, `{"text":"${id}"}`)
            near(found?.vector[1] ?? Number.NaN, n / Math.hypot(1, n))
            assert.strictEqual(found?.vector.length, dimensions)
          }
          yield* store.upsert(one, [{ ...point("a", 0, 0, 1), payload: "new" }])
          const [replaced] = yield* store.fetch(one, ["a"])
          assert.strictEqual(replaced?.payload, "new")
          near(replaced?.vector[2] ?? Number.NaN, 1)
          yield* store.delete(one, ["a", "absent", "日本語 👋"])
          assert.deepStrictEqual((yield* store.fetch(one, ["a", "日本語 👋"])).map(({ id }) => id), [])
          const found = yield* store.search(one, { vector: unit(vector(1)), topK: 100, groups: [] })
          assert.sameMembers(found.map(({ id }) => id), ids.slice(2))
          yield* store.put(one, "record", "of the collection", Option.none())
          yield* store.drop(one)
          assert.deepStrictEqual(yield* store.search(one, { vector: unit(vector(1)), topK: 5, groups: [] }), [])
          assert.deepStrictEqual(yield* store.fetch(one, ids), [])
          assert.deepStrictEqual((yield* store.list(one, { after: Option.none(), limit: 5 })).items, [])
          assert.lengthOf(yield* store.search(other, { vector: unit(vector(1)), topK: 5, groups: [] }), 2)
          yield* store.drop(one)
          yield* store.delete(one, ["a"])
        }))

      it.effect("what never was there is found by nobody, and is no failure", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const absent = collection()
          assert.deepStrictEqual(yield* store.search(absent, { vector: unit(vector(1)), topK: 5, groups: [] }), [])
          assert.deepStrictEqual(yield* store.fetch(absent, ["a"]), [])
          yield* store.delete(absent, ["a"])
          yield* store.drop(absent)
        }))

      it.effect("a search gives the nearest in order, as comparing with each one does, with and without a filter", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const element = FastCheck.double({ min: -1, max: 1, noNaN: true }).filter((one) => Math.abs(one) > 1e-3)
          const row = FastCheck.record({
            start: FastCheck.array(element, { minLength: 4, maxLength: 4 }),
            terms: FastCheck.subarray(["\"a\":1", "\"a\":\"1\"", "\"b\":true", "\"c\":\"日本\""])
          })
          const inputs = FastCheck.record({
            rows: FastCheck.array(row, { minLength: 1, maxLength: 40 }),
            query: FastCheck.array(element, { minLength: 4, maxLength: 4 }),
            topK: FastCheck.integer({ min: 1, max: 12 }),
            groups: FastCheck.array(FastCheck.subarray(["\"a\":1", "\"b\":true", "\"c\":\"日本\""], { minLength: 1 }), {
              maxLength: 2
            })
          })
          for (const { groups, query, rows, topK } of FastCheck.sample(inputs, { numRuns: 12, seed: 7 })) {
            const name = collection()
            const points = rows.map(({ start, terms }, n) => ({ ...point(`p${n}`, ...start), terms }))
            yield* store.upsert(name, points)
            const wanted = unit(vector(...query))
            const scores = points
              .filter(({ terms }) => groups.every((group) => group.some((term) => terms.includes(term))))
              .map(({ id, vector }) => ({ id, score: vector.reduce((sum, one, at) => sum + one * wanted[at]!, 0) }))
            const expected = scores.map(({ score }) => score).sort((a, b) => b - a).slice(0, topK)
            const found = yield* store.search(name, { vector: wanted, topK, groups })
            assert.strictEqual(found.length, expected.length)
            for (const [n, { id, score }] of found.entries()) {
              near(score, expected[n]!)
              near(score, scores.find((one) => one.id === id)?.score ?? Number.NaN)
            }
            assert.strictEqual(new Set(found.map(({ id }) => id)).size, found.length)
            yield* store.drop(name)
          }
        }))

      it.effect("many writers at once lose nothing", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const name = collection()
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => n),
            (n) => store.upsert(name, [point(`same`, 1, n), point(`p${n}`, 1, n)]),
            { concurrency: 8 }
          )
          const found = yield* store.search(name, { vector: unit(vector(1)), topK: 100, groups: [] })
          assert.sameMembers(found.map(({ id }) => id), ["same", ...Array.from({ length: 20 }, (_, n) => `p${n}`)])
        }))

      it.effect("a write that is interrupted keeps nobody from the next, and leaves points that are whole", () =>
        Effect.gen(function*() {
          const store = yield* VectorDBConnector
          const name = collection()
          const points = (payload: string) =>
            Array.from({ length: 100 }, (_, n) => ({ ...point(`p${n}`, 1, n), payload: payload.repeat(1000) }))
          const payloads = ["a", "b", "c", "d"]
          yield* store.upsert(name, points("a"))
          for (const [n, payload] of payloads.entries()) {
            const writer = yield* Effect.fork(store.upsert(name, points(payload)))
            yield* Effect.sleep(n)
            yield* Fiber.interrupt(writer)
          }
          const kept = yield* store.search(name, { vector: unit(vector(1)), topK: 200, groups: [] })
          assert.lengthOf(kept, 100)
          for (const { payload } of kept) assert.include(payloads.map((one) => one.repeat(1000)), payload)
          yield* store.delete(name, kept.map(({ id }) => id))
          yield* store.upsert(name, [point("last", 1)])
          assert.lengthOf(yield* store.fetch(name, ["last"]), 1)
        }))

      guardedTests(it, dimensions)
      if (hasWords) wordTests(it, dimensions)
      else withoutWordTests(it, name)
    }
  )
