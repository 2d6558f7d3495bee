import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { GoogleImages } from "../../../src/connectors/images/GoogleImages.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Images from "../../../src/subsystems/llm/Images.ts"
import { type UsageRecord, UsageSink, zero } from "../../../src/subsystems/llm/Usage.ts"
import * as faults from "../../conformance/faults.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"

const make = Effect.gen(function*() {
  const server = yield* ImagesServer.make
  const layer = Layer.provide(Images.layer, [
    Images.providers([GoogleImages.contract({ baseURL: server.url, apiKey: "g-secret" })]),
    JSONModels.layer({
      models: {
        imagen: { provider: "GoogleAI", modelId: "imagen-4.0-generate-001" },
        banana: { provider: "GoogleAI", modelId: "gemini-2.5-flash-image" }
      }
    }),
    NullVault.layer({})
  ])
  const used: Array<UsageRecord> = []
  const counting = Layer.succeed(UsageSink, (record) => Effect.sync(() => void used.push(record)))
  const context = yield* Layer.build(Layer.provide(layer, counting))
  const generate = (request: Images.Request) =>
    Effect.flatMap(Images.Images, (images) => images.generate(request)).pipe(
      Effect.provide(context),
      Candidate.as(Candidate.user("u"))
    )
  return { generate, server, used }
})

describe("GoogleImages", () => {
  it.scopedLive("makes pictures with Imagen", () =>
    Effect.gen(function*() {
      const { generate, server } = yield* make
      const options = { aspectRatio: "16:9", personGeneration: "allow_adult", count: 2, outputFormat: "PNG" }
      assert.deepStrictEqual(yield* generate({ model: "imagen", prompt: "a dot", ...options }), [ImagesServer.picture])
      const [request] = server.requests
      assert.strictEqual(request?.url, "/v1beta/models/imagen-4.0-generate-001:predict")
      assert.strictEqual(request?.headers["x-goog-api-key"], "g-secret")
      assert.deepStrictEqual(JSON.parse(request?.body ?? ""), {
        instances: [{ prompt: "a dot" }],
        parameters: {
          sampleCount: 2,
          aspectRatio: "16:9",
          personGeneration: "allow_adult",
          outputOptions: { mimeType: "image/png" }
        }
      })
      const changed = yield* Effect.flip(generate({ model: "imagen", prompt: "x", images: [ImagesServer.picture] }))
      assert.include(changed.message, "a Gemini model that draws does")
    }))

  it.scopedLive("makes and changes pictures with Gemini, one a call", () =>
    Effect.gen(function*() {
      const { generate, server, used } = yield* make
      assert.lengthOf(yield* generate({ model: "banana", prompt: "x", images: [ImagesServer.picture], count: 2 }), 2)
      assert.lengthOf(server.requests, 2)
      assert.deepInclude(used[0], { usage: { ...zero, inputTokens: 10, outputTokens: 2580 }, units: { images: 2 } })
      const { contents } = JSON.parse(server.requests[0]?.body ?? "") as { readonly contents: ReadonlyArray<unknown> }
      const inlineData = { mimeType: "image/png", data: ImagesServer.png }
      assert.deepStrictEqual(contents, [{ role: "user", parts: [{ text: "x" }, { inlineData }] }])
    }))

  it.scopedLive("says what is wrong", () =>
    Effect.gen(function*() {
      const { generate } = yield* make
      const refused = yield* Effect.flip(generate({ model: "imagen", prompt: "forbidden" }))
      assert.deepInclude(refused, { _tag: "ConnectorError", reason: "InvalidInput" })
      assert.notInclude(JSON.stringify(refused), "g-secret")
      const unknown = yield* Effect.flip(generate({ model: "imagen", prompt: "x", style: "vivid" }))
      assert.include(unknown.message, "style")
    }))
})

for (const modelId of ["imagen-4.0-generate-001", "gemini-2.5-flash-image"]) {
  faults.suite(`GoogleImages of ${modelId}`, {
    server: Effect.map(ImagesServer.make, ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      GoogleImages.contract({ baseURL: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
    read: Effect.flatMap(Images.ImagesConnector, (connector) =>
      connector.generate({
        modelId,
        prompt: "a dot",
        images: [],
        count: 1,
        baseURL: undefined,
        apiKey: Redacted.make("secret")
      }))
  })
}
