/** One mechanism for all services that ask models: what is limited, counted and left alone, be it text, vectors or pictures. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, FastCheck as fc, Fiber, Layer, Ref, Schema, TestClock } from "effect"
import { RAMBudgets } from "../../../src/connectors/budgets/RAMBudgets.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { RAMRateLimits } from "../../../src/connectors/ratelimits/RAMRateLimits.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import { ConnectorError, type Reason } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Embeddings from "../../../src/subsystems/llm/Embeddings.ts"
import * as Governed from "../../../src/subsystems/llm/Governed.ts"
import * as Images from "../../../src/subsystems/llm/Images.ts"
import type * as Models from "../../../src/subsystems/llm/Models.ts"
import * as Speech from "../../../src/subsystems/llm/Speech.ts"
import { type UsageRecord, UsageSink, zero } from "../../../src/subsystems/llm/Usage.ts"

const models: Readonly<Record<string, Models.ModelEntry>> = {
  vectors: { provider: "Test", credentials: "none", prices: { input: 1000, output: 0 } },
  pictures: { provider: "Test", credentials: "none", prices: { input: 0, output: 0, image: 0.5 } },
  drawing: { provider: "Test", credentials: "none", completionTokens: 100, prices: { input: 0, output: 10_000 } },
  voice: { provider: "Test", credentials: "none", prices: { input: 0, output: 0, characters: 1_000_000 } },
  ears: { provider: "Test", credentials: "none", prices: { input: 0, output: 0, minute: 6 } },
  unpriced: { provider: "Test", credentials: "none" }
}

const keyed = { provider: "Test", credentials: { environment: undefined, required: false } } as const

/** All services on one provider; `answer` is what a call waits for before it succeeds. */
const system = (governed: typeof Governed.Settings.Encoded, answer: Effect.Effect<void, ConnectorError>) => {
  const picture = { bytes: new Uint8Array([1]), mediaType: "image/png" }
  const sound = { bytes: new Uint8Array([1]), mediaType: "audio/mpeg" }
  const embeddings = Embeddings.EmbeddingsConnector.of({
    ...keyed,
    model: "vectors",
    limits: { texts: 2, characters: 1000, concurrency: 1 },
    embed: ({ texts }) => Effect.as(answer, { vectors: texts.map(() => [1]), inputTokens: texts.length })
  })
  const images = Images.ImagesConnector.of({
    ...keyed,
    generate: ({ count, modelId }) =>
      Effect.as(answer, {
        images: Array.from({ length: count }, () => picture),
        usage: modelId === "drawing" ? { ...zero, outputTokens: 60 * count } : undefined
      })
  })
  const speech = Speech.SpeechConnector.of({
    ...keyed,
    speak: () => Effect.as(answer, { sound }),
    transcribe: () => Effect.as(answer, { text: "hi", seconds: 30 })
  })
  return Layer.mergeAll(
    Layer.provide(Embeddings.layer, Layer.succeed(Embeddings.Providers, new Map([["test", embeddings]]))),
    Layer.provide(Images.layer, Layer.succeed(Images.Providers, new Map([["test", images]]))),
    Layer.provide(Speech.layer, Layer.succeed(Speech.Providers, new Map([["test", speech]])))
  ).pipe(
    Layer.provide([
      Layer.orDie(JSONModels.layer({ models })),
      Layer.orDie(NullVault.layer({})),
      Layer.provide(Governed.governor(Schema.decodeSync(Governed.Settings)(governed)), [
        Layer.orDie(RAMBudgets.layer({})),
        Layer.orDie(RAMRateLimits.layer({}))
      ])
    ])
  )
}

const embed = (...texts: ReadonlyArray<string>) =>
  Effect.flatMap(Embeddings.Embeddings, (service) => service.embed({ model: "vectors", texts }))
const draw = (count = 1, model = "pictures") =>
  Effect.flatMap(Images.Images, (service) => service.generate({ model, prompt: "a dot", count }))
