import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Layer, Redacted } from "effect"
import {
  OpenAICompatibleEmbeddings,
  OpenAICompatibleEmbeddingsLive
} from "../../../src/connectors/embeddings/OpenAICompatibleEmbeddings.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Embeddings, EmbeddingsConnector, type Request } from "../../../src/subsystems/llm/Embeddings.ts"
import { suite } from "../../../src/testing/conformance/embeddings.ts"
import * as faults from "../../conformance/faults.ts"
import * as EmbeddingsServer from "../../fixtures/EmbeddingsServer.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const embed = (settings: Parameters<typeof OpenAICompatibleEmbeddings.layer>[0], request: Partial<Request> = {}) =>
  Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts: ["a text"], ...request })).pipe(
    Candidate.as(Candidate.user("ann")),
    Effect.provide(OpenAICompatibleEmbeddings.layer(settings))
  )

const answering = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  HttpServer.make((_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(typeof body === "string" ? body : JSON.stringify(body))
  })

describe("OpenAICompatibleEmbeddings", () => {
  it.scopedLive("asks as the API wants it: key, model, dimensions, base64", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      const baseURL = `${server.url}/v1`
      const { inputTokens } = yield* embed({ apiKey: "sk-one", baseURL }, { dimensions: 16 })
      assert.strictEqual(inputTokens, 2)
      const [request] = server.requests
      assert.strictEqual(request?.url, "/v1/embeddings")
      assert.strictEqual(request?.headers.authorization, "Bearer sk-one")
      assert.deepStrictEqual(JSON.parse(request?.body ?? ""), {
        model: "text-embedding-3-large",
        input: ["a text"],
        dimensions: 16,
        encoding_format: "base64"
      })
      yield* embed({ baseURL }, { model: "text-embedding-ada-002" })
      assert.isUndefined(server.requests[1]?.headers.authorization)
      const wrong = yield* Effect.flip(embed({ baseURL }, { model: "text-embedding-ada-002", dimensions: 16 }))
      assert.deepInclude(wrong, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.include(wrong.message, "64")
    }))

  it.scopedLive("takes key and server from the environment", () =>
    Effect.gen(function*() {
      const server = yield* EmbeddingsServer.make
      const environment = ConfigProvider.fromMap(
        new Map([["OPENAI_API_KEY", "sk-env"], ["OPENAI_BASE_URL", `${server.url}/v1`]])
      )
      yield* Effect.flatMap(Embeddings, (embeddings) => embeddings.embed({ texts: ["x"] })).pipe(
        Candidate.as(Candidate.user("ann")),
        Effect.provide(Layer.provide(OpenAICompatibleEmbeddingsLive, Layer.setConfigProvider(environment)))
      )
      assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-env")
    }))

  it.scopedLive("every refusal has its reason, and none tells the key", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [number, unknown, string]> = [
        [401, { error: { message: "Incorrect API key provided: sk-hunter2" } }, "Unauthorized"],
        [404, { error: { message: "The model does not exist" } }, "NotFound"],
        [400, { error: { message: "too long" } }, "InvalidInput"],
        [429, { error: { message: "You exceeded your quota", code: "insufficient_quota" } }, "Full"],
        [503, "<html>busy</html>", "Unavailable"],
        [302, "", "Protocol"],
        [200, "<html>hello</html>", "Protocol"],
        [200, {}, "Protocol"],
        [200, { data: [] }, "Protocol"],
        [200, { data: [{ index: 0, embedding: Buffer.from("abc").toString("base64") }] }, "Protocol"]
      ]
      for (const [status, body, reason] of cases) {
        const server = yield* answering(status, body)
        const error = yield* Effect.flip(embed({ apiKey: "sk-hunter2", baseURL: `${server.url}/v1` }))
        assert.strictEqual(
          error._tag === "ConnectorError" ? error.reason : error._tag,
          reason,
          `${status} ${JSON.stringify(body)}`
        )
        assert.notInclude(`${error.message} ${JSON.stringify(error)}`, "hunter2")
      }
    }), 30_000)

  it.scopedLive("a busy server is asked again, and after as long as it says", () =>
    Effect.gen(function*() {
      let times = 0
      const server = yield* HttpServer.make((_, response) => {
        times++
        if (times < 3) return HttpServer.json(response, 429, { error: { message: "slow down" } })
        HttpServer.json(response, 200, { data: [{ index: 0, embedding: [1, 0] }], usage: { prompt_tokens: 1 } })
      })
      const { vectors } = yield* embed({ baseURL: `${server.url}/v1` })
      assert.deepStrictEqual(vectors, [new Float32Array([1, 0])])
      assert.strictEqual(times, 3)
    }))

  it.scopedLive("a call has an end, and what is interrupted lets go of the server", () =>
    Effect.gen(function*() {
      const silent = yield* HttpServer.make(() => {})
      const baseURL = `${silent.url}/v1`
      assert.deepInclude(yield* Effect.flip(embed({ baseURL, timeout: 50 })), { reason: "Timeout" })
      const server = yield* HttpServer.make(() => {})
      const fiber = yield* Effect.fork(embed({ baseURL: `${server.url}/v1` }))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length > 0 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
      const gone = yield* Effect.flip(embed({ baseURL: "http://127.0.0.1:1/v1" }))
      assert.deepInclude(gone, { reason: "Unavailable" })
    }))
})

suite(
  "OpenAI",
  Layer.unwrapScoped(
    Effect.map(
      EmbeddingsServer.make,
      ({ url }) => OpenAICompatibleEmbeddings.contract({ apiKey: "sk", baseURL: `${url}/v1` })
    )
  ),
  { dimensions: 16 }
)

faults.suite("OpenAI", {
  server: Effect.map(EmbeddingsServer.make, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    OpenAICompatibleEmbeddings.contract({ baseURL: `http://127.0.0.1:${port}/v1`, timeout: timeoutMillis }),
  read: Effect.flatMap(EmbeddingsConnector, (connector) =>
    connector.embed({
      texts: ["one", "two words"],
      modelId: "text-embedding-3-large",
      dimensions: 16,
      purpose: "document",
      baseURL: undefined,
      apiKey: Redacted.make("sk")
    }))
})
