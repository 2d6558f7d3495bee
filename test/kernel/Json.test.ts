import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import * as Json from "../../src/kernel/Json.ts"

describe("extract", () => {
  it("reads an object or a list, with space around it", () => {
    assert.deepStrictEqual(Json.extract(" {\"a\":1}\n"), { a: 1 })
    assert.deepStrictEqual(Json.extract("[1,2]"), [1, 2])
  })

  it("repairs what people and models get wrong", () => {
    assert.deepStrictEqual(Json.extract("{a: 'x', b: [1,2,], \"n\":}"), { a: "x", b: [1, 2], n: null })
  })

  it("drops prose around an object, but not around a list", () => {
    assert.deepStrictEqual(Json.extract("Here:\n```json\n{\"a\":{\"b\":2}}\n```\nDone."), { a: { b: 2 } })
    assert.strictEqual(Json.extract("```json\n[1]\n```"), "```json\n[1]\n```")
  })

  it("gives back what holds none", () => {
    for (
      const text of ["", "plain", "42", "true", "\"text\"", "} {", "{\"a\":1}{\"b\":2}", "{\"a\":1} and {\"b\":2}"]
    ) {
      assert.strictEqual(Json.extract(text), text)
    }
    for (const value of [1, null, undefined, false]) assert.strictEqual(Json.extract(value), value)
    const object = {}
    assert.strictEqual(Json.extract(object), object)
  })

  it.prop(
    "reads all JSON objects back",
    [FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue())],
    ([object]) => {
      const text = JSON.stringify(object)
      assert.deepStrictEqual(Json.extract(text), JSON.parse(text))
    }
  )

  it.prop("never throws", [
    FastCheck.oneof(
      FastCheck.string(),
      FastCheck.array(FastCheck.constantFrom(..."{}[]\",:a1 \\")).map((a) => a.join(""))
    )
  ], ([text]) => {
    Json.extract(text)
    Json.extract(`{${text}}`)
  })

  it("gives up on text that would take minutes to repair, and repairs the next", () => {
    const text = `{${"\"a b c ".repeat(20_000)}}`
    assert.strictEqual(Json.extract(text), text)
    assert.deepStrictEqual(Json.extract("{a:1}"), { a: 1 })
  })

  it("survives nesting deeper than the stack", () => {
    const text = "[".repeat(200_000) + "]".repeat(200_000)
    assert.isDefined(Json.extract(text))
  })
})

describe("parseFull", () => {
  it("reads only text that starts with a bracket", () => {
    assert.deepStrictEqual(Json.parseFull("{a:1}"), Either.right({ a: 1 }))
    assert.deepStrictEqual(Json.parseFull("[1]"), Either.right([1]))
    assert.deepStrictEqual(Json.parseFull(" {}"), Either.left("expected text that starts with { or [, got \" {}\""))
    assert.isTrue(Either.isLeft(Json.parseFull("text {\"a\":1}")))
  })
})

describe("stringify", () => {
  it("never throws", () => {
    const cycle: Record<string, unknown> = { a: 1n, list: [1n] }
    cycle["self"] = cycle
    assert.strictEqual(Json.stringify(cycle), "{\"a\":\"1\",\"list\":[\"1\"],\"self\":\"[cycle]\"}")
    const twice = { x: 1n }
    assert.strictEqual(Json.stringify([twice, twice]), "[{\"x\":\"1\"},{\"x\":\"1\"}]")
    const thrower = {
      ok: 1,
      get bad(): never {
        throw new Error("no")
      },
      toJSON(): never {
        throw new Error("no")
      }
    }
    assert.strictEqual(Json.stringify(thrower), "{\"ok\":1,\"bad\":null}")
    assert.strictEqual(Json.stringify(undefined), "null")
    assert.strictEqual(Json.stringify(Symbol.iterator), "null")
    let deep: unknown = []
    for (let level = 0; level < 200_000; level++) deep = [deep]
    assert.strictEqual(Json.stringify(deep), "\"[too deep]\"")
  })

  it.prop(
    "is JSON for anything",
    [FastCheck.anything({ withBigInt: true, withDate: true, withMap: true })],
    ([value]) => {
      JSON.parse(Json.stringify(value))
    }
  )
})

it("what holds itself many times over is cut, not printed for ever", () => {
  let value: unknown = [1n]
  for (let level = 0; level < 60; level++) value = [value, value]
  assert.include(Json.stringify(value), "[too large]")
})

it("isDeeper counts levels of objects and lists", () => {
  assert.isFalse(Json.isDeeper("text", 0))
  assert.isFalse(Json.isDeeper({ a: [1] }, 2))
  assert.isTrue(Json.isDeeper({ a: [[]] }, 2))
})

describe("toText", () => {
  it("is the value's own text, and JSON for objects", () => {
    assert.deepStrictEqual(
      ["a", 1.5, false, null, undefined, [1], { a: 1 }, new Date(0), new Date(NaN), 7n].map(Json.toText),
      ["a", "1.5", "false", "", "", "[1]", "{\"a\":1}", "1970-01-01T00:00:00.000Z", "null", "7"]
    )
  })
})

describe("preview", () => {
  it("is short", () => {
    assert.strictEqual(Json.preview("abc"), "\"abc\"")
    assert.strictEqual(Json.preview("x".repeat(100)).length, 40)
    assert.deepStrictEqual([undefined, null, NaN, {}].map((value) => Json.preview(value)), [
      "nothing",
      "null",
      "NaN",
      "{}"
    ])
  })
})
