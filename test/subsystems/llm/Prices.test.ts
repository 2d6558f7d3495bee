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
