import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { EchoLLMLive } from "../../../src/connectors/llm/EchoLLM.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { LLM } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { keptPromise } from "../../conformance/llm-wire.ts"

const as = Candidate.as(Candidate.user("u1"))

describe("Echo", () => {
  it.effect("says the last user message again, word by word, and counts nothing", () =>
    Effect.gen(function*() {
      const llm = yield* LLM
      const messages = [
        Prompt.system("Be loud."),
        Prompt.user("first"),
        Prompt.assistant("first"),
        Prompt.user("and  now this")
      ]
      const events = yield* as(Stream.runCollect(keptPromise(llm.stream({ model: "Echo", messages }))))
      assert.deepStrictEqual(Chunk.toReadonlyArray(events), [
        ...["and ", " ", "now ", "this"].map((delta) => ({ type: "text" as const, delta })),
        { type: "finish", reason: "stop" }
      ])
    }).pipe(Effect.provide(EchoLLMLive)))

  it.effect("answers with text also when it is given tools, or nothing", () =>
    Effect.gen(function*() {
      const llm = yield* LLM
      const tools = [{ name: "f", description: "", parameters: { type: "object" } }]
      const answer = yield* as(
        llm.generate({ model: "Echo", messages: [Prompt.user("hi")], tools, toolChoice: "required" })
      )
      assert.deepInclude(answer, { text: "hi", toolCalls: [], reason: "stop" })
      assert.deepInclude(yield* as(llm.generate({ model: "Echo", messages: [] })), { text: "", reason: "stop" })
    }).pipe(Effect.provide(EchoLLMLive)))
})
