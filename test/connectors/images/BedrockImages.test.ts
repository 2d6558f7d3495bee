import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { BedrockImages } from "../../../src/connectors/images/BedrockImages.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Images, ImagesConnector, type Request } from "../../../src/subsystems/llm/Images.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { picture, png } from "../../fixtures/ImagesServer.ts"

/** As many pictures as are asked for, as the models of Amazon and of Stability answer. */
const bedrock = HttpServer.make(({ body, url }, response) => {
  const asked = JSON.parse(body) as { readonly imageGenerationConfig?: { readonly numberOfImages: number } }
  if (body.includes("refused")) {
    return HttpServer.json(response, 400, { message: "This request has been blocked by our content filters." })
  }
  const images = Array.from({ length: asked.imageGenerationConfig?.numberOfImages ?? 1 }, () => png)
  if (!body.includes("withheld")) {
    return HttpServer.json(response, 200, url.includes("stability") ? { images, finish_reasons: [null] } : { images })
  }
  return HttpServer.json(
    response,
    200,
    url.includes("stability")
      ? { images: [], seeds: [1], finish_reasons: ["Filter reason: prompt"] }
      : { images: null, error: "All pictures were withheld" }
  )
})

const nova = "amazon.nova-canvas-v1:0"
const stability = "stability.sd3-5-large-v1:0"

const generating = (endpoint: string) =>
  Effect.map(
    Layer.build(BedrockImages.layer({ endpoint, apiKey: "AKIA1:hunter2", region: "eu-central-1" })),
    (context) => (request: Request) =>
      Effect.flatMap(Images, (images) => images.generate(request)).pipe(
        Effect.provide(context),
        Candidate.as(Candidate.user("u"))
      )
  )

describe("BedrockImages", () => {
  it.scopedLive("asks the models of Amazon for pictures, and for variations of others, signed for the region", () =>
    Effect.gen(function*() {
      const server = yield* bedrock
      const generate = yield* generating(server.url)
      const made = yield* generate({
        model: nova,
        prompt: "a dot",
        negativePrompt: "blue",
        size: "1280x720",
        quality: "hd",
        count: 2
      })
      assert.deepStrictEqual(made, [picture, picture])
      yield* generate({ model: nova, prompt: "redder", images: [picture], width: 512, strength: 0.3, quality: "auto" })
      const [first, second] = server.requests
      assert.strictEqual(first?.url, "/model/amazon.nova-canvas-v1%3A0/invoke")
      assert.match(
        String(first?.headers.authorization),
        /^AWS4-HMAC-SHA256 Credential=AKIA1\/\d{8}\/eu-central-1\/bedrock\//
      )
      assert.deepStrictEqual(JSON.parse(first?.body ?? ""), {
        taskType: "TEXT_IMAGE",
        textToImageParams: { text: "a dot", negativeText: "blue" },
        imageGenerationConfig: { numberOfImages: 2, width: 1280, height: 720, quality: "premium" }
      })
      assert.deepStrictEqual(JSON.parse(second?.body ?? ""), {
        taskType: "IMAGE_VARIATION",
        imageVariationParams: { text: "redder", images: [png], similarityStrength: 0.7 },
        imageGenerationConfig: { numberOfImages: 1, width: 512 }
      })
    }))

  it.scopedLive("asks the models of Stability for one picture a call, also from one", () =>
    Effect.gen(function*() {
      const server = yield* bedrock
      const generate = yield* generating(server.url)
      const asked = { model: stability, prompt: "a dot", aspectRatio: "16:9", outputFormat: "WEBP" }
      assert.lengthOf(yield* generate({ ...asked, negativePrompt: "blue", count: 3 }), 3)
      yield* generate({ ...asked, images: [picture] })
      const bodies = server.requests.map(({ body }) => JSON.parse(body) as object)
      assert.lengthOf(bodies, 4)
      assert.deepStrictEqual(bodies[0], {
        prompt: "a dot",
        negative_prompt: "blue",
        output_format: "webp",
        mode: "text-to-image",
        aspect_ratio: "16:9"
      })
      assert.deepStrictEqual(bodies[3], {
        prompt: "a dot",
        output_format: "webp",
        mode: "image-to-image",
        image: png,
        strength: 0.5
      })
    }))

  it.scopedLive("says what is wrong, and why there is no picture, without the key", () =>
    Effect.gen(function*() {
      const server = yield* bedrock
      const generate = yield* generating(server.url)
      const message = (request: Partial<Request>) =>
        Effect.map(Effect.flip(generate({ model: nova, prompt: "x", ...request })), (error) => {
          assert.notInclude(JSON.stringify(error), "hunter2")
          return error.message
        })
      assert.include(yield* message({ aspectRatio: "1:1" }), "aspectRatio")
      assert.include(yield* message({ size: "large" }), "size")
      assert.include(yield* message({ outputFormat: "webp" }), "PNG")
      assert.include(yield* message({ model: stability, width: 512 }), "width")
      assert.include(yield* message({ model: stability, images: [picture, picture] }), "one picture")
      assert.lengthOf(server.requests, 0)
      assert.include(yield* message({ prompt: "refused" }), "content filters")
      assert.include(yield* message({ prompt: "withheld" }), "All pictures were withheld")
      assert.include(yield* message({ model: stability, prompt: "withheld" }), "Filter reason: prompt")
    }))
})

faults.suite("BedrockImages", {
  server: Effect.map(bedrock, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    BedrockImages.contract({ endpoint: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
  read: Effect.flatMap(ImagesConnector, (connector) =>
    connector.generate({
      modelId: nova,
      prompt: "a dot",
      images: [],
      count: 1,
      baseURL: undefined,
      apiKey: Redacted.make("AKIA1:secret")
    }))
})
