import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LLMAssistant } from "../../../src/components/ai/LLMAssistant.ts"
import * as Kernel from "./kernel.ts"

const settings = { model: "gpt-4o-mini", behavior: "For {{who}}.", temperature: "0.5" }
const variables = { who: "Ann" }

describe("LLMAssistant", () => {
  it.scopedLive("remembers what was said, each user and conversation by itself", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make(["one", "two", "three", "four", "five", "six"])
      const say = (UserInput: string, ids: Readonly<Record<string, unknown>>) =>
        kernel.run(LLMAssistant, { settings, variables, inputs: { UserInput, ...ids } })
      assert.deepStrictEqual(yield* say("a", { UserId: "u/1", ConversationId: 7 }), { Response: "one" })
      yield* say("b", { UserId: "u/1", ConversationId: 7 })
      yield* say("c", { UserId: "u2", ConversationId: 7 })
      yield* say("d", { UserId: "u/1" })
      yield* say("e", {})
      yield* say("f", {})
      const requests = yield* kernel.requests
      assert.deepStrictEqual(requests.map(({ messages }) => messages.length), [2, 4, 2, 2, 2, 2])
      assert.deepStrictEqual(requests[1]?.messages[0], { role: "system", content: "For Ann." })
      assert.strictEqual(requests[1]?.temperature, 0.5)
    }))

  it.scopedLive("a changed behavior counts at once, and messages at the same time are all kept", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make(["1", "2", "3", "4"])
      const say = (behavior: string) =>
        kernel.run(LLMAssistant, { settings: { ...settings, behavior }, inputs: { UserInput: "x", UserId: "u" } })
      yield* Effect.all([say("old"), say("old"), say("old")], { concurrency: 3 })
      yield* say("new")
      const last = (yield* kernel.requests).at(-1)
      assert.deepStrictEqual(last?.messages[0], { role: "system", content: "new" })
      assert.lengthOf(last?.messages ?? [], 8)
    }))

  it.scopedLive("forgets a conversation that was quiet for longer than its time to live", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make(["1", "2", "3"])
      const say = kernel.run(LLMAssistant, {
        settings: { ...settings, ttl: "1" },
        inputs: { UserInput: "x", UserId: "u" }
      })
      yield* say
      yield* say
      yield* Effect.sleep("1100 millis")
      yield* say
      assert.deepStrictEqual((yield* kernel.requests).map(({ messages }) => messages.length), [2, 4, 2])
    }))

  it.scopedLive("asks for declared outputs by name, and streams where that is wanted", () =>
    Effect.gen(function*() {
      const kernel = yield* Kernel.make(["{\"Mood\": \"good\"}", { text: "cut", reason: "length" }])
      const spoken: Array<string> = []
      const options = {
        settings: { ...settings, passthrough: true, maxTokens: 5 },
        inputs: { UserInput: "How are you?" },
        outputs: ["Response", { name: "Mood", description: "in a word" }],
        step: { emit: (_: string, text: string) => void spoken.push(text) }
      }
      assert.deepStrictEqual(yield* kernel.run(LLMAssistant, options), { Response: { Mood: "good" } })
      assert.strictEqual(spoken.join(""), "{\"Mood\": \"good\"}\n")
      const asked = JSON.stringify((yield* kernel.requests)[0]?.messages)
      assert.include(asked, "in a word")
      assert.notInclude(asked, "<value>\\\",\\n  \\\"Response")
      assert.include((yield* Effect.flip(kernel.run(LLMAssistant, options))).message, "maxTokens is 5")
    }))
})
