import { assert, it } from "@effect/vitest"
import { Chunk, Context, Effect, Fiber, Layer, Metric, Stream } from "effect"
import * as Access from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Usage from "../../../src/subsystems/llm/Usage.ts"

const tokens = (count: number): Usage.Tokens => ({ ...Usage.zero, inputTokens: count })
const prices = { input: 2, output: 10, cacheRead: 1, cacheWrite: 4 }
const record = (
  id: string,
  model: string,
  count: number,
  more: Partial<Usage.UsageRecord> = {}
): Usage.UsageRecord => ({
  time: 0,
  candidate: Candidate.user(id),
  model,
  provider: "OpenAI",
  kind: "text",
  usage: tokens(count),
  ...more
})
const as = (id: string) => Candidate.as(Candidate.user(id))

it.effect("totals are by model, and each sees its own", () =>
  Effect.gen(function*() {
    const record_ = yield* Usage.UsageSink
    const { totals } = yield* Usage.Usage
    yield* Effect.forEach(
      [record("u1", "a", 1_000_000, { prices }), record("u1", "b", 10), record("u1", "a", 2), record("u11", "a", 100)],
      record_
    )
    assert.sameDeepMembers([...yield* as("u1")(totals)], [
      { model: "a", provider: "OpenAI", calls: 2, usage: tokens(1_000_002), units: {}, cost: 2, unpricedCalls: 1 },
      { model: "b", provider: "OpenAI", calls: 1, usage: tokens(10), units: {}, cost: 0, unpricedCalls: 1 }
    ])
    assert.deepStrictEqual(yield* as("u2")(totals), [])
    assert.strictEqual((yield* Effect.flip(totals))._tag, "NoCandidate")
  }).pipe(Effect.provide(Usage.layer)))

it.effect("a call costs what each class of tokens costs", () =>
  Effect.gen(function*() {
    const { record: add, usage } = yield* Usage.make()
    const each = 1_000_000
    const all = {
      inputTokens: each,
      outputTokens: each,
      cacheReadTokens: each,
      cacheWriteTokens: each,
      reasoningTokens: each
    }
    const before = (yield* Metric.value(cost)).count
    yield* add(record("u1", "a", 0, { usage: all, prices, provider: "Priced" }))
    yield* add(record("u1", "a", 0, { usage: all, prices: { input: 2, output: 10 }, provider: "Priced" }))
    const [total] = yield* as("u1")(usage.totals)
    assert.strictEqual(total?.cost, 17 + 16)
    assert.strictEqual((yield* Metric.value(cost)).count - before, 33)
  }))

const cost = Metric.tagged(
  Metric.counter("sre_llm_cost_usd", {
    description: "What calls of models cost, in US dollars, as far as their prices are known",
    incremental: true
  }),
  "provider",
  "Priced"
)

it.effect("is asked for by time, run and model; a team sees all of its members', others their own", () =>
  Effect.gen(function*() {
    const { record: add, usage } = yield* Usage.make()
    yield* add(record("u1", "a", 1, { time: 10 }))
    yield* Usage.inRun("r1")(add(record("u1", "a", 2, { time: 20 })))
    yield* add(record("u2", "b", 4, { time: 30, kind: "images", units: { images: 2 } }))
    yield* add(record("stranger", "a", 8, { time: 30 }))
    const sums = (query: Usage.Query, who: Candidate.Candidate) =>
      Effect.map(
        Candidate.as(usage.query(query), who),
        (all) => all.map(({ model, usage: { inputTokens } }) => `${model} ${inputTokens}`)
      )
    const team = Candidate.team("t")
    assert.deepStrictEqual(yield* sums({}, team), ["a 3", "b 4"])
    assert.deepStrictEqual(yield* sums({ from: 20, to: 30 }, team), ["a 2"])
    assert.deepStrictEqual(yield* sums({ run: "r1" }, team), ["a 2"])
    assert.deepStrictEqual(yield* sums({ model: "b" }, team), ["b 4"])
    assert.deepStrictEqual(yield* sums({ candidate: Candidate.user("u2") }, team), ["b 4"])
    assert.deepStrictEqual(yield* sums({ kind: "images" }, team), ["b 4"])
    assert.deepStrictEqual(
      (yield* Candidate.as(usage.query({ kind: "images" }), team)).map(({ units }) => units),
      [{ images: 2 }]
    )
    assert.deepStrictEqual(yield* sums({ candidate: Candidate.user("u2") }, Candidate.user("u1")), [])
    assert.deepStrictEqual(yield* sums({}, Candidate.user("u1")), ["a 3"])
    assert.strictEqual((yield* Effect.flip(usage.query({})))._tag, "NoCandidate")
  }).pipe(Effect.provideService(Access.Teams, ({ id }) => Effect.succeed(id === "stranger" ? [] : ["t"]))))

it.effect("what is kept is bounded: totals unused for longest go, and the oldest calls", () =>
  Effect.gen(function*() {
    const { record: add, usage } = yield* Usage.make({ maxTotals: 2, maxCalls: 2 })
    yield* Effect.forEach([record("u1", "a", 1), record("u1", "b", 1), record("u1", "a", 1), record("u1", "c", 1)], add)
    const models = (all: ReadonlyArray<Usage.Total>) => all.map(({ model }) => model)
    assert.deepStrictEqual(models(yield* as("u1")(usage.totals)), ["a", "c"])
    assert.deepStrictEqual(models(yield* as("u1")(usage.query({}))), ["a", "c"])
    yield* Effect.forEach(Array.from({ length: 10 }, (_, at) => record("u1", `m${at}`, 1)), add)
    assert.deepStrictEqual(models(yield* as("u1")(usage.query({}))), ["m8", "m9"])
  }))

it.effect("everything that happens is told to who listens", () =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Usage.layer)
    const add = Context.get(context, Usage.UsageSink)
    const listening = yield* Effect.fork(Stream.runCollect(Stream.take(Context.get(context, Usage.UsageFeed), 3)))
    // Until somebody listens, nobody is told.
    const using = yield* Effect.fork(Effect.forever(Effect.zipRight(add(record("u1", "a", 1)), Effect.yieldNow())))
    const heard = Chunk.toReadonlyArray(yield* Fiber.join(listening))
    yield* Fiber.interrupt(using)
    assert.deepStrictEqual(heard.map(({ model }) => model), ["a", "a", "a"])
  }).pipe(Effect.scoped))