const speak = (text: string) => Effect.flatMap(Speech.Speech, (service) => service.speak({ model: "voice", text }))
const hear = (bytes: number) =>
  Effect.flatMap(
    Speech.Speech,
    (service) => service.transcribe({ model: "ears", sound: { bytes: new Uint8Array(bytes), mediaType: "audio/wav" } })
  )
type Services = Embeddings.Embeddings | Images.Images | Speech.Speech
type Way = "draw" | "embed" | "speak"
const u1 = Candidate.as(Candidate.user("u1"))

describe("budgets", () => {
  it.effect("of money are of all that is asked for, in the units it is billed in; what was not used is free again", () =>
    Effect.gen(function*() {
      yield* draw(2)
      yield* embed("a", "b", "c")
      yield* speak("ab")
      // 750 bytes are a second of sound at the most: it turned out to be half a minute, and cost 3.
      yield* hear(7500)
      const left = 10 - 1 - 0.003 - 2 - 3
      assert.deepInclude(yield* Effect.flip(draw(8)), {
        _tag: "BudgetExceeded",
        what: "money",
        used: 10 - left,
        asked: 4
      })
      yield* draw(7)
      // Each picture may take 100 tokens, and takes 60.
      assert.deepInclude(yield* Effect.flip(draw(1, "drawing")), { _tag: "BudgetExceeded", what: "money" })
      assert.match(String(yield* Effect.flip(draw(1, "unpriced"))), /nobody knows what "unpriced" costs/)
    }).pipe(u1, Effect.provide(system({ Budgets: { user: { money: 10 } } }, Effect.void))))

  it.effect("of tokens, calls, and calls at once are those of text", () =>
    Effect.gen(function*() {
      yield* draw(1, "drawing")
      yield* draw(1, "drawing")
      assert.deepInclude(yield* Effect.flip(draw(1, "drawing")), { what: "tokens", limit: 200, used: 120 })
      yield* embed("x".repeat(50))
      assert.deepInclude(yield* Effect.flip(embed("x")), { what: "calls", limit: 3 })
    }).pipe(u1, Effect.provide(system({ Budgets: { user: { tokens: 200, calls: 3 } } }, Effect.void))))

  it.effect("of time end a call", () =>
    Effect.gen(function*() {
      const call = yield* Effect.fork(Effect.exit(draw()))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        yield* Effect.map(Fiber.join(call), Exit.match({ onFailure: () => "ended", onSuccess: () => "answered" })),
        "ended"
      )
      assert.deepInclude(yield* Effect.flip(draw()), { what: "time", used: 10_000 })
    }).pipe(u1, Effect.provide(system({ Budgets: { user: { time: 15_000 }, longestCall: 10_000 } }, Effect.never))))

  const spentAfter = (reason: Reason) =>
    Effect.map(
      Effect.zipRight(Effect.exit(draw(2)), Effect.flip(draw(100))),
      (error) => error._tag === "BudgetExceeded" ? error.used : Number.NaN
    ).pipe(
      u1,
      Effect.provide(
        system(
          { Budgets: { user: { money: 10 } } },
          Effect.fail(new ConnectorError({ connector: "Test", method: "test", reason }))
        )
      )
    )

  it.effect("a call that was refused costs nothing, one of which nobody knows costs the most it could", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* spentAfter("InvalidInput"), 0)
      assert.strictEqual(yield* spentAfter("Protocol"), 1)
      assert.strictEqual(yield* spentAfter("Unavailable"), 1)
    }))

  it.effect.prop(
    "100 agents at once, asking for whatever, never exceed the money of a run",
    [fc.array(fc.tuple(fc.constantFrom<Way>("draw", "embed", "speak"), fc.nat(3)), { minLength: 100, maxLength: 100 })],
    ([calls]) =>
      Effect.gen(function*() {
        const answered = yield* Ref.make(0)
        const cost = { draw: 0.5, embed: 0.001, speak: 1 }
        const ways: Readonly<Record<Way, Effect.Effect<unknown, unknown, Services>>> = {
          draw: draw(),
          embed: embed("a"),
          speak: speak("a")
        }
        yield* Effect.forEach(calls, ([kind, turns]) =>
          ways[kind].pipe(
            Effect.tap(() => Ref.update(answered, (sum) => sum + cost[kind])),
            Effect.raceFirst(Effect.repeatN(Effect.yieldNow(), 40 * turns)),
            Effect.exit
          ), { concurrency: "unbounded" })
        assert.isAtMost(yield* Ref.get(answered), 20 + 1e-9)
      }).pipe(
        u1,
        Effect.provide(system({ Budgets: { user: { money: 20 } } }, Effect.repeatN(Effect.yieldNow(), 30)))
      ),
    { fastCheck: { numRuns: 10, endOnFailure: true } }
  )
})

