/** What every provider of embeddings must do, by itself and behind the service that guards it. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Candidate from "../../security/Candidate.ts"
import { Embeddings, EmbeddingsConnector, standalone } from "../../subsystems/llm/Embeddings.ts"
import * as Usage from "../../subsystems/llm/Usage.ts"

const asAnn = Candidate.as(Candidate.user("ann"))

export interface Options {
  /** A length the connector's model gives when it is asked for it; absent where it has only one. */
  readonly dimensions?: number
}

export const suite = <E>(name: string, connector: Layer.Layer<EmbeddingsConnector, E>, { dimensions }: Options = {}) =>
  layer(Layer.provideMerge(standalone, Layer.merge(connector, Usage.layer)), {
    excludeTestServices: true,
    timeout: "60 seconds"
  })(`${name} is an EmbeddingsConnector`, (it) => {
    const embed = (texts: ReadonlyArray<string>, more: object = {}) =>
      asAnn(Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts, ...more })))

    it.effect("every text gets its vector, in order, all of one length and of length 1", () =>
      Effect.gen(function*() {
        const texts = ["cats", "日本語 👋", "a\nb", "\"quotes\" \\ {}", "cats", "x".repeat(5000), "é", "?"]
        const embedded = yield* embed(texts)
        assert.lengthOf(embedded.vectors, texts.length)
        for (const [n, vector] of embedded.vectors.entries()) {
          assert.instanceOf(vector, Float32Array)
          assert.lengthOf(vector, embedded.dimensions)
          assert.closeTo(vector.reduce((sum, one) => sum + one * one, 0), 1, 1e-4)
          const alone = (yield* embed([texts[n]!])).vectors[0]!
          assert.closeTo(alone.reduce((sum, one, at) => sum + one * vector[at]!, 0), 1, 1e-4)
        }
        assert.deepStrictEqual(embedded.vectors[0], embedded.vectors[4])
        assert.notDeepEqual(embedded.vectors[0], embedded.vectors[1])
      }))

    it.effect("300 texts go in as many calls as it takes, and keep their order", () =>
      Effect.gen(function*() {
        const texts = Array.from({ length: 300 }, (_, n) => `text number ${n}`)
        const { vectors } = yield* embed(texts)
        assert.lengthOf(vectors, 300)
        for (const n of [0, 1, 95, 96, 97, 255, 256, 299]) {
          const alone = (yield* embed([texts[n]!])).vectors[0]!
          assert.closeTo(alone.reduce((sum, one, at) => sum + one * vectors[n]![at]!, 0), 1, 1e-4)
        }
      }))

    it.effect("the model it says it used gives the same again, also for a query where it makes no difference", () =>
      Effect.gen(function*() {
        const first = yield* embed(["the same text"])
        const again = yield* embed(["the same text"], { model: first.model })
        assert.deepStrictEqual(again.vectors, first.vectors)
        assert.strictEqual(again.provider, (yield* EmbeddingsConnector).provider)
        assert.strictEqual((yield* embed(["the same text"], { purpose: "query" })).dimensions, first.dimensions)
      }))

    it.effect("vectors are as long as asked for", () =>
      Effect.gen(function*() {
        if (dimensions === undefined) return
        const embedded = yield* embed(["one", "two"], { dimensions })
        assert.strictEqual(embedded.dimensions, dimensions)
        assert.isTrue(embedded.vectors.every(({ length }) => length === dimensions))
      }))

    it.effect("lengths that no vector has are refused", () =>
      Effect.forEach([0, -1, 1.5, Number.NaN, 1e12], (dimensions) =>
        Effect.map(
          Effect.flip(embed(["text"], { dimensions })),
          (error) => assert.deepInclude(error, { _tag: "ConnectorError", reason: "InvalidInput" })
        )))

    it.effect("nothing is asked for nothing, and what has nothing to see is refused", () =>
      Effect.gen(function*() {
        assert.deepInclude(yield* embed([]), { vectors: [], dimensions: 0, inputTokens: 0 })
        for (const blank of ["", " ", "\n\t"]) {
          const error = yield* Effect.flip(embed(["text", blank]))
          assert.deepInclude(error, { _tag: "ConnectorError", reason: "InvalidInput" })
          assert.include(error.message, "text 1")
        }
      }))

    it.effect("what is used is counted for whoever asked; nobody known is refused", () =>
      Effect.gen(function*() {
        const bob = Candidate.as(Candidate.user("bob"))
        const { inputTokens, model } = yield* bob(Effect.flatMap(Embeddings, (one) => one.embed({ texts: ["a b c"] })))
        const totals = yield* bob(Effect.flatMap(Usage.Usage, (usage) => usage.totals))
        assert.deepStrictEqual(totals.map(({ model, usage }) => [model, usage.inputTokens]), [[model, inputTokens]])
        const error = yield* Effect.flip(Effect.flatMap(Embeddings, (one) => one.embed({ texts: ["a"] })))
        assert.strictEqual(error._tag, "NoCandidate")
      }))

    it.effect("20 askers at once each get what is theirs", () =>
      Effect.forEach(
        Array.from({ length: 20 }, (_, n) => `asker ${n}`),
        (text) =>
          Effect.gen(function*() {
            const [[one], [other]] = yield* Effect.all([
              Effect.map(embed([text]), ({ vectors }) => vectors),
              Effect.map(embed([text, "more"]), ({ vectors }) => vectors)
            ], { concurrency: 2 })
            assert.closeTo(one!.reduce((sum, element, at) => sum + element * other![at]!, 0), 1, 1e-4)
          }),
        { concurrency: "unbounded", discard: true }
      ))
  })
