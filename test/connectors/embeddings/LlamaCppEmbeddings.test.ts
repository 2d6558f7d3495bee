import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { LlamaCppEmbeddings } from "../../../src/connectors/embeddings/LlamaCppEmbeddings.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Embeddings } from "../../../src/subsystems/llm/Embeddings.ts"
import { suite } from "../../../src/testing/conformance/embeddings.ts"
import * as TinyModel from "../../fixtures/TinyModel.ts"

const processor = { gpu: false, threads: 1 } as const

if (TinyModel.canRun()) {
  describe("LlamaCppEmbeddings", () => {
    it.scopedLive("the same words give the same vector, texts beyond the context none, and tokens are counted", () =>
      Effect.gen(function*() {
        const tiny = yield* TinyModel.make({ says: [["cats", "dogs"]] })
        const layer = LlamaCppEmbeddings.layer({ ...processor, models: { tiny }, contextTokens: 256 })
        const embed = yield* Effect.map(
          Layer.build(layer),
          (context) => (texts: ReadonlyArray<string>, model?: string) =>
            Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts, model })).pipe(
              Candidate.as(Candidate.user("ann")),
              Effect.provide(context)
            )
        )
        const { inputTokens, model, provider, vectors: [cats, mice, again] } = yield* embed(["cats", "dogs", "cats"])
        assert.deepStrictEqual([provider, model], ["LlamaCpp", "tiny"])
        assert.deepStrictEqual(cats, again)
        assert.isBelow(cats!.reduce((sum, one, at) => sum + one * mice![at]!, 0), 0.9)
        assert.isAtLeast(inputTokens, 3)
        const long = yield* Effect.flip(embed(["cats", "x".repeat(300)]))
        assert.deepInclude({ ...long }, { connector: "LlamaCpp", reason: "InvalidInput" })
        const unknown = yield* Effect.flip(embed(["cats"], "tyni"))
        assert.include(unknown.message, "tyni")
      }))
  })

  suite(
    "LlamaCpp",
    Layer.unwrapScoped(
      Effect.map(TinyModel.make(), (tiny) => LlamaCppEmbeddings.contract({ ...processor, models: { tiny } }))
    )
  )
}
