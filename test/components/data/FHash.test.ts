import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { getHashes } from "node:crypto"
import { FHash } from "../../../src/components/data/FHash.ts"
import { runComponent } from "../harness.ts"

const hash = (settings: Record<string, unknown>, Data: unknown) =>
  Effect.map(runComponent(FHash, { settings, inputs: { Data } }), ({ Hash }) => Hash)

describe("FHash", () => {
  it.effect("hashes text and bytes", () =>
    Effect.gen(function*() {
      const sha256 = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"
      assert.strictEqual(yield* hash({ algorithm: "md5", encoding: "hex" }, "hi"), "49f68a5c8493ec2c0bf489821c21fc3b")
      assert.strictEqual(yield* hash({ algorithm: "sha256", encoding: "hex" }, "hi"), sha256)
      assert.strictEqual(yield* hash({ algorithm: "SHA256" }, new TextEncoder().encode("hi")), sha256)
      assert.strictEqual(yield* hash({ algorithm: "md5", encoding: "base64" }, "hi"), "SfaKXIST7CwL9ImCHCH8Ow==")
    }))

  it.effect("gives hex text, not bytes, when no encoding is set", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* hash({ algorithm: "md5" }, "hi"), "49f68a5c8493ec2c0bf489821c21fc3b")
    }))

  it.effect("knows every digest of the platform", () =>
    Effect.gen(function*() {
      for (const algorithm of getHashes()) assert.isString(yield* hash({ algorithm }, "hi"), algorithm)
    }))

  it.effect("refuses unknown digests and encodings at load, with near names", () =>
    Effect.gen(function*() {
      assert.include(
        (yield* Effect.flip(hash({ algorithm: "sha265" }, "hi"))).message,
        "unknown digest \"sha265\". Did you mean \"sha256\""
      )
      assert.include(
        (yield* Effect.flip(hash({ algorithm: "md5", encoding: "hexx" }, "hi"))).message,
        "Did you mean \"hex\"?"
      )
      assert.include((yield* Effect.flip(hash({}, "hi"))).message, "algorithm")
    }))

  it.effect("refuses what is neither text nor bytes", () =>
    Effect.gen(function*() {
      for (const [data, shown] of [[{ a: 1 }, "{\"a\":1}"], [5, "5"], [null, "null"], [["a"], "[\"a\"]"]] as const) {
        const error = yield* Effect.flip(hash({ algorithm: "md5" }, data))
        assert.strictEqual(error.message, `Data: expected text or bytes, got ${shown}`)
      }
    }))
})
