import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FastCheck as fc, Fiber, Layer, Option, Schema, Stream, TestClock } from "effect"
import { RAMBudgets } from "../../../src/connectors/budgets/RAMBudgets.ts"
import { RAMRateLimits } from "../../../src/connectors/ratelimits/RAMRateLimits.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Budgets from "../../../src/subsystems/llm/Budgets.ts"
import * as Governed from "../../../src/subsystems/llm/Governed.ts"
import { Models } from "../../../src/subsystems/llm/Models.ts"
import type * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as Usage from "../../../src/subsystems/llm/Usage.ts"
import { type Answer, ask, finish, layer, model, text, used } from "./scripted.ts"

const settings = (input: typeof Budgets.Settings.Encoded) => Schema.decodeSync(Budgets.Settings)(input)

/** What the services that ask models keep to. */
const governor = (budgets: typeof Budgets.Settings.Encoded) =>
  Layer.provide(Governed.governor({ Budgets: settings(budgets) }), [
    Layer.orDie(RAMBudgets.layer({})),
    Layer.orDie(RAMRateLimits.layer({}))
  ]).pipe(Layer.provide(Layer.succeed(Access.Teams, ({ role }) => Effect.succeed(role === "agent" ? ["t1"] : []))))

/** `LLM` within the budgets; every call answers as `answer` says. */
const governed = (
  budgets: typeof Budgets.Settings.Encoded,
  answer: (text: string) => Answer,
  models: Parameters<typeof layer>[0] = { m: model() }
) => Layer.provide(layer(models, (request) => answer(JSON.stringify(request.messages))), governor(budgets))

const answering = (...events: ReadonlyArray<Prompt.LLMEvent>): Answer => Stream.fromIterable(events)
const u1 = Candidate.as(Candidate.user("u1"))
const agent = (id: string) => Candidate.as(Candidate.agent(id))
const exceeded = (error: unknown): Readonly<Record<string, unknown>> => {
  assert.instanceOf(error, Budgets.BudgetExceeded)
  const { _tag, limit, scope, used, what } = error as Budgets.BudgetExceeded
  return { _tag, limit, scope, used, what }
}

describe("a limit", () => {
  it.effect("of tokens: what was used counts, what was only reserved does not", () =>
    Effect.gen(function*() {
      // A call reserves its 5 tokens of input or so in bytes, the 200 added, and 100 of output.
      for (let call = 0; call < 5; call++) yield* u1(ask("hi"))
      const error = yield* Effect.flip(u1(ask("hi")))
      assert.deepStrictEqual(exceeded(error), {
        _tag: "BudgetExceeded",
        scope: "user:u1",
        what: "tokens",
        limit: 800,
        used: 500
      })
      assert.match(error.message, /budget of user:u1 is used up: 500 of 800 tokens/)
      yield* Candidate.as(ask("hi"), Candidate.user("u2"))
    }).pipe(Effect.provide(governed({ user: { tokens: 800 } }, () => answering(text("a"), used(60, 40), finish)))))

  it.effect("of money: by the prices, and not at all for a model that has none", () =>
    Effect.gen(function*() {
      yield* u1(ask("hi"))
      const error = yield* Effect.flip(u1(ask("hi")))
      assert.deepInclude(exceeded(error), { scope: "user:u1", what: "money", limit: 1.5, used: 0.46 })
      const unknown = yield* Effect.flip(u1(ask("hi", { model: "unpriced" })))
      assert.match(unknown.message, /money of user:u1 is limited, and nobody knows what "unpriced" costs/)
    }).pipe(Effect.provide(governed({ user: { money: 1.5 } }, () => answering(used(60, 40), finish), {
      m: model(),
      unpriced: { provider: "Test", credentials: "none" }
    }))))

  it.effect("of calls, for a time: then it begins anew", () =>
    Effect.gen(function*() {
      yield* u1(ask("1"))
      yield* u1(ask("2"))
      assert.deepInclude(exceeded(yield* Effect.flip(u1(ask("3")))), { what: "calls", limit: 2, used: 2 })
      yield* TestClock.adjust("1 minute")
      yield* u1(ask("4"))
    }).pipe(Effect.provide(governed({ user: { calls: 2, per: 60_000 } }, () => answering(finish)))))

  it.effect("of time: a call ends when what is reserved for it is over", () =>
    Effect.gen(function*() {
      const call = yield* Effect.fork(Effect.exit(u1(ask("slow"))))
      yield* TestClock.adjust("10 seconds")
      const exit = yield* Fiber.join(call)
      assert.deepInclude(
        exceeded(Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined),
        { scope: "user:u1", what: "time", limit: 10_000 }
      )
      assert.deepInclude(exceeded(yield* Effect.flip(u1(ask("again")))), { what: "time", limit: 15_000, used: 10_000 })
    }).pipe(
      Effect.provide(
        governed(
          { user: { time: 15_000 }, longestCall: 10_000 },
          () => Stream.concat(answering(text("a")), Stream.never)
        )
      )
    ))

  it.effect("of calls at once: the place is free when the call is over, interrupted ones too", () =>
    Effect.gen(function*() {
      const call = yield* Effect.fork(u1(ask("slow")))
      yield* Effect.yieldNow()
      assert.deepInclude(exceeded(yield* Effect.flip(u1(ask("second")))), { what: "concurrency", limit: 1, used: 1 })
      yield* Fiber.interrupt(call)
      const next = yield* Effect.fork(u1(ask("third")))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(next)
    }).pipe(
      Effect.provide(
        governed(
          { user: { concurrency: 1 } },
          () => Stream.fromEffect(Effect.delay(Effect.succeed(finish), "1 minute"))
        )
      )
    ))

  it.effect("of one is instead of what is said of all, and who has none is not limited", () =>
    Effect.gen(function*() {
      yield* Effect.repeatN(u1(ask("hi")), 2)
      assert.deepInclude(exceeded(yield* Effect.flip(u1(ask("hi")))), { scope: "user:u1", limit: 3 })
      yield* Candidate.as(ask("hi"), Candidate.user("u2"))
      assert.deepInclude(exceeded(yield* Effect.flip(Candidate.as(ask("hi"), Candidate.user("u2")))), { limit: 1 })
      yield* Effect.repeatN(agent("a1")(ask("hi")), 4)
      assert.strictEqual((yield* Effect.flip(ask("hi")))._tag, "NoCandidate")
    }).pipe(Effect.provide(
      governed({ user: { calls: 1 }, of: { "user:u1": { calls: 3 } } }, () => answering(finish))
    )))
})

