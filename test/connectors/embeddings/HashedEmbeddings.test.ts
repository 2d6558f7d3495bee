import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { HashedEmbeddings, HashedEmbeddingsLive } from "../../../src/connectors/embeddings/HashedEmbeddings.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Embeddings } from "../../../src/subsystems/llm/Embeddings.ts"
import { suite } from "../../../src/testing/conformance/embeddings.ts"

const vectors = (...texts: ReadonlyArray<string>) =>
  Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts })).pipe(
    Candidate.as(Candidate.user("ann")),
    Effect.provide(HashedEmbeddingsLive),
    Effect.map(({ vectors }) => vectors)
  )

const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, one, at) => sum + one * b[at]!, 0)

describe("HashedEmbeddings", () => {
  it.effect("texts are the nearer the more of their words they share, also in other forms and scripts", () =>
    Effect.gen(function*() {
      const [query, inflected, other, unrelated] = yield* vectors(
        "resetting my password",
        "How do I reset the passwords of my users?",
        "My invoice is wrong",
        "Zebras graze near volcanic lakes"
      )
      assert.isAbove(cosine(query!, inflected!), cosine(query!, other!))
      assert.isAbove(cosine(query!, other!), cosine(query!, unrelated!))
      const [cat, cats, dog] = yield* vectors("猫はソファで寝ている", "猫はソファで遊ぶ", "犬が庭を走る")
      assert.isAbove(cosine(cat!, cats!), cosine(cat!, dog!))
    }))

  it.effect("the same text gives the same vector for ever", () =>
    Effect.gen(function*() {
      const [golden] = yield* vectors("golden")
      const places = Array.from(golden!).flatMap((one, at) => one === 0 ? [] : [`${at}:${Math.sign(one)}`])
      assert.strictEqual(
        places.join(" "),
        "15:-1 79:-1 175:1 190:1 198:-1 250:1 261:-1 297:-1 323:1 382:1 437:-1 461:-1 508:-1"
      )
    }))

  it.effect("any text that can be seen has a place", () =>
    Effect.gen(function*() {
      const texts = FastCheck.sample(FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), 300)
        .filter((text) => text.trim() !== "")
      for (const vector of yield* vectors(...texts)) assert.closeTo(cosine(vector, vector), 1, 1e-5)
    }))
})

suite("Hashed", HashedEmbeddings.contract({}), { dimensions: 64 })
