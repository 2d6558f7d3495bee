import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as S3Key from "../../src/connectors/S3Key.ts"

const letter = FastCheck.constantFrom("a", "~", "-", "/", "é", "👋", "%", " ")
const segment = FastCheck.oneof(
  FastCheck.string({ unit: letter, maxLength: 12 }),
  FastCheck.string({ unit: letter, minLength: 150, maxLength: 450 })
)
const key = FastCheck.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"))

describe("S3Key", () => {
  it("reads back as it was", () => {
    FastCheck.assert(FastCheck.property(key, (key) => S3Key.decode(S3Key.encode(key)) === key))
  })

  it("begins as what the key begins with, and has no segment of more than 255 bytes", () => {
    FastCheck.assert(FastCheck.property(key, FastCheck.nat(), (key, n) => {
      const letters = Array.from(key)
      const start = letters.slice(0, n % (letters.length + 1)).join("")
      assert.isTrue(S3Key.encode(key).startsWith(S3Key.encode(start)))
      assert.isTrue(S3Key.encode(key).split("/").every((one) => Buffer.byteLength(one) <= 255))
    }))
  })

  it("is the key itself where nothing is in the way", () => {
    for (const plain of ["user:ann/reports/today.json", "agent:a1/Grüße 👋/a+b%20?#"]) {
      assert.strictEqual(S3Key.encode(plain), plain)
    }
  })
})
