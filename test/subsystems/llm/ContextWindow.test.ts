import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc } from "effect"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as ContextWindow from "../../../src/subsystems/llm/ContextWindow.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as Tokenizer from "../../../src/subsystems/llm/Tokenizer.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"

const called = (id: string): Prompt.Message => ({
  role: "assistant",
  content: [{ type: "tool-call", id, name: "find", params: { q: "a\nb" } }]
})
const resulted = (id: string): Prompt.Message => ({
  role: "tool",
  content: [{ type: "tool-result", id, name: "find", result: { found: [1, null] }, isFailure: false }]
})

describe("fit", () => {
  /** One token a character, so that sizes can be counted by hand: a message costs its text and 4. */
  const count = (text: string) => text.length
  const fit = (messages: ReadonlyArray<Prompt.Message>, contextTokens: number, reserve = 0) =>
    ContextWindow.fit(messages, { contextTokens, reserve, count })

  it.effect("drops the oldest turns, and keeps the system message", () =>
    Effect.gen(function*() {
      const [s, q1, a1, q2, a2] = [
        Prompt.system("s"),
        Prompt.user("1"),
        Prompt.assistant("1"),
        Prompt.user("2"),
        Prompt.assistant("2")
      ]
      const all = [s, q1, a1, q2, a2]
      assert.deepStrictEqual(yield* fit(all, 25), all)
      assert.deepStrictEqual(yield* fit(all, 24), [s, q2, a2])
      assert.deepStrictEqual(yield* fit(all, 30, 6), [s, q2, a2])
      assert.deepStrictEqual(yield* fit(all, 15), [s, q2, a2])
      assert.deepInclude(yield* Effect.flip(fit(all, 14)), { _tag: "ContextExceeded", tokens: 15, maxTokens: 14 })
    }))

  it.effect("takes four bytes for a token unless told otherwise", () =>
    Effect.gen(function*() {
      assert.strictEqual(Tokenizer.estimateTokens("12345"), 2)
      assert.strictEqual(Tokenizer.estimateTokens("üü"), 1)
      const messages = [Prompt.user("x".repeat(400))]
      assert.deepStrictEqual(yield* ContextWindow.fit(messages, { contextTokens: 104, reserve: 0 }), messages)
      yield* Effect.flip(ContextWindow.fit(messages, { contextTokens: 103, reserve: 0 }))
    }))

  const word = fc.string({ maxLength: 12 })
  const roundOf = (id: string, text: string): ReadonlyArray<Prompt.Message> => [called(id + text), resulted(id + text)]
  const someTurn = fc.tuple(word, fc.array(word, { maxLength: 3 }), fc.option(word)).map((
    [question, rounds, answer]
  ) => [
    Prompt.user(question),
    ...rounds.flatMap((text, at) => roundOf(`${at}`, text)),
    ...(answer === null ? [] : [Prompt.assistant(answer)])
  ])
  const someMessages = fc.tuple(fc.option(word), fc.array(someTurn, { maxLength: 6 })).map(([system, turns]) => [
    ...(system === null ? [] : [Prompt.system(system)]),
    ...turns.flat()
  ])

  it.effect.prop(
    "keeps order, whole turns and the budget; or the last turn is too large",
    [someMessages, fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 50 })],
    ([messages, contextTokens, reserve]) =>
      Effect.gen(function*() {
        const size = (some: ReadonlyArray<Prompt.Message>) =>
          some.reduce((sum, one) => sum + ContextWindow.tokensOf(one, count), 0)
        const budget = Math.max(0, contextTokens - reserve)
        const system = messages.filter(({ role }) => role === "system")
        const turns = ContextWindow.turnsOf(messages.slice(system.length))
        const result = yield* Effect.either(fit(messages, contextTokens, reserve))
        if (Either.isLeft(result)) {
          return assert.isAbove(size([...system, ...(turns.at(-1) ?? [])]), budget)
        }
        const kept = result.right
        assert.isAtMost(size(kept), budget)
        const rest = kept.slice(system.length)
        assert.deepStrictEqual(kept.slice(0, system.length), system)
        assert.deepStrictEqual(rest, messages.slice(messages.length - rest.length))
        if (turns.length > 0) assert.strictEqual(rest[0]?.role, "user")
        const next = turns.at(-1 - ContextWindow.turnsOf(rest).length)
        if (turns.length > ContextWindow.turnsOf(rest).length) assert.isAbove(size(kept) + size(next ?? []), budget)
        const ids = (role: string) =>
          rest.filter((one) => one.role === role).flatMap((one) =>
            typeof one.content === "string" ?
              [] :
              one.content.flatMap((part) => part.type === "tool-call" || part.type === "tool-result" ? [part.id] : [])
          )
        assert.deepStrictEqual(ids("assistant"), ids("tool"))
      })
  )
})

