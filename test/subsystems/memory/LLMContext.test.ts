import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, TestClock } from "effect"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import * as ContextWindow from "../../../src/subsystems/llm/ContextWindow.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as LLMContext from "../../../src/subsystems/memory/LLMContext.ts"

const called = (id: string): Prompt.Message => ({
  role: "assistant",
  content: [{ type: "tool-call", id, name: "find", params: { q: "a\nb" } }]
})
const resulted = (id: string): Prompt.Message => ({
  role: "tool",
  content: [{ type: "tool-result", id, name: "find", result: { found: [1, null] }, isFailure: false }]
})

const turn: ReadonlyArray<Prompt.Message> = [
  Prompt.user("find it", [{ type: "file", mediaType: "image/png", data: "AAAA", fileName: "a.png" }]),
  called("c1"),
  resulted("c1"),
  {
    role: "assistant",
    content: [{ type: "reasoning", text: "hm", signature: "s" }, { type: "text", text: "here\nit is ü" }]
  }
]

const as = Candidate.as(Candidate.agent("a1"))
const services = LLMContext.layer.pipe(Layer.provideMerge(MemoryStorage.layer({})))

layer(services)("LLMContext", (it) => {
  it.effect("gives back what was appended, in order", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      assert.deepStrictEqual(yield* context.load("order"), [])
      yield* context.append("order", turn)
      yield* context.append("order", [])
      yield* context.append("order", [Prompt.user("thanks"), Prompt.assistant("welcome")])
      assert.deepStrictEqual(yield* context.load("order"), [
        ...turn,
        Prompt.user("thanks"),
        Prompt.assistant("welcome")
      ])
    }).pipe(as))

  it.effect("loses none of concurrent appends, nor mixes them", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      const turns = Array.from({ length: 20 }, (_, at) => [Prompt.user(`q${at}`), Prompt.assistant(`a${at}`)])
      yield* Effect.forEach(turns, (messages) => context.append("race", messages), { concurrency: "unbounded" })
      const stored = ContextWindow.turnsOf(yield* context.load("race"))
      const sorted = (all: ReadonlyArray<unknown>) => all.map((one) => JSON.stringify(one)).sort()
      assert.deepStrictEqual(sorted(stored), sorted(turns))
    }).pipe(as))

  it.effect("has turns wait for each other, for so long, and none for one that nobody takes any more", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      const hold = Effect.fork(Effect.scoped(Effect.zipRight(context.turn("held"), Effect.never)))
      const first = yield* hold
      const second = yield* hold
      const late = yield* Effect.fork(Effect.scoped(context.turn("held")))
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("5 minutes")
      const error = yield* Effect.flip(Fiber.join(late))
      assert.deepInclude({ ...error }, { _tag: "ConnectorError", method: "turn", reason: "Timeout" })
      assert.include(error.message, `"held" is still being answered`)
      yield* Fiber.interrupt(first)
      yield* Effect.scoped(context.turn("held"))
      assert.strictEqual((yield* Effect.flip(Effect.scoped(context.turn("a/b"))))._tag, "InvalidKey")
    }).pipe(as))

  it.effect("clears one conversation, also one that is not there", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      yield* context.append("gone", turn)
      yield* context.append("kept", turn)
      yield* context.clear("gone")
      yield* context.clear("gone")
      assert.deepStrictEqual(yield* context.load("gone"), [])
      assert.lengthOf(yield* context.load("kept"), turn.length)
    }).pipe(as))

  it.effect("keeps the conversations of two candidates apart, and refuses nobody", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      yield* as(context.append("same", turn))
      assert.deepStrictEqual(yield* Candidate.as(context.load("same"), Candidate.agent("a2")), [])
      const refused = yield* Effect.flip(context.load("same"))
      assert.strictEqual(refused._tag, "NoCandidate")
    }))

  it.effect("refuses ids that are no segment of a key", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      for (const id of ["", "..", ".", "a/b", "../x", "a\nb", "x".repeat(2000), "smythfs://a2.agent/x"]) {
        for (const use of [context.load(id), context.append(id, turn), context.clear(id)]) {
          assert.strictEqual(
            (yield* Effect.flip(use as Effect.Effect<unknown, LLMContext.LLMContextError>))._tag,
            "InvalidKey"
          )
        }
      }
    }).pipe(as))

  it.effect("holds so many messages and no more", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      const many = Array.from({ length: LLMContext.maxMessages }, () => Prompt.user("x"))
      yield* context.append("full", many)
      const error = yield* Effect.flip(context.append("full", [Prompt.user("y")]))
      assert.strictEqual(error._tag, "ConversationFull")
      assert.include(error.message, `"full"`)
      assert.lengthOf(yield* context.load("full"), LLMContext.maxMessages)
      const large = yield* Effect.flip(context.append("large", [Prompt.user("x".repeat(LLMContext.maxBytes))]))
      assert.strictEqual(large._tag, "ConversationFull")
    }).pipe(as))

  it.effect("stores a line with the version and a line for every message", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      const storage = yield* Storage
      yield* context.append("golden", [Prompt.system("s"), Prompt.user("q"), called("c1"), resulted("c1")])
      assert.deepStrictEqual(new TextDecoder().decode(yield* storage.read("conversations/golden")).split("\n"), [
        `{"version":1}`,
        `{"role":"system","content":"s"}`,
        `{"role":"user","content":[{"type":"text","text":"q"}]}`,
        `{"role":"assistant","content":[{"type":"tool-call","id":"c1","name":"find","params":{"q":"a\\nb"}}]}`,
        `{"role":"tool","content":[{"type":"tool-result","id":"c1","name":"find","result":{"found":[1,null]},"isFailure":false}]}`,
        ""
      ])
    }).pipe(as))

  it.effect("says when a conversation cannot be read", () =>
    Effect.gen(function*() {
      const context = yield* LLMContext.LLMContext
      const storage = yield* Storage
      for (const text of [`{"version":2}\n`, `{"version":1}\n{"role":"nobody"}\n`, "garbage"]) {
        yield* storage.write("conversations/broken", new TextEncoder().encode(text))
        const error = yield* Effect.flip(context.load("broken"))
        assert.include(error.message, "Corrupted")
      }
    }).pipe(as))
})
