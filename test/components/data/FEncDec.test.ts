import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { FEncDec } from "../../../src/components/data/FEncDec.ts"
import { runComponent } from "../harness.ts"

const run = (settings: Record<string, unknown>, Data: unknown) =>
  Effect.map(runComponent(FEncDec, { settings, inputs: { Data } }), ({ Output }) => Output)

describe("FEncDec", () => {
  it.effect("encodes", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* run({ action: "Encode", encoding: "base64" }, "hi"), "aGk=")
      assert.strictEqual(yield* run({ action: "Encode", encoding: "hex" }, "hi"), "6869")
      assert.strictEqual(yield* run({ encoding: "base64url" }, "hi"), "aGk")
      assert.strictEqual(yield* run({ encoding: "base64" }, [1, 2]), "AQI=")
      assert.strictEqual(yield* run({ encoding: "hex" }, new Uint8Array([255]).subarray(0)), "ff")
      assert.strictEqual(yield* run({}, "hi"), "hi")
    }))

  it.effect("decodes, over line breaks too", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* run({ action: "Decode", encoding: "hex" }, "6869"), "hi")
      assert.strictEqual(yield* run({ action: "decode", encoding: "base64" }, "aG\nk=\n"), "hi")
    }))

  it.effect.prop(
    "decodes what it encoded",
    [FastCheck.string({ unit: "grapheme" }), FastCheck.constantFrom("hex", "base64", "base64url", "utf8")],
    ([text, encoding]) =>
      Effect.gen(function*() {
        const encoded = yield* run({ action: "Encode", encoding }, text)
        assert.strictEqual(yield* run({ action: "Decode", encoding }, encoded), text)
      })
  )

  it.effect("refuses text that is not of the encoding, instead of skipping what it cannot read", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        (yield* Effect.flip(run({ action: "Decode", encoding: "hex" }, "68zz"))).message,
        "Data: expected hex text, got \"68zz\""
      )
      assert.include((yield* Effect.flip(run({ action: "Decode", encoding: "base64" }, "a*b"))).message, "base64")
    }))

  it.effect("refuses objects, and settings nobody knows", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(run({}, { a: 1 }))).message, "Data: expected text or bytes")
      assert.include((yield* Effect.flip(run({}, [1, 256]))).message, "Data: expected text or bytes")
      assert.include((yield* Effect.flip(run({ encoding: "base46" }, "x"))).message, "encoding")
      assert.include((yield* Effect.flip(run({ action: "Encrypt" }, "x"))).message, "action")
    }))
})
