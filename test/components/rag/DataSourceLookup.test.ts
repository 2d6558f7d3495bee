import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { agent, index, lookup, services } from "./rag.ts"

const fill = Effect.gen(function*() {
  yield* index("The invoice is paid within thirty days.", { id: "d1", metadata: `{"kind": "{{k}}", "n": 1}` }, {
    k: `b"ill`
  })
  yield* index("Kangaroos carry their young in a pouch.", { id: "d2", metadata: "plain words" })
})

describe("DataSourceLookup", () => {
  it.effect("finds what is most like the query, with score and metadata when asked", () =>
    Effect.gen(function*() {
      yield* fill
      assert.deepStrictEqual(yield* lookup("when is the invoice paid", { topK: "1" }), [
        "The invoice is paid within thirty days."
      ])
      const [best, ...others] = yield* lookup("kangaroos pouch", { includeMetadata: "true", includeScore: true })
      const { content, metadata, score } = best as Record<string, unknown>
      assert.include(String(content), "pouch")
      assert.deepStrictEqual(metadata, { text: "plain words" })
      assert.isAbove(Number(score), 0.3)
      for (const other of others) assert.isAtLeast(Number(score), Number((other as { readonly score: number }).score))
      const [bill] = yield* lookup("invoice paid", { topK: 1, includeMetadata: true })
      assert.deepStrictEqual((bill as Record<string, unknown>)["metadata"], { kind: `b"ill`, n: 1 })
    }).pipe(agent("a1"), Effect.provide(services())))

  it.effect("leaves out what is under the threshold", () =>
    Effect.gen(function*() {
      yield* fill
      assert.deepStrictEqual(yield* lookup("invoice", { scoreThreshold: 0.99 }), [])
      assert.lengthOf(yield* lookup("invoice", { scoreThreshold: -1, topK: 0 }), 2)
      assert.lengthOf(yield* lookup({ invoice: 1 }, { scoreThreshold: -1, topK: 1 }), 1)
    }).pipe(agent("a1"), Effect.provide(services())))

  it.effect("sees nothing of another tenant's namespace of the same name", () =>
    Effect.gen(function*() {
      yield* agent("a1")(fill)
      const error = yield* Effect.flip(agent("b1")(lookup("invoice")))
      assert.include(error.message, `No vector namespace "docs"`)
      const denied = yield* Effect.flip(agent("b1")(lookup("invoice", { namespace: "smythfs://a1.agent/docs" })))
      assert.notInclude(denied.message, "thirty")
      yield* agent("b1")(index("Something else.", { id: "d1" }))
      assert.deepStrictEqual(yield* agent("b1")(lookup("invoice", { scoreThreshold: -1 })), ["Something else."])
    }).pipe(Effect.provide(services())))

  it.effect("needs a query and a namespace", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(lookup(" "))).message, "Query")
      assert.include((yield* Effect.flip(lookup("x", { namespace: "" }))).message, "namespace")
      assert.include((yield* Effect.flip(lookup("x"))).message, "docs")
    }).pipe(agent("a1"), Effect.provide(services())))
})
