import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, Fiber, Layer, Ref, Schema, Stream } from "effect"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import { JSONModelsLive } from "../../../src/connectors/models/JSONModels.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Conversation from "../../../src/subsystems/llm/Conversation.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import type { LLMEvent, Message } from "../../../src/subsystems/llm/Prompt.ts"
import * as LLMContext from "../../../src/subsystems/memory/LLMContext.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"
import {
  as,
  assertWhole,
  call,
  context,
  eventsOf,
  requests,
  results,
  scripted,
  streaming,
  talk,
  tool,
  types
} from "./conversations.ts"

describe("Conversation", () => {
  it.effect("streams an answer between start and end", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 3, outputTokens: 2, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
      const events = yield* eventsOf(yield* talk()).pipe(as)
      assert.deepStrictEqual(events, [
        { type: "start" },
        { type: "thinking", text: "hm" },
        { type: "content", text: "hello " },
        { type: "content", text: "you" },
        { type: "usage", usage },
        { type: "end", text: "hello you", reason: "stop" }
      ])
      assert.isTrue(Schema.is(Schema.Array(Conversation.ConversationEvent))(events))
      const [request] = yield* requests
      assert.deepStrictEqual(request?.messages.map(({ role }) => role), ["system", "user"])
      assert.isUndefined(request?.tools)
    }).pipe(Effect.provide(scripted({
      reasoning: "hm",
      text: "hello you",
      usage: { inputTokens: 3, outputTokens: 2, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
    }))))

  it.effect("runs the tools a model calls and tells it their results, in the order of the calls", () =>
    Effect.gen(function*() {
      const slow = yield* Deferred.make<void>()
      const conversation = yield* talk({
        tools: [
          tool("slow", () => Effect.as(Deferred.await(slow), { n: 1 })),
          tool("quick", ({ q }) => Effect.as(Deferred.succeed(slow, undefined), `got ${q}`))
        ],
        history: { id: "c1" }
      })
      const events = yield* eventsOf(conversation).pipe(as)
      assert.deepStrictEqual(events, [
        { type: "start" },
        { type: "content", text: "let " },
        { type: "content", text: "me" },
        { type: "toolCall", id: "call_1", name: "slow", params: {}, status: "Running slow" },
        { type: "toolCall", id: "call_2", name: "quick", params: { q: "x" }, status: "Running quick" },
        { type: "toolResult", id: "call_1", name: "slow", result: { n: 1 }, isFailure: false },
        { type: "toolResult", id: "call_2", name: "quick", result: "got x", isFailure: false },
        { type: "content", text: "done" },
        { type: "end", text: "let medone", reason: "stop" }
      ])
      const asked = yield* requests
      assert.deepStrictEqual(asked.map(({ tools }) => tools?.map(({ name }) => name)), [["slow", "quick"], [
        "slow",
        "quick"
      ]])
      assert.deepStrictEqual(asked[1]?.messages.map(({ role }) => role), ["system", "user", "assistant", "tool"])
      const stored = yield* as(Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("c1")))
      assert.deepStrictEqual(stored.map(({ role }) => role), ["user", "assistant", "tool", "assistant"])
      assertWhole(stored)
    }).pipe(Effect.provide(scripted(
      { text: "let me", toolCalls: [call("slow"), call("quick", { q: "x" })] },
      "done"
    ))))

  it.effect("keeps the text of an answer that was cut off, and does not run its calls", () =>
    Effect.gen(function*() {
      const ran = yield* Ref.make(false)
      const conversation = yield* talk({ tools: [tool("a", () => Ref.set(ran, true))], history: { id: "cut" } })
      assert.deepStrictEqual(yield* eventsOf(conversation).pipe(as), [
        { type: "start" },
        { type: "content", text: "half" },
        { type: "interrupted", reason: "length" },
        { type: "end", text: "half", reason: "length" }
      ])
      const filtered = yield* eventsOf(conversation).pipe(as)
      assert.deepInclude(filtered, { type: "interrupted", reason: "content-filter" })
      assert.isFalse(yield* Ref.get(ran))
      assertWhole(yield* as(Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("cut"))))
    }).pipe(Effect.provide(scripted(
      { text: "half", toolCalls: [call("a", "{\"q\": \"del")], reason: "length" },
      { text: "", reason: "content-filter" }
    ))))

  it.effect("fails with the model's failure after what was streamed, and stores nothing of the turn", () =>
    Effect.gen(function*() {
      const conversation = yield* talk({ tools: [tool("a")], history: { id: "broken" } })
      const seen: Array<Conversation.ConversationEvent> = []
      const error = yield* conversation.prompt("hi").pipe(
        Stream.runForEach((event) => Effect.sync(() => seen.push(event))),
        Effect.flip,
        as
      )
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.deepStrictEqual(types(seen), ["start", "content", "toolCall", "toolResult"])
      assert.deepStrictEqual(yield* as(Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("broken"))), [])
      const unknown = yield* Effect.flip((yield* talk({ model: "gpt-4p" })).ask("hi").pipe(as))
      assert.strictEqual(unknown._tag, "ModelNotFound")
    }).pipe(Effect.provide(scripted(
      { text: "wait", toolCalls: [call("a")] },
      new ConnectorError({ connector: "OpenAI", method: "stream", reason: "Unauthorized" })
    ))))

  it.effect("interruption stops the tools and the model, and stores nothing", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const streamed = yield* Deferred.make<void>()
      const stopped = yield* Ref.make<ReadonlyArray<string>>([])
      const stop = (name: string) => Ref.update(stopped, (names) => [...names, name])
      const conversation = yield* talk({
        tools: [tool("a", () =>
          Effect.onInterrupt(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never), () =>
            stop("tool")))],
        history: { id: "stopped" }
      })
      const fiber = yield* Effect.fork(eventsOf(conversation).pipe(as))
      yield* Deferred.await(begun)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))

      const silent = streaming(() =>
        Stream.concat(
          Stream.fromEffect(Effect.as(Deferred.succeed(streamed, undefined), { type: "text" as const, delta: "a" })),
          Stream.fromEffect(Effect.onInterrupt(Effect.never, () =>
            stop("model")))
        )
      )
      const other = yield* Effect.fork(
        Effect.provide(Effect.flatMap(talk(), (made) => made.ask("hi")), silent).pipe(as)
      )
      yield* Deferred.await(streamed)
      yield* Fiber.interrupt(other)
      assert.deepStrictEqual(yield* Ref.get(stopped), ["tool", "model"])
      assert.deepStrictEqual(yield* as(Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("stopped"))), [])
    }).pipe(Effect.provide(scripted({ toolCalls: [call("a")] }))))

  it.effect("runs as whoever began it, whoever consumes it, tools and history too", () =>
    Effect.gen(function*() {
      const conversation = yield* talk({
        tools: [tool("who", () => Effect.map(Candidate.current, Candidate.format))],
        history: { id: "mine" }
      })
      const pull = yield* as(Stream.toPull(conversation.prompt("hi")))
      const all = yield* as(pull).pipe(
        Effect.zipRight(
          Stream.runCollect(Stream.fromPull(Effect.succeed(pull))).pipe(Candidate.as(Candidate.agent("stranger")))
        )
      )
      assert.deepInclude(results(Chunk.toReadonlyArray(all)), ["who", "user:u1", false])
      const load = Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("mine"))
      assert.lengthOf(yield* as(load), 4)
      assert.lengthOf(yield* Candidate.as(load, Candidate.agent("stranger")), 0)
      const refused = yield* Effect.flip(conversation.ask("hi"))
      assert.strictEqual(refused._tag, "NoCandidate")
    }).pipe(Effect.scoped, Effect.provide(scripted({ toolCalls: [call("who")] }, "done"))))

  it.effect("remembers the turns before, with or without a stored history", () =>
    Effect.gen(function*() {
      for (const history of [undefined, { id: "long" }]) {
        const conversation = yield* talk({ history })
        assert.strictEqual(yield* as(conversation.ask("first")), "one")
        assert.strictEqual(yield* as(conversation.ask("second")), "two")
        const last = (yield* requests).at(-1)
        assert.deepStrictEqual(last?.messages.map(({ role }) => role), ["system", "user", "assistant", "user"])
      }
    }).pipe(Effect.provide(scripted("one", "two", "one", "two"))))

  it.effect("of one id answers what is said at once in turn, each with the turn before in mind, and holds up no other", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const model = streaming(({ messages }) => {
        const said = messages.map((message) => message.role === "user" ? textsOf(message) : message.role).join(" ")
        asked.push(said)
        const answer = Stream.make<Array<LLMEvent>>({ type: "text", delta: "ok" }, { type: "finish", reason: "stop" })
        return said.endsWith("one")
          ? Stream.drain(Stream.fromEffect(Deferred.await(gate))).pipe(Stream.concat(answer))
          : answer
      })
      yield* Effect.gen(function*() {
        const say = (message: string, id = "busy") =>
          Effect.flatMap(talk({ history: { id } }), ({ ask }) => ask(message))
        const soon = Effect.repeatN(Effect.yieldNow(), 1000)
        const first = yield* Effect.fork(as(say("one")))
        yield* soon
        const gone = yield* Effect.fork(as(say("never")))
        const second = yield* Effect.fork(as(say("two")))
        yield* soon
        assert.strictEqual(yield* as(say("elsewhere", "idle")), "ok")
        assert.strictEqual(yield* Candidate.as(say("somebody"), Candidate.user("u2")), "ok")
        yield* Fiber.interrupt(gone)
        assert.lengthOf(asked, 3)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(Fiber.zip(first, second))
        assert.strictEqual(asked.at(-1), "system one assistant two")
      }).pipe(Effect.provide(model))
    }))

  it.effect("lets a tool speak in the conversation it is called in", () =>
    Effect.gen(function*() {
      const history = { id: "own" }
      const conversation = yield* talk({
        tools: [tool("again", () => Effect.flatMap(talk({ history }), ({ ask }) => ask("and?")))],
        history
      })
      const events = yield* as(eventsOf(conversation))
      assert.deepInclude(results(events), ["again", "inner", false])
      assert.lengthOf(yield* as(Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("own"))), 6)
    }).pipe(Effect.provide(scripted({ toolCalls: [call("again")] }, "inner", "outer"))))

  it.effect("leaves the oldest turns out when the context is full, and says when even one turn does not fit", () =>
    Effect.gen(function*() {
      const conversation = yield* talk({ contextTokens: 400 })
      for (const _ of [1, 2, 3]) yield* as(conversation.ask("x".repeat(300)))
      const asked = yield* requests
      assert.deepStrictEqual(asked.map(({ messages }) => messages.length), [2, 4, 4])
      const error = yield* Effect.flip(as(conversation.ask("x".repeat(3000))))
      assert.strictEqual(error._tag, "ContextExceeded")
    }).pipe(Effect.provide(scripted("one", "two", "three"))))

  it.effect("returns what the model thought to it, signed as it was", () =>
    Effect.gen(function*() {
      const seen: Array<ReadonlyArray<Message>> = []
      const model = streaming(({ messages }) => {
        seen.push(messages)
        const events: ReadonlyArray<LLMEvent> = seen.length > 1
          ? [{ type: "text", delta: "done" }, { type: "finish", reason: "stop" }]
          : [
            { type: "reasoning", delta: "a" },
            { type: "reasoning", delta: "b", signature: "s1" },
            { type: "reasoning", delta: "c", signature: "s2" },
            { type: "text", delta: "x" },
            { type: "text", delta: "y" },
            { type: "toolCall", id: "1", name: "a", arguments: "{}" },
            { type: "finish", reason: "stop" }
          ]
        return Stream.fromIterable(events)
      })
      const text = yield* Effect.provide(
        Effect.flatMap(talk({ tools: [tool("a")] }), (made) => as(made.ask("hi"))),
        model
      )
      assert.strictEqual(text, "xydone")
      assert.deepStrictEqual(seen[1]?.[2], {
        role: "assistant",
        content: [
          { type: "reasoning", text: "ab", signature: "s1" },
          { type: "reasoning", text: "c", signature: "s2" },
          { type: "text", text: "xy" },
          { type: "tool-call", id: "1", name: "a", params: {} }
        ]
      })
    }))

  it.scopedLive("over a wire: calls in pieces are run but not half a call, an answer that breaks off is a failure", () =>
    Effect.gen(function*() {
      const server = yield* OpenAIServer.make(
        { text: "wait ", toolCalls: [{ name: "a", arguments: { q: "1" } }, { name: "a", arguments: "{\"q\": 2," }] },
        "done",
        { text: "never ended", finish: null, done: false, then: "cut" }
      )
      const llm = Layer.provide(LLM.layer, [
        LLM.providers([OpenAILLM.contract({ baseURL: server.baseURL })]),
        NullVault.layer({})
      ])
      const model = { provider: "OpenAI", modelId: "gpt-4o", baseURL: server.baseURL }
      yield* Effect.gen(function*() {
        const conversation = yield* talk({ model, tools: [tool("a", Effect.succeed)], history: { id: "wire" } })
        const events = yield* eventsOf(conversation).pipe(as)
        assert.deepStrictEqual(results(events).map(([, , isFailure]) => isFailure), [false, true])
        assert.deepStrictEqual(events.at(-1), { type: "end", text: "wait done", reason: "stop" })
        const broken = yield* Effect.flip(as(conversation.ask("again")))
        assert.strictEqual(broken._tag, "ConnectorError")
        assert.lengthOf(yield* as(Effect.flatMap(LLMContext.LLMContext, ({ load }) => load("wire"))), 4)
      }).pipe(Effect.provide(Layer.provideMerge(Layer.merge(llm, context), JSONModelsLive)))
      const told =
        (JSON.parse(server.requests[1]?.body ?? "{}") as { messages: ReadonlyArray<{ role: string }> }).messages
      assert.deepStrictEqual(told.map(({ role }) => role), ["system", "user", "assistant", "tool", "tool"])
    }))
})

const textsOf = (message: Extract<Message, { readonly role: "user" }>) =>
  message.content.map((part) => part.type === "text" ? part.text : part.type).join(" ")
