import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { builtInModels } from "../../../src/subsystems/llm/BuiltInModels.ts"
import { inMemory, Models, ModelsConnector } from "../../../src/subsystems/llm/Models.ts"
import { suite } from "../../../src/testing/conformance/models.ts"

const u1 = Candidate.user("u1")
const u2 = Candidate.user("u2")

const get = (name: string, who = u1) => Candidate.as(Effect.flatMap(Models, (models) => models.get(name)), who)
const add = (name: string, entry: Parameters<Models["Type"]["add"]>[1], who = u1) =>
  Candidate.as(Effect.flatMap(Models, (models) => models.add(name, entry)), who)
const withBuiltIn = Effect.provide(JSONModels.layer({}))

describe("the built-in models", () => {
  it("are all there, each with a provider", () => {
    const count = (provider: string) =>
      Array.from(builtInModels.values()).filter((one) => one.provider === provider).length
    assert.deepStrictEqual(
      [builtInModels.size, count("OpenAI"), count("TogetherAI"), count("Runware"), count("Echo")],
      [221, 49, 43, 19, 1]
    )
  })

  it("search the web where the connector of their provider can ask them to", () => {
    const searching = Array.from(builtInModels.values()).filter(({ features }) => features?.includes("search"))
    assert.sameMembers(
      Array.from(new Set(searching.map(({ provider }) => provider))),
      ["OpenAI", "Anthropic", "GoogleAI", "VertexAI", "Perplexity", "xAI"]
    )
  })

  it("that connectors embed with by default have a price, so that a budget of money lets them through", () => {
    for (const name of ["text-embedding-3-large", "gemini-embedding-001", "amazon.titan-embed-text-v2:0"]) {
      assert.isDefined(builtInModels.get(name)?.prices, name)
    }
  })

  it.effect("resolve, every one, for anybody", () =>
    Effect.gen(function*() {
      const models = yield* Candidate.as(Effect.flatMap(Models, (models) => models.list), u1)
      assert.lengthOf(models, builtInModels.size)
      assert.deepInclude(yield* get("gpt-4o"), {
        modelId: "gpt-4o-2024-08-06",
        provider: "OpenAI",
        contextTokens: 128000,
        outputTokens: 16384,
        credentials: ["vault"],
        isCustom: false
      })
      assert.deepInclude(yield* get("deepseek-v2.5"), {
        modelId: "deepseek-chat",
        baseURL: "https://api.deepseek.com/beta"
      })
      assert.deepInclude(yield* get("gemini-1.5-pro-stable"), { modelId: "gemini-1.5-pro-001" })
      assert.deepStrictEqual((yield* get("gpt-4-turbo")).credentials, ["internal"])
    }).pipe(withBuiltIn))
})

describe("a name", () => {
  it.effect("that is not known is a failure with those near it, never another model", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(get("gpt-4.1-mni"))
      assert.deepInclude({ ...error }, { _tag: "ModelNotFound", model: "gpt-4.1-mni" })
      assert.include(error.message, `"gpt-4.1-mini"`)
      assert.strictEqual((yield* Effect.flip(get("__proto__")))._tag, "ModelNotFound")
    }).pipe(withBuiltIn))

  it.effect("asked for by nobody is refused, on every method", () =>
    Effect.gen(function*() {
      const models = yield* Models
      for (
        const method of [models.get("gpt-4o"), models.list, models.add("x", { provider: "Echo" }), models.remove("x")]
      ) {
        assert.strictEqual(
          (yield* Effect.flip(Effect.asVoid<unknown, { readonly _tag: string }, never>(method)))._tag,
          "NoCandidate"
        )
      }
    }).pipe(withBuiltIn))
})

describe("a custom model", () => {
  it.effect("is its owner's alone, also under the name of a built-in one", () =>
    Effect.gen(function*() {
      yield* add("mine", { provider: "OpenAI", modelId: "ft:gpt", baseURL: "https://mine.example/v1", tokens: 10 })
      yield* add("gpt-4o", { provider: "OpenAI", modelId: "theirs", baseURL: "https://evil.example/v1" })
      assert.deepInclude(yield* get("mine"), {
        modelId: "ft:gpt",
        contextTokens: 10,
        isCustom: true,
        credentials: ["vault"]
      })
      assert.deepInclude(yield* get("gpt-4o"), { modelId: "theirs" })
      assert.strictEqual((yield* Effect.flip(get("mine", u2)))._tag, "ModelNotFound")
      assert.notInclude((yield* Effect.flip(get("min", u2))).message, "mine")
      assert.deepInclude(yield* get("gpt-4o", u2), { modelId: "gpt-4o-2024-08-06", baseURL: undefined })
      assert.lengthOf(yield* Candidate.as(Effect.flatMap(Models, ({ list }) => list), u2), builtInModels.size)
    }).pipe(withBuiltIn))

  it.effect("gives way to the built-in one again when it is removed", () =>
    Effect.gen(function*() {
      const models = yield* Models
      yield* add("gpt-4o", { provider: "Echo" })
      yield* Candidate.as(models.remove("gpt-4o"), u2)
      assert.strictEqual((yield* get("gpt-4o")).provider, "Echo")
      yield* Candidate.as(models.remove("gpt-4o"), u1)
      assert.strictEqual((yield* get("gpt-4o")).provider, "OpenAI")
    }).pipe(withBuiltIn))

  it.effect("may refine a built-in one by alias, and has its key only at its address", () =>
    Effect.gen(function*() {
      yield* add("fast", { alias: "gpt-4-turbo", params: { temperature: 0 }, label: "Fast" })
      yield* add("moved", { alias: "gpt-4-turbo", baseURL: "https://evil.example/v1" })
      assert.deepInclude(yield* get("fast"), {
        modelId: "gpt-4-turbo-2024-04-09",
        label: "Fast",
        outputTokens: 4096,
        credentials: ["internal"]
      })
      assert.deepInclude(yield* get("moved"), { baseURL: "https://evil.example/v1", credentials: ["vault"] })
    }).pipe(withBuiltIn))

  it.effect("whose alias leads nowhere, or round in a circle, cannot be added", () =>
    Effect.gen(function*() {
      assert.deepInclude({ ...yield* Effect.flip(add("a", { alias: "nowhere" })) }, {
        _tag: "ModelNotFound",
        model: "nowhere"
      })
      yield* add("b", { provider: "Echo" })
      yield* add("c", { alias: "b" })
      assert.strictEqual((yield* Effect.flip(add("b", { alias: "c" })))._tag, "ModelNotFound")
    }).pipe(withBuiltIn))

  it.effect("is not the public's to add, and not one of too many", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(add("x", { provider: "Echo" }, Candidate.anyone)))._tag, "AccessDenied")
      yield* Effect.forEach(Array.from({ length: 1000 }, (_, n) => n), (n) => add(`m${n}`, { provider: "Echo" }), {
        discard: true
      })
      assert.deepInclude({ ...yield* Effect.flip(add("one more", { provider: "Echo" })) }, { reason: "Full" })
      yield* add("m0", { provider: "OpenAI" })
    }).pipe(withBuiltIn))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("Models.inMemory", Layer.effect(ModelsConnector, inMemory("Test", new Map([["one", { provider: "Echo" }]]))))
