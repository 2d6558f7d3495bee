import { assert, describe, it } from "@effect/vitest"
import { Either, ParseResult, Schema } from "effect"
import { issuesOf, settingIssuesOf } from "../../src/kernel/Issues.ts"

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

describe("settingIssuesOf", () => {
  const Nested = Schema.Struct({
    tls: Schema.optional(Schema.Struct({ ca: Schema.String, port: Schema.optional(Schema.Int) })),
    list: Schema.Array(Schema.Struct({ host: Schema.String }).pipe(Schema.filter(() => true))),
    any: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    pair: Schema.optional(Schema.Tuple(Schema.String))
  })
  const issues = (input: unknown) =>
    Either.match(ParseResult.decodeUnknownEither(Nested, { errors: "all", onExcessProperty: "error" })(input), {
      onLeft: settingIssuesOf,
      onRight: () => []
    })

  it("names keys that are no settings first, at any depth, with the one that was meant and those of their place", () => {
    const input = { tls: { port: "x", caa: "" }, list: [{ host: "h" }, { hosst: "h" }], any: { thing: 1 }, lisst: [] }
    const all = issues(input)
    assert.sameDeepMembers(all.slice(0, 3), [
      {
        path: ["lisst"],
        message: `there is no such setting. Did you mean "list"?`,
        accepted: ["tls", "list", "any", "pair"]
      },
      { path: ["tls", "caa"], message: `there is no such setting. Did you mean "ca"?`, accepted: ["ca", "port"] },
      { path: ["list", 1, "hosst"], message: `there is no such setting. Did you mean "host"?`, accepted: ["host"] }
    ])
    assert.sameMembers(all.slice(3).map(({ path }) => path.join(".")), ["tls.ca", "tls.port", "list.1.host"])
  })

  it("takes an item too many for no key", () => {
    const [first, ...more] = issues({ list: [], any: {}, pair: ["a", "b"] })
    assert.match(first?.message ?? "", /is unexpected/)
    assert.deepStrictEqual(more, [])
  })
})
