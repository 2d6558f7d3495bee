import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { execFileSync } from "node:child_process"
import { quoted, valueOf } from "../../src/cli/Sample.ts"
import { coercer } from "../../src/components/Coerce.ts"
import { portTypes } from "../../src/components/Port.ts"

describe("samples", () => {
  it("a quoted text is one word of a shell, whatever is in it", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.string({ unit: "binary" }), { maxLength: 8 }), (texts) => {
        const words = texts.map((text) => text.replaceAll("\0", "").toWellFormed())
        const line = ["printf '%s\\0'", ...words.map(quoted)].join(" ")
        const printed = words.length === 0 ? "" : execFileSync("sh", ["-c", line], { encoding: "utf8" })
        assert.strictEqual(printed, words.map((word) => `${word}\0`).join(""))
      }),
      { numRuns: 30 }
    )
  })

  for (const type of portTypes) {
    it(`the sample of a port of type ${type} fits it`, () => {
      const value = valueOf({ name: "x", type, description: "", fallback: undefined })
      assert.strictEqual(coercer(type)(value)._tag, "Right")
    })
  }

  it("a default of the document is the best sample; else a text fits the name of the input", () => {
    const input = { name: "city", type: "Text", description: "" }
    assert.strictEqual(valueOf({ ...input, fallback: "Rome" }), "Rome")
    assert.strictEqual(valueOf({ ...input, fallback: undefined }), "Berlin")
  })
})
