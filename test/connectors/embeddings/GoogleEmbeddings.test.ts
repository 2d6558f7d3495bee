import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { GoogleEmbeddings } from "../../../src/connectors/embeddings/GoogleEmbeddings.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Embeddings, EmbeddingsConnector, type Request } from "../../../src/subsystems/llm/Embeddings.ts"
import { suite } from "../../../src/testing/conformance/embeddings.ts"
import * as faults from "../../conformance/faults.ts"
import * as EmbeddingsServer from "../../fixtures/EmbeddingsServer.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const embed = (settings: Parameters<typeof GoogleEmbeddings.layer>[0], request: Partial<Request> = {}) =>
  Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts: ["a text"], ...request })).pipe(
    Candidate.as(Candidate.user("ann")),
    Effect.provide(GoogleEmbeddings.layer(settings))
  )

describe("GoogleEmbeddings", () => {
  it.scopedLive("asks as the API wants it: key, model, what for, how long", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      yield* embed({ apiKey: "key-1", baseURL: server.url }, {
        texts: ["one", "two"],
        dimensions: 16,
        purpose: "query"
      })
      const [request] = server.requests
      assert.strictEqual(request?.url, "/v1beta/models/gemini-embedding-001:batchEmbedContents")
      assert.strictEqual(request?.headers["x-goog-api-key"], "key-1")
      const { requests } = JSON.parse(request?.body ?? "") as { requests: ReadonlyArray<Record<string, unknown>> }
      assert.lengthOf(requests, 2)
      assert.deepInclude(requests[1], { outputDimensionality: 16, taskType: "RETRIEVAL_QUERY" })
      assert.deepInclude(requests[1]?.["content"], { parts: [{ text: "two" }] })
    }))

  it.scopedLive("every refusal has its reason, and none tells the key", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [number, unknown, string]> = [
        [400, { error: { code: 400, message: "API key hunter2 not valid" } }, "InvalidInput"],
        [403, { error: { code: 403, message: "denied for hunter2" } }, "Unauthorized"],
        [404, { error: { code: 404, message: "models/x is not found" } }, "NotFound"],
        [500, { error: { code: 500, message: "internal" } }, "Unavailable"],
        [200, {}, "Protocol"],
        [200, { embeddings: [{ values: [1] }, { values: [2] }] }, "Protocol"]
      ]
      for (const [status, body, reason] of cases) {
        const server = yield* HttpServer.make((_, response) => HttpServer.json(response, status, body))
        const error = yield* Effect.flip(embed({ apiKey: "hunter2", baseURL: server.url }))
        assert.strictEqual(
          error._tag === "ConnectorError" ? error.reason : error._tag,
          reason,
          `${status} ${JSON.stringify(body)}`
        )
        assert.notInclude(`${error.message} ${JSON.stringify(error)}`, "hunter2")
      }
    }), 30_000)

  it.scopedLive("without a key nobody is asked", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      const error = yield* Effect.flip(embed({ baseURL: server.url }))
      assert.deepInclude(error, { _tag: "MissingCredentials", provider: "GoogleAI" })
      assert.lengthOf(server.requests, 0)
    }))
})

suite(
  "GoogleAI",
  Layer.unwrapScoped(
    Effect.map(EmbeddingsServer.make, ({ url }) => GoogleEmbeddings.contract({ apiKey: "key", baseURL: url }))
  ),
  { dimensions: 16 }
)

faults.suite("GoogleAI", {
  server: Effect.map(EmbeddingsServer.make, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    GoogleEmbeddings.contract({ baseURL: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
  read: Effect.flatMap(EmbeddingsConnector, (connector) =>
    connector.embed({
      texts: ["one", "two words"],
      modelId: "gemini-embedding-001",
      dimensions: 16,
      purpose: "document",
      baseURL: undefined,
      apiKey: Redacted.make("key")
    }))
})
