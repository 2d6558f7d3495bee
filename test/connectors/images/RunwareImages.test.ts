import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { RunwareImages } from "../../../src/connectors/images/RunwareImages.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Images, ImagesConnector, type Request } from "../../../src/subsystems/llm/Images.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"

const model = "smythos/flux.1-dev"

const generating = (baseURL: string) =>
  Effect.map(
    Layer.build(RunwareImages.layer({ baseURL, apiKey: "r-secret" })),
    (context) => (request: Omit<Request, "model">) =>
      Effect.flatMap(Images, (images) => images.generate({ model, ...request })).pipe(
        Effect.provide(context),
        Candidate.as(Candidate.user("u"))
      )
  )

describe("RunwareImages", () => {
  it.scopedLive("makes pictures, also from one", () =>
    Effect.gen(function*() {
      const server = yield* ImagesServer.make
      const generate = yield* generating(`${server.url}/runware`)
      assert.deepStrictEqual(yield* generate({ prompt: "a dot", width: 512 }), [ImagesServer.picture])
      yield* generate({ prompt: "redder", images: [ImagesServer.picture], outputFormat: "PNG", negativePrompt: "blue" })
      const [[one], [two]] = server.requests.map(({ body }) => JSON.parse(body) as [Record<string, unknown>]) as [
        [Record<string, unknown>],
        [Record<string, unknown>]
      ]
      assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer r-secret")
      assert.deepInclude(one, {
        taskType: "imageInference",
        positivePrompt: "a dot",
        model: "runware:101@1",
        width: 512,
        height: 1024,
        numberResults: 1,
        outputType: "base64Data",
        outputFormat: "JPEG"
      })
      assert.match(String(one["taskUUID"]), /^[\da-f]{8}-/)
      assert.deepInclude(two, {
        seedImage: `data:image/png;base64,${ImagesServer.png}`,
        strength: 0.5,
        negativePrompt: "blue",
        outputFormat: "PNG"
      })
    }))

  it.scopedLive("says what is wrong", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) =>
        HttpServer.json(response, 200, { errors: [{ code: "invalidModel", message: "no such model" }] })
      )
      const generate = yield* generating(server.url)
      assert.include((yield* Effect.flip(generate({ prompt: "x" }))).message, "no such model")
      const images = [ImagesServer.picture, ImagesServer.picture]
      assert.include((yield* Effect.flip(generate({ prompt: "x", images }))).message, "one picture")
      assert.include((yield* Effect.flip(generate({ prompt: "x", size: "auto" }))).message, "size")
    }))
})

faults.suite("RunwareImages", {
  server: Effect.map(ImagesServer.make, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    RunwareImages.contract({ baseURL: `http://127.0.0.1:${port}/runware`, timeout: timeoutMillis }),
  read: Effect.flatMap(ImagesConnector, (connector) =>
    connector.generate({
      modelId: "runware:101@1",
      prompt: "a dot",
      images: [],
      count: 1,
      baseURL: undefined,
      apiKey: Redacted.make("secret")
    }))
})
