/** Conversations with scripted models, for tests. */
import { assert } from "@effect/vitest"
import { Chunk, Effect, Layer, Stream } from "effect"
import { JSONModelsLive } from "../../../src/connectors/models/JSONModels.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Conversation from "../../../src/subsystems/llm/Conversation.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import type { Message } from "../../../src/subsystems/llm/Prompt.ts"
import * as LLMContext from "../../../src/subsystems/memory/LLMContext.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"

export const context = LLMContext.layer.pipe(Layer.provideMerge(Layer.fresh(MemoryStorage.layer({}))))
export const scripted = (...turns: ReadonlyArray<TestLLM.Turn>) =>
  Layer.mergeAll(TestLLM.layer(turns), context, JSONModelsLive)

/** A model that streams what the test says, for what a script cannot: silence, wrong order. */
export const streaming = (stream: LLM.LLMProvider["stream"]) => {
  const provider: LLM.LLMProvider = {
    provider: "OpenAI",
    credentials: { environment: undefined, required: false },
    stream
  }
  const llm = Layer.provide(LLM.layer, [
    Layer.succeed(LLM.Providers, new Map([["openai", provider]])),
    NullVault.layer({})
  ])
  return Layer.provideMerge(Layer.merge(llm, context), JSONModelsLive)
}

export const as = Candidate.as(Candidate.user("u1"))

export const tool = <R = never>(
  name: string,
  run: Conversation.ConversationTool<R>["run"] = () => Effect.succeed(`${name} done`)
): Conversation.ConversationTool<R> => ({
  tool: { name, description: name, parameters: { type: "object", properties: { q: { type: "string" } } } },
  status: `Running ${name}`,
  run
})

export const talk = <R = never>(options: Partial<Conversation.ConversationOptions<R>> = {}) =>
  Conversation.make<R>({ model: "gpt-4o", system: "be brief", tools: [], ...options })

export const eventsOf = <R>(conversation: Conversation.Conversation<R>, message = "hi") =>
  Effect.map(Stream.runCollect(conversation.prompt(message)), Chunk.toReadonlyArray)

export const call = (name: string, args: Readonly<Record<string, unknown>> | string = {}) => ({ name, arguments: args })

export const requests = Effect.flatMap(TestLLM.TestLLM, ({ requests }) => requests)

export const results = (events: ReadonlyArray<Conversation.ConversationEvent>) =>
  events.flatMap((event) => event.type === "toolResult" ? [[event.name, event.result, event.isFailure]] : [])

export const types = (events: ReadonlyArray<Conversation.ConversationEvent>) => events.map(({ type }) => type)

/** Every call in a history has its result in the message after it, in the order of the calls. */
export const assertWhole = (messages: ReadonlyArray<Message>) =>
  messages.forEach((message, at) => {
    if (message.role !== "assistant") return
    const ids = message.content.flatMap((part) => part.type === "tool-call" ? [part.id] : [])
    if (ids.length === 0) return
    const next = messages[at + 1]
    assert.deepStrictEqual(next?.role === "tool" ? next.content.map(({ id }) => id) : [], ids)
  })
