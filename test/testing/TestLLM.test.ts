import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { LLM } from "../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../src/subsystems/llm/Prompt.ts"
import * as TestLLM from "../../src/testing/TestLLM.ts"

const ask = (text: string, model = "gpt-4o") =>
  Candidate.as(
    Effect.flatMap(LLM, (llm) => llm.generate({ model, messages: [Prompt.user(text)] })),
    Candidate.user("u1")
  )

describe("TestLLM", () => {
  it.effect("answers turn by turn under any name of the registry, and remembers", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* ask("one"), { text: "first turn", reason: "stop" })
      assert.deepInclude(yield* ask("two", "claude-4-sonnet"), {
        text: "Adding",
        toolCalls: [{ id: "call_1", name: "add", arguments: `{"a":1}` }, { id: "call_2", name: "add", arguments: "{" }],
        reason: "tool-calls"
      })
      assert.strictEqual((yield* Effect.flip(ask("three")))._tag, "ConnectorError")
      const test = yield* TestLLM.TestLLM
      assert.deepStrictEqual(
        (yield* test.requests).map(({ messages }) => messages),
        ["one", "two", "three"].map((text) => [Prompt.user(text)])
      )
      assert.strictEqual(yield* test.remaining, 0)
      assert.match((yield* Effect.flip(ask("four"))).message, /the script has 3 turns/)
    }).pipe(Effect.provide(TestLLM.layer([
      "first turn",
      { text: "Adding", toolCalls: [{ name: "add", arguments: { a: 1 } }, { name: "add", arguments: "{" }] },
      new ConnectorError({ connector: "TestLLM", method: "stream", reason: "Unauthorized" })
    ]))))

  it.effect("a turn may expect what a tool gave", () =>
    Effect.gen(function*() {
      const llm = yield* LLM
      const given = (result: unknown) =>
        llm.generate({
          model: "gpt-4o",
          messages: [
            Prompt.user("sum?"),
            { role: "assistant", content: [{ type: "tool-call", id: "1", name: "add", params: {} }] },
            { role: "tool", content: [{ type: "tool-result", id: "1", name: "add", result, isFailure: false }] }
          ]
        })
      assert.strictEqual((yield* given({ sum: 5 })).text, "five")
      assert.match((yield* Effect.flip(given({ sum: 6 }))).message, /\{\\"sum\\":6\}/)
    }).pipe(
      Candidate.as(Candidate.user("u1")),
      Effect.provide(TestLLM.layer([
        { expect: { text: /"sum":5/ }, text: "five" },
        { expect: { text: /"sum":5/ }, text: "five" }
      ]))
    ))

  it.effect("says a value as JSON in the form of its schema", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* ask("when?")).text, `{"at":"1970-01-01T00:00:00.000Z"}`)
    }).pipe(Effect.provide(TestLLM.layer([
      TestLLM.json(Schema.Struct({ at: Schema.Date }), { at: new Date(0) })
    ]))))

  it.effect("knows no model the registry does not know", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(ask("hi", "gpt-x-unknown")))._tag, "ModelNotFound")
    }).pipe(Effect.provide(TestLLM.layer([]))))
})
