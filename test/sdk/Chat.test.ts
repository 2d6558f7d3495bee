/** What chats remember of whoever has them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SDK } from "effect-sre/sdk"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import { rejection, start } from "./systems.ts"

const memory = { working: true, recall: { minScore: 0.1 } }
const withServer = (...turns: ReadonlyArray<OpenAIServer.Turn>) =>
  Effect.tap(OpenAIServer.make(...turns), ({ baseURL }) =>
    start({
      LLM: { Connector: "OpenAI", Settings: { apiKey: "sk-1", baseURL } },
      VectorDB: { Connector: "RAMVec" }
    }))
const remember = { toolCalls: [{ name: "remember", arguments: { note: "likes tea" } }] }

describe("a chat with memory", () => {
  for (
    const [who, make] of [
      ["an agent", () => new SDK.Agent({ name: "Test", id: "test", model: "gpt-4o" })],
      ["a model", () => SDK.LLM.OpenAI("gpt-4o")]
    ] as const
  ) {
    it.scopedLive(`of ${who} knows what was said in others`, () =>
      Effect.gen(function*() {
        const server = yield* withServer(remember, "noted", "tea", "?")
        const partner = make()
        const first = partner.chat({ id: "c1", memory })
        yield* Effect.promise(() => first.send("my favourite drink is tea").run())
        yield* Effect.promise(() => partner.chat({ id: "c2", memory }).send("what is my favourite drink?").run())
        assert.include(server.requests.at(-1)?.body ?? "", "likes tea")
        assert.include(server.requests.at(-1)?.body ?? "", "my favourite drink is tea")
        yield* Effect.promise(() => first.clear())
        const third = partner.chat({ id: "c3", memory: { recall: { topK: 20, minScore: -1 } } })
        yield* Effect.promise(() => third.send("what do I drink?").run())
        assert.notInclude(server.requests.at(-1)?.body ?? "", "my favourite drink is tea")
        assert.notInclude(server.requests.at(-1)?.body ?? "", "likes tea")
      }))
  }

  it.scopedLive("says what of its options makes no sense", () =>
    Effect.gen(function*() {
      yield* withServer("hi")
      const agent = new SDK.Agent({ name: "Test", id: "test", model: "gpt-4o" })
      const error = yield* rejection(() => agent.chat({ memory: { working: { maxBytes: 0 } } }).send("hi").run())
      assert.strictEqual(error._tag, "InvalidMemory")
      assert.match(error.message, /working.*maxBytes/)
      const single = yield* rejection(() => agent.prompt("hi", { memory }).run())
      assert.match(single.message, /conversationId/)
    }))
})
