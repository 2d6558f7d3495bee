import { assert, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Schema, Stream, TestClock } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as AnswerCache from "../../../src/subsystems/llm/AnswerCache.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { zero } from "../../../src/subsystems/llm/Usage.ts"
import { type Answer, ask, layer, model, text, used } from "./scripted.ts"

const decode = Schema.decodeSync(AnswerCache.Settings)
const u1 = Candidate.as(Candidate.user("u1"))
const answering = (call: number, reason: Prompt.FinishReason = "stop"): Answer =>
  Stream.fromIterable<Prompt.LLMEvent>([text(`${call} `), text("times"), used(10, 5), { type: "finish", reason }])

/** How often the provider was asked while the program ran. */
const asking = <A, E>(
  program: Effect.Effect<A, E, LLM.LLM>,
  settings: typeof AnswerCache.Settings.Encoded = {},
  answer: (call: number) => Answer = answering
) =>
  Effect.suspend(() => {
    let calls = 0
    const services = Layer.provide(AnswerCache.layer(decode(settings)), [
      Layer.orDie(RAMCache.layer({})),
      layer({ m: model(), n: model({ modelId: "other" }), same: model({ modelId: "m" }) }, () =>
        Stream.suspend(() => answer(++calls)))
    ])
    return Effect.map(Effect.provide(program, services), (result) => ({
      calls: () =>
        calls,
      result
    }))
  })

const cache = "1 minute"

it.effect("the same request gets the answer it got, in the same pieces; it took nothing, and says so", () =>
  Effect.gen(function*() {
    const request = { model: "m", messages: [Prompt.user("hi")], cache } as const
    const events = Effect.flatMap(
      LLM.LLM,
      (llm) => Effect.map(Stream.runCollect(llm.stream(request)), Chunk.toReadonlyArray)
    )
    const { calls, result } = yield* asking(u1(Effect.all([events, events])))
    const finish = { type: "finish", reason: "stop" }
    assert.deepStrictEqual(result as unknown, [
      [text("1 "), text("times"), used(10, 5), finish],
      [text("1 "), text("times"), { type: "usage", usage: zero, cached: true }, finish]
    ])
    assert.strictEqual(calls(), 1)
  }))

it.effect("another request, another model, another asker, and one that wants a new answer get one", () =>
  Effect.gen(function*() {
    const program = Effect.gen(function*() {
      yield* u1(ask("hi", { cache }))
      yield* u1(ask("hi!", { cache }))
      yield* u1(ask("hi", { cache, temperature: 1 }))
      yield* u1(ask("hi", { cache, tools: [{ name: "t", description: "", parameters: { type: "object" } }] }))
      yield* u1(ask("hi", { cache, model: "n" }))
      yield* Candidate.as(ask("hi", { cache }), Candidate.user("u2"))
      yield* u1(ask("hi", { cache: false }))
      yield* u1(ask("hi"))
      assert.strictEqual((yield* u1(ask("hi", { cache, model: "same" }))).text, "1 times")
      assert.strictEqual((yield* Effect.flip(ask("hi", { cache })))._tag, "NoCandidate")
    })
    assert.strictEqual((yield* asking(program)).calls(), 8)
  }))

it.effect("for a time; and for all requests where the operator says so", () =>
  Effect.gen(function*() {
    const program = Effect.gen(function*() {
      yield* u1(ask("hi"))
      yield* TestClock.adjust("59 seconds")
      yield* u1(ask("hi"))
      yield* TestClock.adjust("1 second")
      yield* u1(ask("hi"))
      yield* u1(ask("hi", { cache: false }))
    })
    assert.strictEqual((yield* asking(program, { timeToLive: 60_000 })).calls(), 3)
  }))

it.effect("what failed, was withheld, was not heard to its end or is too long is not kept", () =>
  Effect.gen(function*() {
    const twice = u1(Effect.repeatN(Effect.exit(ask("hi", { cache })), 1))
    const failing = Stream.fail(new ConnectorError({ connector: "Test", method: "stream", reason: "InvalidInput" }))
    assert.strictEqual((yield* asking(twice, {}, () => Stream.concat(Stream.make(text("a")), failing))).calls(), 2)
    assert.strictEqual((yield* asking(twice, {}, (call) => answering(call, "content-filter"))).calls(), 2)
    assert.strictEqual((yield* asking(twice, { maxBytes: 50 })).calls(), 2)
    const left = Effect.flatMap(
      LLM.LLM,
      (llm) => Stream.runDrain(Stream.take(llm.stream({ model: "m", messages: [Prompt.user("hi")], cache }), 1))
    )
    assert.strictEqual(
      (yield* asking(u1(Effect.zipRight(left, left)), {}, (call) => Stream.rechunk(answering(call), 1))).calls(),
      2
    )
    assert.strictEqual((yield* asking(twice, {}, (call) => answering(call, "tool-calls"))).calls(), 1)
  }))
