import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { BedrockEmbeddings } from "../../../src/connectors/embeddings/BedrockEmbeddings.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as NetworkPolicy from "../../../src/subsystems/io/NetworkPolicy.ts"
import { Embeddings, EmbeddingsConnector, type Request } from "../../../src/subsystems/llm/Embeddings.ts"
import { suite } from "../../../src/testing/conformance/embeddings.ts"
import * as faults from "../../conformance/faults.ts"
import * as EmbeddingsServer from "../../fixtures/EmbeddingsServer.ts"

const embed = (settings: Parameters<typeof BedrockEmbeddings.layer>[0], request: Partial<Request> = {}) =>
  Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts: ["a text"], ...request })).pipe(
    Candidate.as(Candidate.user("ann")),
    Effect.provide(BedrockEmbeddings.layer(settings))
  )

describe("BedrockEmbeddings", () => {
  it.scopedLive("Titan is asked for each text, signed for the region", () =>
    Effect.gen(function*() {
      const { requests, url: endpoint } = yield* EmbeddingsServer.bedrock
      const { inputTokens } = yield* embed({ apiKey: "AKIA1:secret", region: "eu-central-1", endpoint }, {
        texts: ["one", "two words"],
        dimensions: 16
      })
      assert.strictEqual(inputTokens, 3)
      assert.sameMembers(requests.map(({ path }) => path), Array(2).fill("/model/amazon.titan-embed-text-v2:0/invoke"))
      assert.sameDeepMembers(requests.map(({ body }) => body), [
        { inputText: "one", dimensions: 16 },
        { inputText: "two words", dimensions: 16 }
      ])
      for (const { authorization } of requests) {
        assert.match(
          authorization,
          /^AWS4-HMAC-SHA256 Credential=AKIA1\/\d{8}\/eu-central-1\/bedrock\/aws4_request, .*Signature=[0-9a-f]{64}$/
        )
      }
    }))

  it.scopedLive("Cohere is asked for many at once, and told what for", () =>
    Effect.gen(function*() {
      const { requests, url: endpoint } = yield* EmbeddingsServer.bedrock
      const settings = { apiKey: "AKIA1:secret", endpoint, model: "cohere.embed-english-v3" }
      const embedded = yield* embed(settings, { texts: ["one", "two"], purpose: "query" })
      assert.strictEqual(embedded.dimensions, 32)
      assert.deepStrictEqual(requests.map(({ body }) => body), [{ texts: ["one", "two"], input_type: "search_query" }])
    }))

  it.scopedLive("a key of Bedrock is a bearer's", () =>
    Effect.gen(function*() {
      const { requests, url: endpoint } = yield* EmbeddingsServer.bedrock
      yield* embed({ apiKey: "bedrock-api-key-1", endpoint })
      assert.strictEqual(requests[0]?.authorization, "Bearer bedrock-api-key-1")
    }))

  it.scopedLive(
    "what the service refuses, and a service that is not there, are told apart",
    () =>
      Effect.gen(function*() {
        const { url: endpoint } = yield* EmbeddingsServer.bedrock
        const refused = yield* Effect.flip(embed({ apiKey: "a:hunter2", endpoint, model: "meta.unknown" }))
        assert.deepInclude(refused, { _tag: "ConnectorError", reason: "InvalidInput" })
        assert.include(refused.message, "malformed input")
        const gone = yield* Effect.flip(embed({ apiKey: "a:hunter2", endpoint: "http://127.0.0.1:1" }))
        assert.deepInclude(gone, { _tag: "ConnectorError", reason: "Unavailable" })
        assert.notInclude(`${refused.message}${gone.message}`, "hunter2")
        assert.deepInclude(yield* Effect.flip(embed({ endpoint })), { _tag: "MissingCredentials" })
      }),
    20_000
  )

  it.scopedLive("an address that a policy judges is refused", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* EmbeddingsServer.bedrock
      const connector = Context.get(yield* Layer.build(BedrockEmbeddings.contract({})), EmbeddingsConnector)
      const error = yield* Effect.flip(connector.embed({
        texts: ["a"],
        modelId: "amazon.titan-embed-text-v2:0",
        dimensions: undefined,
        purpose: "document",
        baseURL: url,
        apiKey: Redacted.make("AKIA1:secret"),
        policy: NetworkPolicy.make({ allow: [], deny: [] })
      }))
      assert.deepInclude({ ...error }, { method: "embed", reason: "InvalidInput" })
      assert.include(error.message, "its address is not public (loopback)")
      assert.lengthOf(requests, 0)
    }))
})

suite(
  "Bedrock",
  Layer.unwrapScoped(
    Effect.map(
      EmbeddingsServer.bedrock,
      ({ url }) => BedrockEmbeddings.contract({ apiKey: "AKIA1:secret", endpoint: url })
    )
  ),
  { dimensions: 16 }
)

faults.suite("Bedrock", {
  server: Effect.map(EmbeddingsServer.bedrock, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    BedrockEmbeddings.contract({ endpoint: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
  read: Effect.flatMap(EmbeddingsConnector, (connector) =>
    connector.embed({
      texts: ["one", "two words"],
      modelId: "amazon.titan-embed-text-v2:0",
      dimensions: 16,
      purpose: "document",
      baseURL: undefined,
      apiKey: Redacted.make("AKIA1:secret")
    }))
})
