import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as VectorWords from "../../../src/subsystems/io/VectorWords.ts"

const text = FastCheck.oneof(
  FastCheck.string({ unit: "binary", maxLength: 60 }),
  FastCheck.array(
    FastCheck.constantFrom("cat", "Dog,", "猫は", "ソファで", "İ", "ß", "e\u0301", "ไทย", "a'b", "3.5", " ")
  )
    .map((parts) => parts.join(""))
)

describe("words of a text", () => {
  it("are letters and digits in lower case, whatever writes them together or apart", () => {
    assert.deepStrictEqual(VectorWords.of("It's ZX-81/b: 12.50 (example.com) Ünï ＡＢＣ"), [
      ...["it", "s", "zx", "81", "b", "12", "50", "example", "com", "ünï", "abc"]
    ])
    assert.deepStrictEqual(VectorWords.of("नमस्ते दुनिया"), ["नमस्ते", "दुनिया"])
    assert.include(VectorWords.of("猫はソファで寝ている"), "ソファ")
    assert.deepStrictEqual(VectorWords.of(" \n—!? \u0000"), [])
  })

  it("hold nothing that a query language would read as its own, and are bounded", () => {
    FastCheck.assert(FastCheck.property(text, (text) => {
      for (const word of VectorWords.of(text)) assert.match(word, /^[\p{L}\p{N}\p{M}]{1,100}$/u)
    }))
    assert.isAtMost(VectorWords.wanted(Array.from({ length: 500 }, (_, n) => `w${n}`).join(" ")).length, 64)
    assert.deepStrictEqual(VectorWords.wanted("a b a B"), ["a", "b"])
  })

  it("of a million characters take no time to speak of", () => {
    assert.lengthOf(VectorWords.of("The cat sleeps. ".repeat(60_000)), 180_000)
    assert.isAbove(VectorWords.of("猫はソファで寝ている".repeat(5000)).length, 20_000)
  })
})

describe("two orders as one", () => {
  const ids = FastCheck.uniqueArray(FastCheck.constantFrom("a", "b", "c", "d", "e", "f"))

  it("hold what either holds, once; what both have first is first, and one alone stays as it is", () => {
    FastCheck.assert(FastCheck.property(ids, ids, (near, worded) => {
      const fused = VectorWords.fuse([near, worded])
      assert.sameMembers([...fused], [...new Set([...near, ...worded])])
      assert.lengthOf(new Set(fused), fused.length)
      assert.deepStrictEqual(VectorWords.fuse([near, []]), near)
      if (near[0] !== undefined) assert.strictEqual(VectorWords.fuse([near, [near[0], ...worded]])[0], near[0])
      // Who is before another in both is before it in the end.
      for (const [n, a] of near.entries()) {
        for (const b of near.slice(n + 1)) {
          const [x, y] = [worded.indexOf(a), worded.indexOf(b)]
          if (x >= 0 && y > x) assert.isBelow(fused.indexOf(a), fused.indexOf(b))
        }
      }
    }))
  })
})