describe("a call counts", () => {
  it.effect("for its agent, for the agent's team, and for the run with all the runs it causes", () =>
    Effect.gen(function*() {
      yield* agent("a1")(ask("hi"))
      yield* agent("a1")(ask("hi"))
      assert.deepInclude(exceeded(yield* Effect.flip(agent("a1")(ask("hi")))), { scope: "agent:a1" })
      yield* agent("a2")(Usage.inRun("r1")(ask("hi")))
      assert.deepInclude(exceeded(yield* Effect.flip(agent("a2")(Usage.inRun("r1")(ask("hi"))))), { scope: "run:r1" })
      // The refused ones took nothing of the others.
      yield* agent("a2")(Usage.inRun("r2")(ask("hi")))
      assert.deepInclude(exceeded(yield* Effect.flip(agent("a3")(ask("hi")))), { scope: "team:t1", limit: 4, used: 4 })
    }).pipe(Effect.provide(
      governed({ agent: { calls: 2 }, team: { calls: 4 }, run: { calls: 1 } }, () => answering(finish))
    )))

  const spentBy = (budget: typeof Budgets.Settings.Encoded, answer: Answer) =>
    Effect.gen(function*() {
      yield* Effect.exit(
        u1(ask("hi")).pipe(
          Effect.timeout("1 minute"),
          Effect.fork,
          Effect.tap(() => TestClock.adjust("5 minutes")),
          Effect.flatMap(Fiber.join)
        )
      )
      const { used } = (yield* Effect.flip(u1(ask("hi")))) as Budgets.BudgetExceeded
      return used
    }).pipe(Effect.provide(governed(budget, () => answer)))

  const failure = (reason: ConnectorError["reason"]) =>
    Stream.fail(new ConnectorError({ connector: "Test", method: "stream", reason }))

  it.effect("what it used, however it ended; nothing when it was refused; the most it could be when nobody knows", () =>
    Effect.gen(function*() {
      const tokens = { user: { tokens: 400 } }
      const counted = answering(used(140, 60))
      assert.strictEqual(yield* spentBy(tokens, Stream.concat(counted, failure("Protocol"))), 200)
      assert.strictEqual(yield* spentBy(tokens, Stream.concat(counted, Stream.never)), 200)
      const most = yield* spentBy(tokens, Stream.concat(answering(text("half")), Stream.never))
      assert.isAbove(most, 300)
      assert.strictEqual(yield* spentBy(tokens, failure("Protocol")), most)
      assert.strictEqual(yield* spentBy(tokens, answering(text("all"), finish)), most)
      const refusing = governed(tokens, () => failure("InvalidInput"))
      yield* Effect.repeatN(Effect.flip(u1(ask("hi"))), 9).pipe(Effect.provide(refusing))
    }))

  it.effect("no more input than the model takes, and is bounded where the model is not", () =>
    Effect.gen(function*() {
      const limits: Array<number | undefined> = []
      const services = Layer.provide(
        layer({ m: model(), open: { provider: "Test", credentials: "none" } }, ({ maxTokens }) => {
          limits.push(maxTokens)
          return answering(used(1, 1), finish)
        }),
        governor({ user: { tokens: 20_000 } })
      )
      yield* Effect.gen(function*() {
        yield* u1(ask("x".repeat(50_000)))
        yield* u1(ask("hi", { model: "open" }))
        assert.deepInclude(
          exceeded(yield* Effect.flip(u1(ask("x".repeat(50_000), { model: "open" })))),
          { what: "tokens", used: 4 }
        )
      }).pipe(Effect.provide(services))
      assert.deepStrictEqual(limits, [undefined, 8192])
    }))
})

