import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { JSONFilter } from "../../../src/components/data/JSONFilter.ts"
import { runComponent } from "../harness.ts"

const filter = (fields: unknown, Input: unknown) =>
  Effect.map(
    runComponent(JSONFilter, { settings: fields === undefined ? {} : { fields }, inputs: { Input } }),
    (outputs) => {
      assert.deepStrictEqual(Object.keys(outputs), ["Output"])
      return outputs["Output"]
    }
  )

describe("JSONFilter", () => {
  it.effect("keeps listed properties at every level, and nothing below others", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* filter("a,  b", { a: { c: 1, b: 2 }, d: { a: 1 }, b: [{ a: 1, z: 2 }] }),
        { a: { b: 2 }, b: [{ a: 1 }] }
      )
    }))

  it.effect("filters what a value holds many times over once", () =>
    Effect.gen(function*() {
      let value: unknown = { a: 1, z: 1 }
      for (let level = 0; level < 60; level++) value = [value, value]
      let kept = yield* filter("a", value)
      while (Array.isArray(kept)) kept = kept[1]
      assert.deepStrictEqual(kept, { a: 1 })
    }))

  it.effect("keeps what is no object as it is", () =>
    Effect.gen(function*() {
      for (const value of [null, 0, "", false, "{\"x\":1}", "[{\"x\":1}]", [1, null]]) {
        assert.deepStrictEqual(yield* filter("a", value), value)
      }
      assert.deepStrictEqual(yield* filter("a", []), [])
      assert.deepStrictEqual(yield* filter("a", {}), {})
    }))

  it.effect("empty fields keep nothing", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* filter("", { a: 1 }), {})
    }))

  it.effect("no fields at all, or too many, are refused", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(filter(undefined, {}))).message, "fields")
      assert.include((yield* Effect.flip(filter("x".repeat(30_001), {}))).message, "fields")
    }))

  it.effect("a property named __proto__ is a property", () =>
    Effect.gen(function*() {
      const output = yield* filter("__proto__,a", JSON.parse("{\"__proto__\":{\"a\":1},\"b\":2}"))
      assert.strictEqual(JSON.stringify(output), "{\"__proto__\":{\"a\":1}}")
    }))
})