it.effect("rate limits are of the key, whatever it is used for, and each call of a request waits for its turn", () =>
  Effect.gen(function*() {
    const seconds = <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.map(Effect.zipRight(self, Clock.currentTimeMillis), (now) => now / 1000)
    const calls = Effect.all([seconds(draw()), seconds(embed("a", "b", "c")), seconds(speak("a"))], {
      concurrency: "unbounded"
    })
    const fiber = yield* Effect.fork(calls)
    yield* TestClock.adjust("5 minutes")
    assert.deepStrictEqual(yield* Fiber.join(fiber), [0, 60, 60])
  }).pipe(
    u1,
    Effect.provide(
      system({ RateLimits: { providers: { test: { requestsPerMinute: 2 } }, maxWait: 120_000 } }, Effect.void)
    )
  ))

it.effect("an endpoint that failed several times in a row is left alone, then tried by one call", () =>
  Effect.gen(function*() {
    const isUp = yield* Ref.make(false)
    const asked = yield* Ref.make(0)
    const answer = Effect.gen(function*() {
      yield* Ref.update(asked, (count) => count + 1)
      if (!(yield* Ref.get(isUp))) {
        return yield* new ConnectorError({ connector: "Test", method: "generate", reason: "Unavailable" })
      }
    })
    yield* Effect.gen(function*() {
      yield* Effect.repeatN(Effect.flip(draw()), 2)
      assert.match((yield* Effect.flip(draw())).message, /left alone/)
      assert.strictEqual(yield* Ref.get(asked), 2)
      yield* Ref.set(isUp, true)
      // Whose calls did not fail is not kept from it.
      yield* Candidate.as(draw(), Candidate.user("u2"))
      // Another service of the same provider may work.
      yield* speak("a")
      yield* TestClock.adjust("1 minute")
      yield* draw()
      yield* draw()
      // The call that was refused was not reserved.
      assert.deepInclude(yield* Effect.flip(draw(100)), { what: "money", used: 1 + 1 + 0.5 + 0.5 })
    }).pipe(
      u1,
      Effect.provide(
        system({ Routing: { circuit: { failures: 2, openFor: 60_000 } }, Budgets: { user: { money: 10 } } }, answer)
      )
    )
  }))

it.effect("all that is used is recorded, with its kind and its units", () =>
  Effect.gen(function*() {
    const used: Array<UsageRecord> = []
    yield* Effect.all([draw(2), draw(1, "drawing"), embed("a"), speak("abc"), hear(1)]).pipe(
      u1,
      Effect.provide(
        Layer.provide(
          system({}, Effect.void),
          Layer.succeed(UsageSink, (record) => Effect.sync(() => void used.push(record)))
        )
      )
    )
    assert.deepStrictEqual(
      used.map(({ kind, units, usage }) => [kind, usage.inputTokens, usage.outputTokens, units]),
      [
        ["images", 0, 0, { images: 2 }],
        ["images", 0, 60, { images: 1 }],
        ["embeddings", 1, 0, undefined],
        ["speech", 0, 0, { characters: 3 }],
        ["transcription", 0, 0, { seconds: 30 }]
      ]
    )
    assert.strictEqual((yield* Effect.flip(draw().pipe(Effect.provide(system({}, Effect.void)))))._tag, "NoCandidate")
  }))
