import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { builtInModels } from "../../../src/subsystems/llm/BuiltInModels.ts"
import { builtInPrices } from "../../../src/subsystems/llm/BuiltInPrices.ts"
import { Models } from "../../../src/subsystems/llm/Models.ts"
import { costOf, mostFor } from "../../../src/subsystems/llm/Prices.ts"

const u1 = Candidate.as(Candidate.user("u1"))
const get = (name: string) => Effect.map(Effect.flatMap(Models, (models) => models.get(name)), ({ prices }) => prices)

describe("prices", () => {
  const tokens = fc.nat(1_000_000)
  const price = fc.double({ min: 0, max: 100, noNaN: true })
  const some = fc.record({ input: price, output: price, cacheRead: price, cacheWrite: price })

  it.prop("no call costs more than the most that its tokens can", [some, tokens, tokens, tokens, tokens], (
    [prices, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens]
  ) => {
    const cost = costOf(prices, { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens: 0 })
    assert.isAtMost(cost, mostFor(prices, inputTokens + cacheReadTokens + cacheWriteTokens, outputTokens) + 1e-9)
  })

  it("of the built-in table are all some model's", () => {
    const known = new Set(Array.from(builtInModels, ([name, { modelId }]) => modelId ?? name))
    assert.deepStrictEqual(Array.from(builtInPrices.keys()).filter((modelId) => !known.has(modelId)), [])
  })

  it("of the built-in table fit each other: a cache is no dearer than the prompt, and writing it no cheaper", () => {
    for (const [modelId, { cacheRead, cacheWrite, input, output }] of builtInPrices) {
      assert.isAtMost(cacheRead ?? 0, input, modelId)
      assert.isAtLeast(cacheWrite ?? Infinity, input, modelId)
      if (output > 0) assert.isAtLeast(output, input, modelId)
    }
  })

  it("one model has one size and one price, whatever its names, and its answers fit into its context", () => {
    const models = Array.from(builtInModels, ([name, entry]) => ({ ...entry, name, modelId: entry.modelId ?? name }))
    for (const { completionTokens = 0, features = [], modelId, name, provider, tokens } of models) {
      if (tokens !== undefined) assert.isAtMost(completionTokens, tokens, name)
      const same = models.filter((one) => one.modelId === modelId && one.provider === provider)
      assert.lengthOf(new Set(same.map((one) => one.tokens)), 1, name)
      assert.lengthOf(new Set(same.map((one) => one.prices)), 1, name)
      const isOfOpenAI = provider === "OpenAI" && features.some((one) => /^(image-gen|speech|transcr|embed)/.test(one))
      if (isOfOpenAI) assert.isDefined(builtInPrices.get(modelId), `${name} has a price`)
    }
  })

  it("of pieces count beside those of tokens", () => {
    const prices = { input: 1, output: 2, image: 0.5, characters: 10, minute: 6 }
    const usage = { inputTokens: 1e6, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
    assert.strictEqual(costOf(prices, usage, { images: 3, characters: 100_000, seconds: 30 }), 1 + 1.5 + 1 + 3)
    assert.strictEqual(mostFor(prices, 1e6, 1e6, { images: 1 }), 3.5)
  })

  it.effect("come with a model, under any name; the operator's registry replaces them", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* get("gpt-4o"), { input: 2.5, output: 10 })
      assert.deepStrictEqual(yield* get("gemini-1.5-pro"), undefined)
      assert.deepStrictEqual(yield* get("dear"), { input: 7, output: 8 })
    }).pipe(
      u1,
      Effect.provide(
        JSONModels.layer({
          models: { dear: { alias: "bare" }, bare: { provider: "Echo", prices: { input: 7, output: 8 } } }
        })
      )
    ))

  it.effect("are not a candidate's to say: its own models cost what the operator says they do", () =>
    Effect.gen(function*() {
      const models = yield* Models
      const free = { input: 0, output: 0 }
      yield* models.add("same", { provider: "openai", modelId: "gpt-4o-2024-08-06", prices: free })
      yield* models.add("gpt-4o", { alias: "gpt-4o", prices: free })
      yield* models.add("chain", { alias: "same", prices: free })
      yield* models.add("away", { provider: "OpenAI", modelId: "m", baseURL: "https://models.test", prices: free })
      for (const name of ["same", "gpt-4o", "chain"]) assert.deepInclude(yield* get(name), { input: 2.5, output: 10 })
      assert.isUndefined(yield* get("away"))
    }).pipe(u1, Effect.provide(JSONModels.layer({}))))
})
