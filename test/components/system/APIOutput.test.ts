import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { APIOutput } from "../../../src/components/system/APIOutput.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const collect = (format: string, options: RunOptions) =>
  Effect.map(runComponent(APIOutput, { ...options, settings: { format } }), ({ Output }) => Output)

const answer = (settings: { format: string; contentType?: string }, Output: unknown) => {
  const record = { id: "O1", name: "API Output", result: { Output } }
  return { record, answer: APIOutput.answer!(record, Schema.decodeSync(APIOutput.config)(settings)) }
}

describe("APIOutput", () => {
  it.effect("collects the declared inputs, also those that are 0, empty, false or null", () =>
    Effect.gen(function*() {
      const inputs = { a: 0, b: "", c: false, d: null }
      assert.deepStrictEqual(yield* collect("full", { inputs }), inputs)
      assert.deepStrictEqual(yield* collect("minimal", { inputs: { a: 1 }, ports: ["a", "missing", "toString"] }), {
        a: 1
      })
    }))

  it.effect("keeps an input that is named like a variable, and no variable that is not an input", () =>
    Effect.gen(function*() {
      const options = { inputs: { city: "Rome" }, variables: { city: "Paris", key: "x" } }
      assert.deepStrictEqual(yield* collect("full", options), { city: "Rome" })
    }))

  it.effect("raw joins the inputs as text, objects as JSON, in the order they are declared", () =>
    Effect.gen(function*() {
      const inputs = { b: { x: [1] }, a: "text ", c: 5, d: null }
      assert.strictEqual(yield* collect("raw", { inputs, ports: ["a", "b", "c", "d"] }), "text {\"x\":[1]}5")
    }))

  it("answers with its record, or with the bare output when minimal or not JSON", () => {
    for (
      const settings of [{ format: "full" }, { format: "raw", contentType: "" }, {
        format: "full",
        contentType: "application/json"
      }]
    ) {
      const made = answer(settings, { a: 1 })
      assert.strictEqual(made.answer, made.record)
    }
    assert.deepStrictEqual(answer({ format: "minimal" }, { a: 1 }).answer, { a: 1 })
    assert.strictEqual(answer({ format: "minimal" }, "").answer, "")
    assert.strictEqual(answer({ format: "raw", contentType: "text/html" }, "<p>").answer, "<p>")
  })

  it.effect("refuses other formats", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(collect("minimum", {}))).message, "got \"minimum\". Did you mean \"minimal\"?")
    }))
})
