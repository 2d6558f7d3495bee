import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { VisionLLM } from "../../../src/components/ai/VisionLLM.ts"
import * as Kernel from "./kernel.ts"

const settings = { model: "gpt-4o-mini", prompt: "What is it, {{who}}?", maxTokens: 50 }
const variables = { who: "Ann" }
const png =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

describe("VisionLLM", () => {
  it.scopedLive("shows a model the images, one or a list, whatever the type of the input", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make(["A dot.", "{\"Color\":\"red\"}"])
      const spoken: Array<string> = []
      const run = (Images: unknown, more: object = {}) =>
        kernel.run(VisionLLM, {
          settings: { ...settings, passthrough: true },
          variables,
          inputs: { Images },
          step: { emit: (_, text) => void spoken.push(text) },
          ...more
        })
      assert.deepStrictEqual(yield* run(png), { Reply: "A dot." })
      assert.strictEqual(spoken.join(""), "A dot.\n")
      assert.deepStrictEqual(yield* run([png, [png]], { outputs: ["Color"] }), { Reply: { Color: "red" } })
      const [one, two] = yield* kernel.requests
      assert.strictEqual(one?.maxTokens, 50)
      assert.deepStrictEqual(one?.messages[0]?.content[0], { type: "text", text: "What is it, Ann?" })
      assert.deepInclude(one?.messages[0]?.content[1] as object, { type: "file", mediaType: "image/png" })
      assert.lengthOf(two?.messages.at(-1)?.content ?? [], 3)
    }))

  it.scopedLive("says what is no image for the model", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make([])
      const run = (Images: unknown) =>
        Effect.map(Effect.flip(kernel.run(VisionLLM, { settings, inputs: { Images } })), ({ message }) => message)
      assert.include(yield* run("data:audio/mpeg;base64,SUQz"), "cannot read audio/mpeg")
      assert.include(yield* run({ a: 1 }), "Not a readable file")
    }))
})