describe("fitter", () => {
  const talk: ReadonlyArray<Prompt.Message> = [
    Prompt.system("be brief"),
    ...Array.from({ length: 20 }, (_, at) => [
      Prompt.user(`question ${at} ${"x".repeat(180)}`),
      Prompt.assistant(`answer ${at} ${"y".repeat(180)}`)
    ]).flat()
  ]
  const window = { contextTokens: 700, reserve: 0 }
  const sizeOf = (messages: ReadonlyArray<Prompt.Message>) =>
    messages.reduce((sum, one) => sum + ContextWindow.tokensOf(one), 0)

  /** What is left of a conversation, and what was asked of the model meanwhile. */
  const fitted = (settings: ContextWindow.Settings, turns: ReadonlyArray<TestLLM.Turn>, messages = talk) =>
    Effect.gen(function*() {
      const llm = yield* LLM.LLM
      const fitter = yield* ContextWindow.fitter(llm, { model: "gpt-4o" })
      const left = yield* fitter.fit(messages, window)
      return { left, asked: yield* (yield* TestLLM.TestLLM).requests }
    }).pipe(
      Effect.provide([TestLLM.layer(turns), ContextWindow.layer(settings)]),
      Candidate.as(Candidate.user("u1"))
    )

  const textOf = (message: Prompt.Message | undefined) => JSON.stringify(message?.content)

  it.effect("drops the oldest turns unless it is told otherwise", () =>
    Effect.gen(function*() {
      const { asked, left } = yield* fitted({}, [])
      assert.lengthOf(asked, 0)
      assert.deepStrictEqual(left, yield* ContextWindow.fit(talk, window))
    }))

  it.effect("has a model sum up what does not fit: part by part, each with the summary of what came before", () =>
    Effect.gen(function*() {
      const summaries = Array.from({ length: 9 }, (_, at) => `sum ${at}`)
      const { asked, left } = yield* fitted({ strategy: "summarise", summaryTokens: 50 }, summaries)
      assert.isAbove(asked.length, 2)
      assert.include(textOf(asked[0]?.messages[1]), "question 0")
      assert.notInclude(textOf(asked[1]?.messages[1]), "question 0")
      assert.include(textOf(asked[1]?.messages[1]), "sum 0")
      assert.isTrue(asked.every(({ maxTokens }) => maxTokens === 50))
      assert.deepStrictEqual(left[0], talk[0])
      assert.include(textOf(left[1]), `sum ${asked.length - 1}`)
      assert.strictEqual(left[1]?.role, "user")
      const rest = left.slice(3)
      assert.deepStrictEqual(rest, talk.slice(talk.length - rest.length))
      assert.strictEqual(rest[0]?.role, "user")
      assert.isAtMost(sizeOf(left), window.contextTokens)
      // Of a turn, all was summed up or nothing.
      const turn = /question (\d+)/.exec(textOf(rest[0]))![1]
      assert.include(textOf(asked.at(-1)?.messages[1]), `answer ${Number(turn) - 1} `)
      // With a message more, the same parts are asked for in the same words.
      const more = [...talk, Prompt.user("and now?")]
      const later = yield* fitted({ strategy: "summarise", summaryTokens: 50 }, summaries, more)
      assert.deepStrictEqual(later.asked.slice(0, asked.length), asked)
    }))

  it.effect("drops them after all when they cannot be summed up, and asks nobody when everything fits", () =>
    Effect.gen(function*() {
      const failed = yield* fitted({ strategy: "summarise" }, [])
      assert.deepStrictEqual(failed.left, yield* ContextWindow.fit(talk, window))
      const short = talk.slice(0, 3)
      const { asked, left } = yield* fitted({ strategy: "summarise" }, [], short)
      assert.lengthOf(asked, 0)
      assert.deepStrictEqual(left, short)
    }))
})

describe("tokens", () => {
  it.effect("are estimated by bytes, unless there is a tokenizer", () =>
    Effect.gen(function*() {
      const estimated = yield* Tokenizer.counter
      assert.strictEqual(estimated.count("Hello, world!"), 4)
      assert.strictEqual(estimated.atMost("Hello, world!"), 13)
      const real = yield* Effect.provide(Tokenizer.counter, ContextWindow.layer({ tokenizer: "gpt" }))
      assert.strictEqual(real.count("Hello, world!"), 4)
      assert.strictEqual(real.count("antidisestablishmentarianism"), 6)
      assert.strictEqual(real.atMost("Hello, world!"), 6)
      // Words of the user, whatever they look like.
      assert.isAbove(real.count("<|endoftext|>"), 1)
      assert.strictEqual(real.count(""), 0)
    }))

  it.effect("of a text that no model takes are not counted to its end", () =>
    Effect.gen(function*() {
      const real = yield* Effect.provide(Tokenizer.counter, Tokenizer.layer)
      const long = "Hello, world! ".repeat(1_500_000)
      assert.isAbove(real.count(long), 4_000_000)
      assert.strictEqual(real.atMost(long), Buffer.byteLength(long))
    }))

  it.effect.prop(
    "of a real tokenizer are never more than bytes, and the bound holds",
    [fc.string({ maxLength: 3000 })],
    ([text]) =>
      Effect.gen(function*() {
        const real = yield* Effect.provide(Tokenizer.counter, Tokenizer.layer)
        assert.isAtMost(real.count(text), real.atMost(text))
        assert.isAtMost(real.atMost(text), Buffer.byteLength(text))
      }),
    { fastCheck: { numRuns: 20 } }
  )
})
