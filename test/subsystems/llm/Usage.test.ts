import { assert, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Stream } from "effect"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Usage from "../../../src/subsystems/llm/Usage.ts"

const tokens = (count: number): Usage.Tokens => ({ ...Usage.zero, inputTokens: count })
const record = (id: string, model: string, count: number): Usage.UsageRecord => ({
  time: 0,
  candidate: Candidate.user(id),
  model,
  provider: "OpenAI",
  usage: tokens(count)
})

it.effect("totals are by model, and each sees its own", () =>
  Effect.gen(function*() {
    const record_ = yield* Usage.UsageSink
    const { totals } = yield* Usage.Usage
    yield* Effect.forEach(
      [record("u1", "a", 1), record("u1", "b", 10), record("u1", "a", 2), record("u11", "a", 100)],
      record_
    )
    const of = (id: string) => Candidate.as(totals, Candidate.user(id))
    assert.sameDeepMembers([...yield* of("u1")], [
      { model: "a", provider: "OpenAI", calls: 2, usage: tokens(3) },
      { model: "b", provider: "OpenAI", calls: 1, usage: tokens(10) }
    ])
    assert.deepStrictEqual(yield* of("u2"), [])
    assert.strictEqual((yield* Effect.flip(totals))._tag, "NoCandidate")
  }).pipe(Effect.provide(Usage.layer)))

it.effect("totals are bounded: those unused for longest go", () =>
  Effect.gen(function*() {
    const { record: add, usage } = yield* Usage.make(2)
    yield* Effect.forEach([record("u1", "a", 1), record("u1", "b", 1), record("u1", "a", 1), record("u1", "c", 1)], add)
    const models = Effect.map(Candidate.as(usage.totals, Candidate.user("u1")), (all) => all.map(({ model }) => model))
    assert.deepStrictEqual(yield* models, ["a", "c"])
  }))

it.effect("everything that happens is told to who listens", () =>
  Effect.gen(function*() {
    const { record: add, usage } = yield* Usage.make()
    const listening = yield* Effect.fork(Stream.runCollect(Stream.take(usage.changes, 3)))
    // Until somebody listens, nobody is told.
    const using = yield* Effect.fork(Effect.forever(Effect.zipRight(add(record("u1", "a", 1)), Effect.yieldNow())))
    const heard = Chunk.toReadonlyArray(yield* Fiber.join(listening))
    yield* Fiber.interrupt(using)
    assert.deepStrictEqual(heard.map(({ model }) => model), ["a", "a", "a"])
  }))
