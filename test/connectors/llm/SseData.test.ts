import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as SseData from "../../../src/connectors/llm/SseData.ts"

const line = FastCheck.stringMatching(/^[a-z :é👍]{0,12}$/)
const event = FastCheck.array(line, { minLength: 1, maxLength: 3 })

describe("server-sent events", () => {
  it.prop(
    "come out whole, with any line end, however the text is cut",
    [FastCheck.array(event), FastCheck.constantFrom("\n", "\r\n", "\r"), FastCheck.array(FastCheck.nat(400))],
    ([events, end, cuts]) => {
      const text =
        events.map((lines) => lines.map((one) => `data: ${one}${end}`).join("") + `: comment${end}id: 1${end}${end}`)
          .join("") + "ignored"
      const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
      const feed = SseData.make()
      const found = at.slice(1).flatMap((to, index) => feed(text.slice(at[index], to)) ?? [])
      assert.deepStrictEqual(found, events.map((lines) => lines.join("\n")))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it("are refused when one never ends", () => {
    const feed = SseData.make(10)
    assert.deepStrictEqual(feed("data:12345"), [])
    assert.isUndefined(feed("6"))
  })
})
