import { assert, describe, it } from "@effect/vitest"
import { Either, ParseResult, Schema } from "effect"
import * as Settings from "../../src/components/Settings.ts"
import * as TemplateString from "../../src/kernel/TemplateString.ts"

const Config = Schema.Struct({
  temperature: Settings.number({ min: 0, max: 2, default: 1 }),
  count: Settings.integer({ min: 1 }),
  strict: Settings.boolean({ default: true }),
  title: Settings.text({ max: 5 }),
  note: Settings.text({ default: "" }),
  prompt: Settings.template({ max: 20 }),
  method: Settings.literal(["GET", "POST"], { default: "POST" }),
  limit: Settings.optional(Settings.number({ max: 10 })),
  suffix: Settings.optional(Settings.template())
})
const valid = { count: 1, title: "t", prompt: "p" }

const decode = (settings: Record<string, unknown>) =>
  ParseResult.decodeUnknownEither(Config, { errors: "all" })({ ...valid, ...settings })

const problem = (settings: Record<string, unknown>) =>
  decode(settings).pipe(
    Either.flip,
    Either.map((issue) =>
      ParseResult.ArrayFormatter.formatIssueSync(issue).map((one) => `${one.path.join(".")}: ${one.message}`)
    ),
    Either.getOrThrow
  )

describe("settings of documents", () => {
  it("read numbers and booleans from text", () => {
    const config = Either.getOrThrow(decode({ temperature: "0.5", count: "3", strict: "false", limit: " 7 " }))
    assert.deepInclude(config, { temperature: 0.5, count: 3, strict: false, limit: 7 })
    assert.strictEqual(Either.getOrThrow(decode({ strict: 0 })).strict, false)
  })

  it("take missing, null and empty text for not set", () => {
    for (
      const unset of [{}, { temperature: "", strict: "", method: "", limit: "" }, {
        temperature: null,
        strict: null,
        limit: null
      }]
    ) {
      const config = Either.getOrThrow(decode(unset))
      assert.deepInclude(config, { temperature: 1, strict: true, note: "", method: "POST" })
      assert.notProperty(config, "limit")
      assert.notProperty(config, "suffix")
    }
  })

  it("keep 0 and false", () => {
    assert.deepInclude(Either.getOrThrow(decode({ temperature: 0, limit: 0, strict: false })), {
      temperature: 0,
      limit: 0,
      strict: false
    })
  })

  it("parse templates once", () => {
    const config = Either.getOrThrow(decode({ prompt: "say {{x}}", suffix: "{{y}}" }))
    assert.strictEqual(TemplateString.render(config.prompt, { x: "hi" }), "say hi")
    assert.deepStrictEqual(config.suffix, TemplateString.parse("{{y}}"))
  })

  it("match literals in any case", () => {
    assert.strictEqual(Either.getOrThrow(decode({ method: "get" })).method, "GET")
  })

  it("say what is wrong, with one message each", () => {
    assert.deepStrictEqual(problem({ temperature: "3" }), ["temperature: expected a number from 0 to 2, got \"3\""])
    assert.deepStrictEqual(problem({ temperature: "hot" }), ["temperature: expected a number from 0 to 2, got \"hot\""])
    assert.deepStrictEqual(problem({ temperature: [] }), ["temperature: expected a number from 0 to 2, got []"])
    assert.deepStrictEqual(problem({ count: 1.5 }), ["count: expected a whole number of at least 1, got 1.5"])
    assert.deepStrictEqual(problem({ count: "" }), ["count: expected a whole number of at least 1, got \"\""])
    assert.deepStrictEqual(problem({ count: null }), ["count: expected a whole number of at least 1, got null"])
    assert.deepStrictEqual(problem({ strict: "maybe" }), ["strict: expected true or false, got \"maybe\""])
    assert.deepStrictEqual(problem({ title: "" }), [
      "title: expected text of at most 5 characters, not empty, got \"\""
    ])
    assert.deepStrictEqual(problem({ title: "longer" }), [
      "title: expected text of at most 5 characters, not empty, got \"longer\""
    ])
    assert.deepStrictEqual(problem({ prompt: 5 }), ["prompt: expected text of at most 20 characters, not empty, got 5"])
    assert.deepStrictEqual(problem({ limit: "x" }), ["limit: expected a number of at most 10, got \"x\""])
    assert.deepStrictEqual(problem({ method: "POSTS" }), [
      "method: expected one of \"GET\", \"POST\", got \"POSTS\". Did you mean \"POST\"?"
    ])
    assert.strictEqual(problem({ method: {}, count: "x", suffix: 1 }).length, 3)
  })

  it("encode to what decodes to the same", () => {
    const config = Either.getOrThrow(decode({ temperature: "0", prompt: "{{x}}", limit: 3 }))
    const encoded = Schema.encodeSync(Config)(config)
    assert.deepInclude(encoded, { temperature: 0, prompt: "{{x}}", limit: 3 })
    assert.deepStrictEqual(Schema.decodeSync(Config)(encoded), config)
  })
})
