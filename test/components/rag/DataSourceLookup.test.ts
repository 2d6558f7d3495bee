import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { DataSourceLookup } from "../../../src/components/rag/DataSourceLookup.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"
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

  it.effect("hybrid also finds what has the words of the query, whatever its likeness, and what both find first", () =>
    Effect.gen(function*() {
      yield* index("Order 7741 went to the warehouse in Porto, where it waits for its customs papers.", { id: "d1" })
      yield* index("Orders go to a warehouse and wait there.", { id: "d2" })
      yield* index("Kangaroos carry their young in a pouch.", { id: "d3" })
      const [first, ...others] = yield* lookup("7741", { hybrid: "true", scoreThreshold: 0.9 })
      assert.include(String(first), "Order 7741")
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(yield* lookup("7741", { scoreThreshold: 0.9 }), [])
      const found = yield* lookup("where is order 7741 in the warehouse", { hybrid: true, includeScore: true, topK: 2 })
      assert.lengthOf(found, 2)
      assert.include(JSON.stringify(found[0]), "Order 7741")
    }).pipe(agent("a1"), Effect.provide(services())))

  it.effect("rerank asks a model for the order, shows it no more than it may, and gives no more than is wanted", () =>
    Effect.gen(function*() {
      for (const n of [1, 2, 3, 4]) {
        yield* index(`Note ${n} about invoices. ${"x".repeat(3000)}`, { id: `d${n}`, chunkSize: 5000 })
      }
      const settings = { rerank: "gpt-4o-mini", scoreThreshold: -1 }
      const search = yield* lookup("invoices", { scoreThreshold: -1 })
      const numbers = (found: ReadonlyArray<unknown>) => found.map((text) => String(text).slice(0, 6))
      const [a, b, c, d] = numbers(search)
      assert.deepStrictEqual(numbers(yield* lookup("invoices", settings)), [c, a, b, d])
      assert.deepStrictEqual(numbers(yield* lookup("invoices", { ...settings, topK: 1, rerankCount: 3 })), [c])
      const { requests } = yield* TestLLM.TestLLM
      const [whole, few] = (yield* requests).map(({ messages }) => JSON.stringify(messages))
      assert.include(whole, "Note 4")
      assert.notInclude(whole, "x".repeat(2000))
      assert.notInclude(few, String(d))
      assert.deepStrictEqual(numbers(yield* lookup("invoices", { ...settings, topK: 3 })), [b, a, c])
    }).pipe(
      agent("a1"),
      Effect.provide(services([], [
        `Sure: {"order": [3, 3, 99, 0, "1", "x"]}`,
        `{"order": [3, 2]}`,
        `[2]`
      ]))
    ))

  it.effect("where the model gives no order or fails, that of the search stays and the log says why", () =>
    Effect.gen(function*() {
      yield* index("One about invoices.", { id: "d1" })
      yield* index("Two about invoices.", { id: "d2" })
      const search = yield* lookup("invoices")
      const lines: Array<string> = []
      const log = (level: string, text: string) => void lines.push(`${level} ${text}`)
      for (const expected of ["no order", "no order", "refused the key"]) {
        assert.deepStrictEqual(yield* lookup("invoices", { rerank: "gpt-4o-mini" }, { log }), search)
        assert.match(lines.at(-1) ?? "", /^warning rerank: /)
        assert.include(lines.at(-1), expected)
      }
      const unknown = yield* Effect.flip(lookup("invoices", { rerank: "gpt-4o-minni" }))
      assert.include(unknown.message, "gpt-4o-minni")
    }).pipe(
      agent("a1"),
      Effect.provide(services([], [
        "I cannot say.",
        `{"order": []}`,
        new ConnectorError({
          connector: "OpenAI",
          method: "chat",
          reason: "Unauthorized",
          detail: "it refused the key"
        })
      ]))
    ))

  it.effect("what it never did is told when the document is loaded", () =>
    Effect.sync(() => {
      const told = (postprocess: boolean) =>
        DataSourceLookup.check({ postprocess } as never, undefined as never).map(({ setting }) => setting)
      assert.deepStrictEqual([told(true), told(false)], [["postprocess"], []])
    }))

  it.effect("needs a query and a namespace", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(lookup(" "))).message, "Query")
      assert.include((yield* Effect.flip(lookup("x", { namespace: "" }))).message, "namespace")
      assert.include((yield* Effect.flip(lookup("x"))).message, "docs")
    }).pipe(agent("a1"), Effect.provide(services())))
})
