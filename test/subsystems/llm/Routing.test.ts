import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Fiber, Layer, Option, Schema, Stream, TestClock } from "effect"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as Routing from "../../../src/subsystems/llm/Routing.ts"
import { type Answer, ask, finish, layer, model, text } from "./scripted.ts"

const decode = Schema.decodeSync(Routing.Settings)
const u1 = Candidate.as(Candidate.user("u1"))
const failing = (reason: ConnectorError["reason"]): Answer =>
  // Asked to wait longer than anybody does, so that it is not tried again.
  Stream.fail(new ConnectorError({ connector: "Test", method: "stream", reason, retryAfter: Duration.minutes(5) }))
const saying = (words: string): Answer => Stream.make(text(words), finish)

type Models = Parameters<typeof layer>[0]

/** Which models were asked, in order, while the program ran on the registry with such answers by model. */
const asking = <A, E>(
  models: Models,
  answers: Readonly<Record<string, Answer>>,
  program: Effect.Effect<A, E, LLM.LLM>,
  settings: typeof Routing.Settings.Encoded = {}
) =>
  Effect.suspend(() => {
    const asked: Array<string> = []
    const routed = Layer.provide(
      Routing.layer(decode(settings)),
      layer(models, ({ modelId }) =>
        Stream.suspend(() => {
          asked.push(modelId)
          return answers[modelId] ?? saying(modelId)
        }))
    )
    return Effect.map(Effect.provide(u1(program), routed), (result) => ({ asked, result }))
  })

const two: Models = { m: { models: ["a", "b"] }, a: model(), b: model() }

describe("a choice of models", () => {
  it.effect("is answered by the first, or by the next when that cannot", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* asking(two, {}, ask("hi"))).asked, ["a"])
      for (const reason of ["Unavailable", "Timeout", "RateLimited", "Unauthorized", "NotFound", "Protocol"] as const) {
        const { asked, result } = yield* asking(two, { a: failing(reason) }, ask("hi"))
        assert.deepStrictEqual(asked, ["a", "b"])
        assert.strictEqual(result.text, "b")
      }
    }))

  it.effect("is not, when the request itself is wrong; and fails as the last does", () =>
    Effect.gen(function*() {
      const wrong = yield* asking(two, { a: failing("InvalidInput") }, Effect.flip(ask("hi")))
      assert.deepStrictEqual(wrong.asked, ["a"])
      const none = yield* asking(two, { a: failing("Unavailable"), b: failing("NotFound") }, Effect.flip(ask("hi")))
      assert.deepStrictEqual(none.asked, ["a", "b"])
      assert.deepInclude({ ...none.result }, { reason: "NotFound" })
    }))

  it.effect("stays with the model that began to answer", () =>
    Effect.gen(function*() {
      const program = Effect.flatMap(LLM.LLM, (llm) =>
        Stream.runCollect(Stream.either(llm.stream({ model: "m", messages: [Prompt.user("hi")] }))))
      const broken = Stream.concat(Stream.make(text("half")), failing("Unavailable"))
      const { asked, result } = yield* asking(two, { a: broken }, program)
      assert.deepStrictEqual(asked, ["a"])
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(result).map(({ _tag }) =>
          _tag
        ),
        ["Right", "Left"]
      )
    }))

  it.effect("leaves out what leads nowhere, and ends where it leads back to itself", () =>
    Effect.gen(function*() {
      const models = { m: { models: ["a", "gone", "n"] }, n: { models: ["m", "b"] }, a: model(), b: model() } as const
      const { asked } = yield* asking(models, { a: failing("Timeout") }, ask("hi"))
      assert.deepStrictEqual(asked, ["a", "b"])
      const { result } = yield* asking(models, {}, Effect.flip(ask("hi", { model: "gone" })))
      assert.strictEqual(result._tag, "ModelNotFound")
    }))

  it.effect("counts the tokens of a request as the first of them does", () =>
    Effect.gen(function*() {
      const count = (request: LLM.Request) => Effect.flatMap(LLM.LLM, (llm) => llm.count(request))
      const models = { m: { models: ["first", "b"] }, first: model(), b: model() } as const
      const messages = [Prompt.user("hi")]
      const { asked, result } = yield* asking(models, {}, count({ model: "m", messages }))
      assert.deepStrictEqual(result, Option.some(5))
      assert.deepStrictEqual(asked, [])
      // Not of one that is asked after all others, since the request is too large for it.
      const large = { model: "m", messages: [Prompt.user("x".repeat(8000))] }
      const sized = { ...models, b: model({ tokens: 10_000 }) }
      assert.deepStrictEqual((yield* asking(sized, {}, count(large))).result, Option.some(1))
      const { result: unknown } = yield* asking(models, {}, Effect.flip(count({ model: "gone", messages })))
      assert.strictEqual(unknown._tag, "ModelNotFound")
    }))

  it.effect("by price: the cheapest first, those nobody knows last", () =>
    Effect.gen(function*() {
      const { prices: _, ...unpriced } = model()
      const models = {
        m: { models: ["unpriced", "dear", "cheap"], choose: "price" },
        unpriced,
        dear: model({ prices: { input: 5, output: 5 } }),
        cheap: model({ prices: { input: 1, output: 2 } })
      } as const
      const down = failing("Unavailable")
      const { asked } = yield* asking(models, { cheap: down, dear: down }, ask("hi"))
      assert.deepStrictEqual(asked, ["cheap", "dear", "unpriced"])
    }))

  it.effect("by latency: who lately answered soonest, once all were tried", () =>
    Effect.gen(function*() {
      const models = { m: { models: ["slow", "fast"], choose: "latency" }, slow: model(), fast: model() } as const
      const after = (delay: Duration.DurationInput, name: string) =>
        Stream.concat(Stream.fromEffect(Effect.delay(Effect.succeed(text(name)), delay)), Stream.make(finish))
      const call = Effect.gen(function*() {
        const fiber = yield* Effect.fork(ask("hi"))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(fiber)
      })
      const answers = { slow: after("5 seconds", "slow"), fast: after("1 second", "fast") }
      const { asked } = yield* asking(models, answers, Effect.repeatN(call, 3))
      assert.deepStrictEqual(asked, ["slow", "fast", "fast", "fast"])
    }))

  it.effect("by what the request needs: a model that says it can comes first, one that is too small not at all", () =>
    Effect.gen(function*() {
      const models = {
        m: { models: ["small", "text", "eyes"] },
        small: model({ tokens: 10, features: ["image"] }),
        text: model({ features: ["text"] }),
        eyes: model({ features: ["text", "image"] })
      } as const
      const image = Prompt.user("what is this, and why, and when, and how?", [
        { type: "file", mediaType: "image/png", data: "AAAA" }
      ])
      const large = { ...models, text: model({ features: ["text"], tokens: 5000 }), eyes: model({ tokens: 5000 }) }
      const seen = yield* asking(large, { eyes: failing("Unavailable") }, ask("", { messages: [image] }))
      assert.deepStrictEqual(seen.asked, ["eyes", "text"])
      const plain = yield* asking(models, {}, ask("what is this, and why, and when, and how did it come to be?"))
      assert.deepStrictEqual(plain.asked, ["text"])
      const paper = Prompt.user("sum it up", [{ type: "file", mediaType: "application/pdf", data: "AAAA" }])
      const reader = {
        m: { models: ["text", "reader"] as const },
        text: large.text,
        reader: model({ features: ["text", "document"], tokens: 5000 })
      }
      assert.deepStrictEqual((yield* asking(reader, {}, ask("", { messages: [paper] }))).asked, ["reader"])
    }))
})

