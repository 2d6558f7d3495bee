import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Classifier } from "../../../src/components/ai/Classifier.ts"
import * as TestModel from "./models.ts"

const settings = { model: "test", prompt: "What is it about? Tone: {{tone}}" }
const outputs = [{ name: "Billing", description: "money" }, { name: "Support", description: "help" }, "Other", "_error"]
const options = { settings, outputs, inputs: { Input: `I "paid" {{secret}} twice` } }

describe("Classifier", () => {
  it.scopedLive("fires the categories of the answer that hold, and nothing that is no category", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make(
        `{"Billing": true, "Support": false, "Other": "", "invented": true}`,
        `So: {"Billing": "double charge", "Support": 1, "Other": "false"}`,
        "{}"
      )
      assert.deepStrictEqual(yield* model.run(Classifier, options), { Billing: true })
      assert.deepStrictEqual(yield* model.run(Classifier, options), { Billing: "double charge", Support: 1 })
      assert.deepStrictEqual(yield* model.run(Classifier, options), {})
    }))

  it.scopedLive("shows the model the inputs and what the categories mean, but no variable it is not told to", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("{}")
      yield* model.run(Classifier, { ...options, variables: { secret: "s3cret", tone: "kind" } })
      const [request] = model.asked()
      const prompt = TestModel.textOf(request?.messages.at(-1)?.content)
      assert.match(prompt, /^What is it about\? Tone: kind\n/)
      assert.include(prompt, JSON.stringify(options.inputs))
      assert.notInclude(prompt, "s3cret")
      assert.deepStrictEqual(JSON.parse(prompt.slice(prompt.lastIndexOf("\n{"))), {
        Billing: "<Boolean|String> (money)",
        Support: "<Boolean|String> (help)",
        Other: "<Boolean|String>"
      })
      assert.deepStrictEqual(request?.["response_format"], { type: "json_object" })
    }))

  it.scopedLive("honours the settings of the model", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("{}")
      yield* model.run(Classifier, { ...options, settings: { ...settings, temperature: "0", maxTokens: "50" } })
      assert.deepInclude(model.asked()[0], { temperature: 0, max_completion_tokens: 50 })
    }))

  it.scopedLive("fails on an answer that is no object, with some of it, and on an error in the answer", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("I think ".repeat(100), "[true]", `{"error": "cannot tell"}`)
      const prose = yield* Effect.flip(model.run(Classifier, options))
      assert.include(prose.message, "I think I think")
      assert.isBelow(prose.message.length, 300)
      assert.include((yield* Effect.flip(model.run(Classifier, options))).message, "[true]")
      assert.strictEqual((yield* Effect.flip(model.run(Classifier, options))).message, "cannot tell")
    }))

  it.scopedLive("refuses to work without categories", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make("{}")
      const error = yield* Effect.flip(model.run(Classifier, { ...options, outputs: ["_error", "_debug"] }))
      assert.include(error.message, "no categories")
      assert.lengthOf(model.asked(), 0)
    }))

  it.scopedLive("with Echo reads the prompt itself as the answer", () =>
    Effect.gen(function*() {
      const model = yield* TestModel.make()
      const echo = { model: "Echo", prompt: `{"Billing": "{{Input}}", "Other": false}` }
      assert.deepStrictEqual(yield* model.run(Classifier, { settings: echo, outputs, inputs: { Input: `a "b"` } }), {
        Billing: `a "b"`
      })
    }))
})
