import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { split } from "../../../src/subsystems/io/TextChunks.ts"

describe("TextChunks", () => {
  it("cuts at the coarsest separator that is there, and repeats whole pieces only", () => {
    const chunks = (text: string, chunkSize: number, chunkOverlap: number) =>
      split(text, { chunkSize, chunkOverlap }).join(" | ")
    assert.strictEqual(chunks("aaaa bbbb cccc dddd", 10, 3), "aaaa bbbb | cccc dddd")
    assert.strictEqual(chunks("aaaa bbbb cccc dddd", 10, 5), "aaaa bbbb | bbbb cccc | cccc dddd")
    assert.strictEqual(chunks("one two\n\nthree four\nfive", 12, 0), "one two | three four | five")
    assert.strictEqual(chunks("abcdefghij", 4, 1), "abcd | defg | ghij")
    assert.strictEqual(chunks("", 10, 0), "")
    assert.strictEqual(chunks(" \n\n \n ", 3, 0), "")
    assert.strictEqual(chunks("short", 10, 9), "short")
  })

  it("keeps every word of any text, in order, within the size, and no character broken", () => {
    const text = FastCheck.array(FastCheck.constantFrom("a", "bb", "日本", "👋", " ", "\n", "\n\n", "word "), {
      maxLength: 60
    })
      .map((parts) => parts.join(""))
    FastCheck.assert(
      FastCheck.property(text, FastCheck.integer({ min: 2, max: 12 }), (text, chunkSize) => {
        const chunks = split(text, { chunkSize, chunkOverlap: 0 })
        assert.strictEqual(chunks.join("").replace(/\s/g, ""), text.replace(/\s/g, ""))
        for (const chunk of chunks) {
          assert.isAtMost(chunk.length, chunkSize)
          assert.isTrue(chunk.isWellFormed() && chunk.trim() === chunk && chunk !== "")
        }
      })
    )
  })

  it("takes a large text in its stride", () => {
    const chunks = split("x".repeat(300_000) + " word".repeat(100_000), { chunkSize: 512, chunkOverlap: 100 })
    assert.isTrue(chunks.every(({ length }) => length <= 512))
    assert.isAbove(chunks.length, 1500)
    assert.lengthOf(split("x".repeat(500_000), { chunkSize: 2, chunkOverlap: 0 }), 250_000)
    assert.lengthOf(split(`a\n\n${"x".repeat(500_000)}`, { chunkSize: 2, chunkOverlap: 0 }), 250_002)
  })
})
