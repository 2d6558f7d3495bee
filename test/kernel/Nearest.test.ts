import { assert, describe, it } from "@effect/vitest"
import { didYouMean, nearest } from "../../src/kernel/Nearest.ts"

describe("nearest", () => {
  it("gives up to three names that are near, the nearest first, whatever their case", () => {
    assert.deepStrictEqual(nearest("fhsh", ["FHash", "FSign", "GenAILLM"]), ["FHash"])
    assert.deepStrictEqual(nearest("ab1", ["xy", "ab3", "ab4", "ab5", "ab1"]), ["ab1", "ab3", "ab4"])
    assert.strictEqual(didYouMean("Dta", ["Data", "Output"]), ` Did you mean "Data"?`)
    assert.strictEqual(didYouMean("x", ["Data"]), "")
  })

  it("takes two neighbours that changed places for one mistake", () => {
    assert.deepStrictEqual(nearest("nmae", ["name", "mane"]), ["name"])
    assert.deepStrictEqual(nearest("ba", ["ab"]), ["ab"])
  })

  it("does not compare what would take long: endless names, and names beyond the first thousand", () => {
    const long = "x".repeat(1_000_000)
    assert.deepStrictEqual(nearest(long, [long]), [])
    assert.deepStrictEqual(nearest("x", [long, "x1"]), ["x1"])
    const many = Array.from({ length: 1001 }, (_, n) => `name ${n}`)
    assert.include(nearest("name 999", many), "name 999")
    assert.notInclude(nearest("name 1000", many), "name 1000")
  })
})
