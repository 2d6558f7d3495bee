import { assert, describe, it } from "@effect/vitest"
import { Either, ParseResult, Schema } from "effect"
import { issuesOf } from "../../src/kernel/Issues.ts"

const Settings = Schema.Struct({
  how: Schema.optional(Schema.Literal("into", "over")),
  times: Schema.optional(Schema.Int),
  name: Schema.NonEmptyString
})

const said = (input: unknown) =>
  Either.match(ParseResult.decodeUnknownEither(Settings, { errors: "all", onExcessProperty: "error" })(input), {
    onLeft: (issue) => issuesOf(issue).map(({ message, path }) => `${path.join(".")}: ${message}`),
    onRight: () => []
  })

describe("issuesOf", () => {
  it("says in one sentence what a value may be, and not that it may be left out", () => {
    assert.deepStrictEqual(said({ how: "sideways", name: "a" }), [`how: Expected "into" or "over", actual "sideways"`])
  })

  it("says of every place what is wrong with it", () => {
    const [first, second, third] = said({ how: 1, times: 0.5, name: "", more: true }).sort()
    assert.strictEqual(first, `how: Expected "into" or "over", actual 1`)
    assert.match(second ?? "", /^more: is unexpected, expected: "how" \| "times" \| "name"/)
    assert.match(third ?? "", /^name: Expected a non empty string/)
  })

  it("says nothing of what is right", () => {
    assert.deepStrictEqual(said({ how: "over", times: 1, name: "a" }), [])
  })
})
