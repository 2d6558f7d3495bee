import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { PromptGenerator } from "../../../src/components/ai/PromptGenerator.ts"
import * as TestModel from "./models.ts"

const echo = { model: "Echo" }

describe("PromptGenerator", () => {
  it("is known as LLMPrompt in older documents", () => {
    assert.deepStrictEqual(PromptGenerator.aliases, ["LLMPrompt"])
  })

  describe("with Echo", () => {
    const cases: ReadonlyArray<
      readonly [what: string, prompt: string, inputs: Readonly<Record<string, unknown>>, reply: unknown]
    > = [
      [
        "values of inputs and variables, unknown tokens stay",
        "say {{Input}} {{who}} {{nope}}",
        { Input: "He" },
        "say He W {{nope}}"
      ],
      ["quotes in plain text are left alone", `He said {{Input}}`, { Input: `"hi" \\ there` }, `He said "hi" \\ there`],
      ["quotes around a token do not make text JSON", `"{{Input}}" was said`, { Input: `a "b"` }, `"a "b"" was said`],
      [
        "a list in brackets that is no JSON",
        `[to {{Input}}] "{{Input}}" [end]`,
        { Input: `a "b"` },
        `[to a "b"] "a "b"" [end]`
      ],
      [
        "JSON with a quoted token, and quotes in the value",
        `{"text": "{{Input}}", "n": {{n}}}`,
        { Input: `He said "hi"\n\\o/`, n: 3 },
        { text: `He said "hi"\n\\o/`, n: 3 }
      ],
      ["an object among prose", `Here: {"a": 1} so`, { Input: "" }, { a: 1 }],
      ["a value that looks like a token", "{{Input}}", { Input: "{{who}}" }, "{{who}}"],
      ["text that is a number", "{{Input}}", { Input: "042" }, "042"]
    ]
    for (const [what, prompt, inputs, reply] of cases) {
      it.scopedLive(what, () =>
        Effect.gen(function*() {
          const { run } = yield* TestModel.make()
          const outputs = yield* run(PromptGenerator, {
            settings: { ...echo, prompt },
            inputs,
            outputs: ["Reply", "title"],
            variables: { who: "W" }
          })
          assert.deepStrictEqual(outputs, { Reply: reply })
        }))
    }

    it.scopedLive("by its legacy spelling", () =>
      Effect.gen(function*() {
        const { run } = yield* TestModel.make()
        assert.deepStrictEqual(yield* run(PromptGenerator, { settings: { model: "echo", prompt: "x" } }), {
          Reply: "x"
        })
      }))
  })

  it.scopedLive("sends all of its settings, numbers also when they are text", () =>
    Effect.gen(function*() {
      const { asked, run } = yield* TestModel.make("fine")
      const outputs = yield* run(PromptGenerator, {
        settings: {
          model: "test",
          prompt: "x",
          temperature: "1.5",
          maxTokens: "77",
          stopSequences: "END, STOP\nHALT,",
          topP: "0.5",
          frequencyPenalty: 1,
          presencePenalty: "0.25",
          verbosity: "low",
          responseFormat: ""
        }
      })
      assert.deepStrictEqual(outputs, { Reply: "fine" })
      const [request] = asked()
      assert.deepInclude(request, {
        model: "test-1",
        temperature: 1.5,
        max_completion_tokens: 77,
        stop: ["END", "STOP", "HALT"],
        top_p: 0.5,
        frequency_penalty: 1,
        presence_penalty: 0.25
      })
      assert.notProperty(request, "response_format")
    }))

  it.scopedLive("asks for the declared outputs by name, as JSON", () =>
    Effect.gen(function*() {
      const { asked, run } = yield* TestModel.make("Sure! {\"title\": \"T\", \"n\": 0}")
      const outputs = yield* run(PromptGenerator, {
        settings: { model: "test", prompt: "Name it" },
        outputs: ["Reply", { name: "title", description: "a \"short\" title" }, "n", "_error", "_debug"]
      })
      assert.deepStrictEqual(outputs, { Reply: { title: "T", n: 0 } })
      const [request] = asked()
      assert.deepStrictEqual(request?.["response_format"], { type: "json_object" })
      const prompt = TestModel.textOf(request?.messages.at(-1)?.content)
      assert.match(prompt, /^Name it\n\n/)
      assert.deepStrictEqual(JSON.parse(prompt.slice(prompt.indexOf("{"))), {
        title: `<value> (a "short" title)`,
        n: "<value>"
      })
    }))

  it.scopedLive("in passthrough streams the answer on, and reads it as JSON all the same", () =>
    Effect.gen(function*() {
      const { run } = yield* TestModel.make({ reasoning: "let me", text: "{\"a\": 1}" })
      const streamed: Array<string> = []
      const outputs = yield* run(PromptGenerator, {
        settings: { model: "test", prompt: "x", passthrough: "true" },
        step: { emit: (kind, text) => void streamed.push(`${kind}:${text}`) }
      })
      assert.deepStrictEqual(outputs, { Reply: { a: 1 } })
      assert.deepStrictEqual(streamed, ["thinking:let ", "thinking:me", "content:{\"a\": ", "content:1}", "content:\n"])
    }))

  it.scopedLive("fails on a failure of the provider, also in passthrough, with what it had said", () =>
    Effect.gen(function*() {
      const { run } = yield* TestModel.make(
        { status: 400, body: { error: { message: "bad prompt" } } },
        { text: "half of", finish: null, done: false, then: "cut" }
      )
      const settings = { model: "test", prompt: "x", passthrough: true }
      const refused = yield* Effect.flip(run(PromptGenerator, { settings }))
      assert.include(refused.message, "InvalidInput")
      const broken = yield* Effect.flip(run(PromptGenerator, { settings }))
      assert.deepStrictEqual(broken.outputs, { Reply: "half of" })
    }))

  it.scopedLive("fails on an empty answer and names the likely cause", () =>
    Effect.gen(function*() {
      const { run } = yield* TestModel.make("")
      const error = yield* Effect.flip(run(PromptGenerator, { settings: { model: "test", prompt: "x", maxTokens: 5 } }))
      assert.include(error.message, "maxTokens (5)")
    }))

  const wrong: ReadonlyArray<readonly [what: string, settings: Readonly<Record<string, unknown>>, named: string]> = [
    ["no model", { prompt: "x" }, "model"],
    ["an empty model", { prompt: "x", model: "" }, "model"],
    ["no prompt", { model: "Echo" }, "prompt"],
    ["a temperature out of range", { ...echo, prompt: "x", temperature: "6" }, "temperature"],
    ["no tokens", { ...echo, prompt: "x", maxTokens: 0 }, "maxTokens"],
    ["an unknown format", { ...echo, prompt: "x", responseFormat: "xml" }, "responseFormat"],
    ["an unknown model", { model: "gpt-4p", prompt: "x" }, "Did you mean"]
  ]
  for (const [what, settings, named] of wrong) {
    it.scopedLive(`refuses ${what}`, () =>
      Effect.gen(function*() {
        const { run } = yield* TestModel.make()
        assert.include((yield* Effect.flip(run(PromptGenerator, { settings }))).message, named)
      }))
  }
})