describe("a model", () => {
  it.effect("whose entry names a fallback is stood in for when it fails", () =>
    Effect.gen(function*() {
      const models = { m: model({ fallbackLLM: "b" }), b: model() }
      assert.deepStrictEqual((yield* asking(models, { m: failing("Unavailable") }, ask("hi"))).asked, ["m", "b"])
      assert.deepStrictEqual((yield* asking(models, {}, ask("hi"))).asked, ["m"])
    }))

  it.effect("can be used when one of those it stands for can", () =>
    Effect.gen(function*() {
      const locked = model({ credentials: "vault", provider: "Nobody" })
      const check = (models: Models) => asking(models, {}, Effect.flatMap(LLM.LLM, (llm) => llm.check("m")))
      yield* check({ m: { models: ["a", "b"] }, a: locked, b: model() })
      const error = yield* Effect.flip(check({ m: { models: ["a"] }, a: locked }))
      assert.strictEqual(error._tag, "ConnectorError")
    }))

  it.effect("is refused to nobody known", () =>
    Effect.gen(function*() {
      const routed = Layer.provide(Routing.layer(), layer(two, () => saying("never")))
      const error = yield* Effect.flip(Effect.provide(ask("hi"), routed))
      assert.deepInclude({ ...error }, { _tag: "NoCandidate", operation: "LLM.stream" })
    }))
})

describe("an endpoint", () => {
  const settings = { circuit: { failures: 2, openFor: 30_000 } }
  const failOnce = Effect.exit(ask("hi"))

  it.effect("that failed several times in a row is left alone for a while, then tried by one call", () =>
    Effect.gen(function*() {
      const models = { m: model({ baseURL: "https://a.test" }) }
      const program = Effect.gen(function*() {
        yield* failOnce
        yield* failOnce
        const error = yield* Effect.flip(ask("hi"))
        assert.match(error.message, /failed several times in a row/)
        yield* TestClock.adjust("30 seconds")
        yield* failOnce
        yield* failOnce
      })
      assert.lengthOf((yield* asking(models, { m: failing("Unavailable") }, program, settings)).asked, 3)
    }))

  it.effect("is left alone by whoever it failed, and by nobody else", () =>
    Effect.gen(function*() {
      const u2 = Candidate.as(Candidate.user("u2"))
      const program = Effect.repeatN(failOnce, 3).pipe(Effect.zipRight(u2(Effect.repeatN(failOnce, 3))))
      const { asked } = yield* asking({ m: model() }, { m: failing("Timeout") }, program, settings)
      assert.lengthOf(asked, 4)
    }))

  it.effect("is passed over in a choice while it is left alone, and another address of its provider is not", () =>
    Effect.gen(function*() {
      const models = {
        m: { models: ["a", "b"] },
        a: model({ baseURL: "https://a.test" }),
        b: model({ baseURL: "https://b.test" })
      } as const
      const { asked } = yield* asking(models, { a: failing("Timeout") }, Effect.repeatN(ask("hi"), 3), settings)
      assert.deepStrictEqual(asked, ["a", "b", "a", "b", "b", "b"])
    }))

  it.effect("that refuses is there: nobody else is kept from it", () =>
    Effect.gen(function*() {
      const { asked } = yield* asking(
        { m: model() },
        { m: failing("Unauthorized") },
        Effect.repeatN(failOnce, 4),
        settings
      )
      assert.lengthOf(asked, 5)
    }))
})
