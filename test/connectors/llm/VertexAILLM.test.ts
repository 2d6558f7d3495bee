import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Layer, Redacted } from "effect"
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto"
import { VertexAILLM } from "../../../src/connectors/llm/VertexAILLM.ts"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import { LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite as countSuite } from "../../conformance/llm-count.ts"
import { suite } from "../../conformance/llm.ts"
import * as GeminiServer from "../../fixtures/GeminiServer.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })

/** The file Google gives for a service account; its own `token_uri` must not matter. */
const account = (more: object = {}) =>
  Redacted.make(JSON.stringify({
    type: "service_account",
    project_id: "p-1",
    private_key_id: "k1",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    client_email: "a@p-1.iam.gserviceaccount.com",
    token_uri: "http://169.254.169.254/token",
    ...more
  }))

const request: ProviderRequest = {
  modelId: "gemini-2.5-pro",
  baseURL: undefined,
  apiKey: account(),
  outputTokens: undefined,
  messages: [Prompt.user("hello")]
}

const tokens = (status = 200, body: object = { access_token: "token-1", expires_in: 3600 }) =>
  HttpServer.make((_, response) => HttpServer.json(response, status, body))

const setup = Effect.fnUntraced(function*(tokenServer: HttpServer.HttpServer, settings = {}) {
  const server = yield* GeminiServer.make("ok")
  const context = yield* Layer.build(
    VertexAILLM.contract({ baseURL: server.baseURL, tokenURL: `${tokenServer.url}/token`, ...settings })
  )
  const ask = (asked: Partial<ProviderRequest> = {}) =>
    Effect.either(collect(Context.get(context, LLMConnector).stream({ ...request, ...asked })))
  return { ask, server }
})

describe("a service account", () => {
  it.scopedLive("is exchanged for an access token, once", () =>
    Effect.gen(function*() {
      const tokenServer = yield* tokens()
      const { ask, server } = yield* setup(tokenServer, { location: "europe-west1" })
      assert.isTrue(Either.isRight(yield* ask()))
      assert.isTrue(Either.isRight(yield* ask()))
      assert.lengthOf(tokenServer.requests, 1)
      assert.deepStrictEqual(server.requests.map(({ headers }) => headers.authorization), [
        "Bearer token-1",
        "Bearer token-1"
      ])
      assert.strictEqual(
        server.requests[0]?.url,
        "/v1beta1/projects/p-1/locations/europe-west1/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
      )
      const assertion = new URLSearchParams(tokenServer.requests[0]?.body).get("assertion") ?? ""
      const [head = "", claims = "", signature = ""] = assertion.split(".")
      assert.deepInclude(JSON.parse(Buffer.from(claims, "base64url").toString()), {
        iss: "a@p-1.iam.gserviceaccount.com",
        aud: `${tokenServer.url}/token`
      })
      const proof = Buffer.from(signature, "base64url")
      assert.isTrue(verify("RSA-SHA256", Buffer.from(`${head}.${claims}`), createPublicKey(privateKey), proof))
    }))

  it.scopedLive("asks where the model's settings say", () =>
    Effect.gen(function*() {
      const { ask, server } = yield* setup(yield* tokens())
      yield* ask({ settings: { projectId: "p-2", region: "us-east1" } })
      assert.include(server.requests[0]?.url, "/projects/p-2/locations/us-east1/")
      const error = Either.getOrThrow(Either.flip(yield* ask({ settings: { region: "x.example/" } })))
      assert.strictEqual(error.reason, "InvalidInput")
      assert.lengthOf(server.requests, 1)
    }))

  it.scopedLive("that is refused, unreadable or of no project fails with what is wrong", () =>
    Effect.gen(function*() {
      const reasonOf = (status: number, key = account(), body?: object) =>
        Effect.gen(function*() {
          const { ask, server } = yield* setup(yield* tokens(status, body))
          const error = Either.getOrThrow(Either.flip(yield* ask({ apiKey: key })))
          assert.lengthOf(server.requests, 0)
          assert.notInclude(String(error), "PRIVATE KEY")
          return error.reason
        })
      assert.strictEqual(yield* reasonOf(400), "Unauthorized")
      assert.strictEqual(yield* reasonOf(503), "Unavailable")
      assert.strictEqual(yield* reasonOf(200, account(), {}), "Protocol")
      assert.strictEqual(yield* reasonOf(200, account({ private_key: "no key" })), "InvalidInput")
      assert.strictEqual(yield* reasonOf(200, account({ project_id: undefined })), "InvalidInput")
    }))
})

suite("VertexAI", {
  serve: GeminiServer.make,
  connector: (timeouts) => VertexAILLM.contract({ timeouts }),
  model: "gemini-2.5-pro",
  packets: GeminiServer.chunks,
  lacks: ["text arguments"]
})

countSuite("VertexAI", {
  serve: GeminiServer.make,
  connector: (timeouts) => VertexAILLM.contract({ timeouts }),
  model: "gemini-2.5-pro",
  counted: GeminiServer.counted
})