it.effect("a candidate's own word on the sizes of a model bounds nothing", () =>
  Effect.gen(function*() {
    const asked: Array<number | undefined> = []
    const services = Layer.provide(
      layer({ m: model() }, ({ maxTokens }) => {
        asked.push(maxTokens)
        return answering(used(-5_000, -5_000), finish)
      }),
      governor({ user: { tokens: 20_000 } })
    )
    yield* Effect.gen(function*() {
      yield* (yield* Models).add("tiny", { provider: "Test", tokens: 1, completionTokens: 1, credentials: "none" })
      const long = "x".repeat(15_000)
      assert.deepInclude(exceeded(yield* Effect.flip(ask(long, { model: "tiny" }))), { what: "tokens", used: 0 })
      const byValue = { provider: "Test", modelId: "m", contextTokens: 1, outputTokens: 1 }
      assert.deepInclude(exceeded(yield* Effect.flip(ask(long, { model: byValue }))), { what: "tokens", used: 0 })
      yield* ask("hi", { model: "tiny", maxTokens: -20_000 })
      // Nor does what a server says that it gave back.
      assert.deepInclude(exceeded(yield* Effect.flip(ask(long, { model: "tiny" }))), { used: 0 })
    }).pipe(u1, Effect.provide(services))
    assert.lengthOf(asked, 1)
  }))

it.effect.prop(
  "100 agents at once never exceed the limit of their team, when calls fail or are interrupted, too",
  [
    fc.integer({ min: 300, max: 20_000 }),
    fc.array(
      fc.record({
        input: fc.integer({ min: 0, max: 215 }),
        output: fc.integer({ min: 0, max: 100 }),
        ends: fc.constantFrom("answers", "fails", "hangs", "silent"),
        wait: fc.integer({ min: 0, max: 20 }),
        /** In turns of the scheduler; all that hang are in the end. */
        interruptedAfter: fc.integer({ min: 0, max: 100 })
      }),
      { minLength: 100, maxLength: 100 }
    )
  ],
  ([limit, calls]) =>
    Effect.gen(function*() {
      let spent = 0
      const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)
      const answer = (prompt: string): Answer => {
        const { ends, input, output, wait } = calls[Number(/call (\d+)/.exec(prompt)?.[1])]!
        const billed = Effect.sync(() => {
          spent += input + output
          return used(input, output)
        })
        const end: Answer = ends === "fails"
          ? Stream.fail(new ConnectorError({ connector: "Test", method: "stream", reason: "Protocol" }))
          : ends === "hangs"
          ? Stream.never
          : Stream.make(finish)
        const began = Stream.fromEffect(Effect.as(turns(wait), text("a")))
        // A provider bills what it does not tell, too.
        const told: Answer = ends === "silent" ? Stream.drain(Stream.fromEffect(billed)) : Stream.fromEffect(billed)
        return Stream.concat(began, Stream.concat(told, end))
      }
      const wave = Effect.gen(function*() {
        const fibers = yield* Effect.forEach(calls, (_, at) => Effect.fork(agent(`a${at}`)(ask(`call ${at}`))))
        for (let turn = 0; turn <= 100; turn++) {
          yield* Effect.yieldNow()
          const now = fibers.filter((_, at) => calls[at]!.interruptedAfter === turn)
          yield* Fiber.interruptAll(now)
        }
        return yield* Effect.forEach(fibers, Fiber.await)
      })
      yield* Effect.gen(function*() {
        yield* wave
        yield* wave
        assert.isAtMost(spent, limit)
      }).pipe(Effect.provide(governed({ team: { tokens: limit } }, answer)))
    }),
  // A counterexample of a hundred calls takes minutes to make smaller.
  { fastCheck: { numRuns: 30, endOnFailure: true } }
)
