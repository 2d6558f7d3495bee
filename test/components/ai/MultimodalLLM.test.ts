import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MultimodalLLM } from "../../../src/components/ai/MultimodalLLM.ts"
import * as Kernel from "./kernel.ts"

const pdf = `data:application/pdf;base64,${btoa("%PDF-1.4\n")}`
const mp3 = "data:audio/mpeg;base64,SUQz"

describe("MultimodalLLM", () => {
  it.scopedLive("gives the model every kind of file it reads, and leaves out what it does not", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make(["ok", "ok"])
      const warnings: Array<string> = []
      const run = (Input: unknown) =>
        kernel.run(MultimodalLLM, {
          settings: { model: "gemini-2.5-flash", prompt: "Look" },
          inputs: Input === undefined ? {} : { Input },
          step: { log: (_, message) => void warnings.push(message) }
        })
      assert.deepStrictEqual(yield* run([pdf, mp3]), { Reply: "ok" })
      yield* run(undefined)
      const [one, two] = yield* kernel.requests
      assert.deepStrictEqual(
        (one?.messages[0]?.content as ReadonlyArray<{ readonly mediaType?: string }>).map(({ mediaType }) => mediaType),
        [undefined, "application/pdf", "audio/mpeg"]
      )
      assert.lengthOf(two?.messages[0]?.content ?? [], 1)
      assert.deepStrictEqual(warnings, [])
    }))

  it.scopedLive("says what it cannot read", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make([])
      const settings = { model: "gpt-4o-mini", prompt: "Look" }
      const error = yield* Effect.flip(kernel.run(MultimodalLLM, { settings, inputs: { Input: mp3 } }))
      assert.include(error.message, "cannot read audio/mpeg")
    }))
})
