import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { agent, clean, index, lookup, services } from "./rag.ts"

describe("DataSourceCleaner", () => {
  it.effect("takes one data source away and leaves the others, as often as it is run", () =>
    Effect.gen(function*() {
      yield* index("Cats purr.", { id: "cats" })
      yield* index("Dogs bark.", { id: "dogs" })
      for (let n = 0; n < 2; n++) {
        assert.deepStrictEqual(yield* clean({ id: "{{who}}" }, { who: "cats" }), { Success: true })
      }
      assert.deepStrictEqual(yield* lookup("cats purr", { scoreThreshold: -1 }), ["Dogs bark."])
    }).pipe(agent("a1"), Effect.provide(services())))

  it.effect("takes every way documents write a namespace", () =>
    Effect.gen(function*() {
      const prefix = "clx0123456789abcdefghijkl"
      yield* index("x", { namespace: `${prefix}_Product Docs` })
      yield* clean({ namespaceId: "product docs" })
      assert.deepStrictEqual(yield* lookup("x", { namespace: "Product_docs" }), [])
      assert.deepStrictEqual(yield* index("x", { namespace: "product_docs" }), { result: "indexed", id: "d1" })
    }).pipe(agent("a1"), Effect.provide(services())))

  it.effect("fails without such a namespace, or with an id no source can have", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(clean())).message, `No vector namespace "docs"`)
      assert.include((yield* Effect.flip(clean({ id: "a b" }))).message, "id:")
      assert.include((yield* Effect.flip(clean({ namespaceId: "" }))).message, "namespaceId")
    }).pipe(agent("a1"), Effect.provide(services())))
})
