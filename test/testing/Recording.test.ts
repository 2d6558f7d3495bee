import { assert, describe, it } from "@effect/vitest"
import { Chunk, Clock, Duration, Effect, Either, Fiber, Layer, Option, Redacted, Stream, TestClock } from "effect"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as LLM from "../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../src/subsystems/llm/Prompt.ts"
import { Recording, Replay, TestLLM } from "../../src/testing/index.ts"

const secret = "sk-proj-abcdefghijklmnopqrstuvwxyz012345"
const u1 = Candidate.as(Candidate.user("u1"))

const file = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "sre-recording-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true }))
  ),
  (folder) => join(folder, "calls.jsonl")
)

const request = (text: string): LLM.Request => ({
  model: { provider: "OpenAI", modelId: "gpt-4o", apiKey: Redacted.make(secret) },
  messages: [Prompt.user(text)]
})

/** What a call gives, each piece with the second it came in, and the failure it ended with. */
const heard = (text: string) =>
  Effect.gen(function*() {
    const llm = yield* LLM.LLM
    const started = yield* Clock.currentTimeMillis
    const events = llm.stream(request(text)).pipe(
      Stream.either,
      Stream.mapEffect((event) =>
        Effect.map(Clock.currentTimeMillis, (now) => [(now - started) / 1000, event] as const)
      )
    )
    const fiber = yield* Effect.fork(u1(Stream.runCollect(events)))
    yield* TestClock.adjust("1 minute")
    // A failure is told when the file has it, which takes time that no test clock knows.
    return Chunk.toReadonlyArray(yield* Fiber.join(fiber)).map(([at, event]) => [
      Either.isRight(event) ? at : "in the end",
      JSON.stringify(event)
    ])
  })

const turns: ReadonlyArray<TestLLM.Turn> = [
  { text: "slow but sure", delay: "2 seconds", pause: "1 second" },
  {
    text: `the key is ${secret}`,
    failure: new ConnectorError({ connector: "X", method: "stream", reason: "Protocol" })
  },
  { text: "again" }
]

const calls = Effect.forEach(["one", `two ${secret}`, "one"], heard)

describe("a recording", () => {
  it.scoped("is replayed piece by piece, at its pace, failures too, and without secrets", () =>
    Effect.gen(function*() {
      const path = yield* file
      const live = yield* Effect.provide(calls, Layer.provide(Recording.layer(path), TestLLM.layer(turns)))
      assert.deepStrictEqual(live[0]?.map(([at]) => at), [2, 3, 4, 5])
      assert.notInclude(yield* Effect.promise(() => readFile(path, "utf8")), secret)
      const replayed = yield* Effect.gen(function*() {
        assert.strictEqual(yield* (yield* Replay.Replay).remaining, 3)
        const again = yield* calls
        assert.strictEqual(yield* (yield* Replay.Replay).remaining, 0)
        return again
      }).pipe(Effect.provide(Replay.layer(path)))
      assert.deepStrictEqual(
        replayed as unknown,
        JSON.parse(JSON.stringify(live).replaceAll(secret, "<redacted>"))
      )
      const quick = yield* Effect.provide(heard("one"), Replay.layer(path, { timing: false }))
      assert.deepStrictEqual(quick.map(([at]) => at), [0, 0, 0, 0])
    }))

  it.scoped("answers nothing else: what differs is shown", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* Effect.provide(heard("one"), Layer.provide(Recording.layer(path), TestLLM.layer(["1"])))
      yield* Effect.gen(function*() {
        const llm = yield* LLM.LLM
        const other = yield* Effect.flip(u1(llm.generate(request("other"))))
        assert.match(other.message, /no call like this is left/)
        assert.match(other.message, /- +"text": "one"/)
        assert.match(other.message, /\+ +"text": "other"/)
        assert.strictEqual((yield* Effect.flip(llm.generate(request("one"))))._tag, "NoCandidate")
        yield* u1(llm.generate(request("one")))
        assert.match(
          (yield* Effect.flip(u1(llm.generate(request("one"))))).message,
          /has 1 calls, and one more was made/
        )
        yield* u1(llm.check(request("one").model))
        assert.deepStrictEqual(yield* u1(llm.count(request("one"))), Option.none())
        const unknown = yield* Effect.flip(u1(llm.check("gpt-4")))
        assert.deepInclude({ ...unknown }, { _tag: "ModelNotFound", near: ["gpt-4o"] })
      }).pipe(Effect.provide(Replay.layer(path)))
    }))

  it.scoped("that cannot be read says where", () =>
    Effect.gen(function*() {
      const path = yield* file
      const missing = yield* Effect.flip(Layer.build(Replay.layer(path)))
      assert.strictEqual(missing.path, path)
      yield* Effect.promise(() => writeFile(path, `{"request":{},"events":[]}\nbroken\n`))
      assert.match((yield* Effect.flip(Layer.build(Replay.layer(path)))).message, /line 2 is no recorded call/)
    }))
})

describe("a scripted turn", () => {
  const ask = (messages: ReadonlyArray<Prompt.Message>, more: Partial<LLM.Request> = {}) =>
    u1(Effect.flatMap(LLM.LLM, (llm) => llm.generate({ model: "gpt-4o-mini", messages, ...more })))
  const tool = { name: "add", description: "", parameters: { type: "object" } }

  it.effect("fails with what differs, when it is asked for otherwise than expected", () =>
    Effect.gen(function*() {
      yield* ask([Prompt.user("hello you")], { tools: [tool] })
      const error = yield* Effect.flip(ask([Prompt.user("bye")]))
      assert.match(error.message, /turn 2 of the script/)
      assert.match(error.message, /- +"text": "hello"/)
      assert.match(error.message, /\+ +"text": "bye"/)
      assert.match((yield* Effect.flip(ask([Prompt.user("x")]))).message, /- +"add"/)
    }).pipe(Effect.provide(TestLLM.layer([
      {
        text: "hi",
        expect: { modelId: "gpt-4o-mini", text: /^hello/, tools: ["add"], messages: [Prompt.user("hello you")] }
      },
      { text: "hi", expect: { text: "hello" } },
      { text: "hi", expect: { tools: ["add"] } }
    ]))))

  it.effect("says events as they are, in the time it is given", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.timed(ask([Prompt.user("x")])))
      yield* TestClock.adjust("1 minute")
      const [time, answer] = yield* Fiber.join(fiber)
      assert.strictEqual(Duration.toSeconds(time), 5)
      assert.deepInclude(answer, { text: "ab", reason: "length" })
    }).pipe(Effect.provide(TestLLM.layer([{
      delay: "1 second",
      pause: "2 seconds",
      events: [{ type: "text", delta: "a" }, { type: "text", delta: "b" }, { type: "finish", reason: "length" }]
    }]))))
})
