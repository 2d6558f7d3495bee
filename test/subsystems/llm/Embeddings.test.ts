import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Layer } from "effect"
import { HashedEmbeddings } from "../../../src/connectors/embeddings/HashedEmbeddings.ts"
import { OpenAICompatibleEmbeddings } from "../../../src/connectors/embeddings/OpenAICompatibleEmbeddings.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as Embeddings from "../../../src/subsystems/llm/Embeddings.ts"
import * as Models from "../../../src/subsystems/llm/Models.ts"
import { memoryVault } from "../../../src/testing/MemoryVault.ts"
import * as EmbeddingsServer from "../../fixtures/EmbeddingsServer.ts"

const asAnn = Candidate.as(Candidate.user("ann"))
const asBob = Candidate.as(Candidate.user("bob"))

/** Two providers, a registry with one model of each kind, and a key of Ann's. */
const system = (baseURL: string) =>
  Embeddings.layer.pipe(
    Layer.provideMerge(Layer.provide(
      Models.layer,
      Layer.effect(
        Models.ModelsConnector,
        Models.inMemory(
          "test",
          new Map([
            ["ours", { provider: "OpenAI", modelId: "text-embedding-3-small", credentials: "vault" }],
            ["internal", { provider: "OpenAI", credentials: "internal" }],
            ["nobody's", { provider: "Nobody" }]
          ])
        )
      )
    )),
    Layer.provide([
      Embeddings.providers([
        HashedEmbeddings.contract({}),
        OpenAICompatibleEmbeddings.contract({ baseURL, apiKey: "sk-operator" })
      ]),
      Layer.provide(Vault.layer, memoryVault({ "user:ann": { openai: "sk-ann" }, "user:bob": { openai: "sk-bob" } }))
    ])
  )

const embed = (request: Partial<Embeddings.Request>) =>
  Effect.flatMap(Embeddings.Embeddings, (embeddings) => embeddings.embed({ texts: ["a text"], ...request }))

describe("Embeddings", () => {
  it.scopedLive("the model's name says which provider serves it, and no name the first", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      yield* Effect.gen(function*() {
        assert.deepInclude(yield* embed({}), { provider: "Hashed", model: "Hashed", dimensions: 512 })
        assert.deepInclude(yield* embed({ model: "Hashed", dimensions: 64 }), { provider: "Hashed", dimensions: 64 })
        assert.lengthOf(server.requests, 0)
        assert.deepInclude(yield* embed({ model: "ours" }), { provider: "OpenAI", model: "ours", dimensions: 64 })
        assert.deepInclude(JSON.parse(server.requests[0]!.body), { model: "text-embedding-3-small" })
        // What a provider is installed with needs no entry in the registry.
        assert.deepInclude(yield* embed({ model: "text-embedding-3-large" }), { provider: "OpenAI" })
        const unknown = yield* Effect.flip(embed({ model: "our" }))
        assert.deepInclude(unknown, { _tag: "ModelNotFound", model: "our", near: ["ours"] })
        const unserved = yield* Effect.flip(embed({ model: "nobody's" }))
        assert.deepInclude(unserved, { _tag: "ConnectorError", reason: "Unsupported" })
      }).pipe(asAnn, Effect.provide(system(`${server.url}/v1`)))
    }))

  it.scopedLive("every call is made with the key of whoever asks, also when they ask at once", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      yield* Effect.all(
        Array.from(
          { length: 20 },
          (_, n) => (n % 2 === 0 ? asAnn : asBob)(embed({ model: "ours", texts: [n % 2 === 0 ? "of ann" : "of bob"] }))
        ),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(system(`${server.url}/v1`)))
      assert.lengthOf(server.requests, 20)
      for (const { body, headers } of server.requests) {
        assert.strictEqual(headers.authorization, body.includes("of ann") ? "Bearer sk-ann" : "Bearer sk-bob")
      }
    }))

  it.scopedLive("the operator's key is for the operator's models, and a server of one's own must be allowed", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      yield* Effect.gen(function*() {
        yield* embed({ model: "internal" })
        assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-operator")
        yield* Effect.flatMap(
          Models.Models,
          (models) => models.add("mine", { provider: "OpenAI", baseURL: `${server.url}/v1` })
        )
        const refused = yield* Effect.flip(embed({ model: "mine" }))
        assert.deepInclude(refused, { _tag: "ConnectorError", reason: "InvalidInput" })
        assert.lengthOf(server.requests, 1)
      }).pipe(Candidate.as(Candidate.user("eve")), Effect.provide(system(`${server.url}/v1`)))
    }))

  it.effect("a vector is brought to length 1 whatever its size", () =>
    Effect.sync(() => {
      const element = FastCheck.double({ noNaN: true, noDefaultInfinity: true })
      FastCheck.assert(
        FastCheck.property(FastCheck.array(element, { minLength: 1, maxLength: 20 }), (vector) => {
          const unit = Embeddings.unit(vector)
          const length = Math.hypot(...unit)
          assert.isTrue(vector.every((one) => one === 0) ? length === 0 : Math.abs(length - 1) < 1e-5)
          assert.isTrue(unit.every((one, at) => Math.abs(one) < 1e-6 || Math.sign(one) === Math.sign(vector[at]!)))
        })
      )
    }))
})
