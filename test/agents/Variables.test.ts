import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import * as Variables from "../../src/agents/Variables.ts"
import { agentDocument, endpoint, runDocument } from "./documents.ts"

const ofAgent = (variables: Record<string, unknown>) => Variables.ofAgent({ variables, components: [] })

describe("variables that name others", () => {
  it("hold their values, one that names itself keeps its token", () => {
    const { plain } = ofAgent({ a: "{{b}}!", b: "{{c}}{{c}}", c: "x", self: "{{self}}" })
    assert.deepStrictEqual(plain, { a: "xx!", b: "xx", c: "x", self: "{{self}}" })
  })

  it("ten thousand of them are read at once", () => {
    const { plain } = ofAgent(
      Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`v${n}`, `{{v${n - 1}}}{{nobody}}`]))
    )
    assert.strictEqual(Object.keys(plain).length, 10_000)
  })

  it.effect("a few that grow beyond all memory are a problem of the document", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x") }, [], {
        variables: {
          v0: "x".repeat(1000),
          ...Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`v${n + 1}`, `{{v${n}}}`.repeat(1000)]))
        }
      })
      const loaded = yield* Effect.either(runDocument(document, { body: { x: 1 } }))
      assert.isTrue(Either.isLeft(loaded))
      assert.match(String(Either.getLeft(loaded)), /variables\.v2.*too large/s)
    }))

  it("a default that would grow so keeps its tokens", () => {
    const variables = ofAgent({ v: "x".repeat(1_000_000) })
    assert.strictEqual(Variables.fallback("{{v}}".repeat(1000), variables), "{{v}}".repeat(1000))
  })
})
