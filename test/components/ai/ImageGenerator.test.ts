import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { ImageGenerator } from "../../../src/components/ai/ImageGenerator.ts"
import { BedrockImages } from "../../../src/connectors/images/BedrockImages.ts"
import { GoogleImages } from "../../../src/connectors/images/GoogleImages.ts"
import { OpenAIImages } from "../../../src/connectors/images/OpenAIImages.ts"
import { RunwareImages } from "../../../src/connectors/images/RunwareImages.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Files from "../../../src/subsystems/io/Files.ts"
import * as Images from "../../../src/subsystems/llm/Images.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as ImagesServer from "../../fixtures/ImagesServer.ts"
import { runComponent, type RunOptions } from "../harness.ts"

const as = Candidate.as(Candidate.agent("a1"))
const png = `data:image/png;base64,${ImagesServer.png}`

/** All providers, each at one loopback server. */
const make = Effect.flatMap(ImagesServer.make, (server) => at(server))

const at = Effect.fnUntraced(function*(server: HttpServer.HttpServer) {
  const models = JSONModels.layer({
    models: {
      gpt: { provider: "OpenAI", modelId: "gpt-image-1" },
      dalle2: { provider: "OpenAI", modelId: "dall-e-2" },
      dalle3: { provider: "OpenAI", modelId: "dall-e-3" },
      imagen: { provider: "GoogleAI", modelId: "imagen-4.0-generate-001" },
      flux: { provider: "Runware", modelId: "runware:101@1" },
      nova: { provider: "Bedrock", modelId: "amazon.nova-canvas-v1:0" },
      stability: { provider: "Bedrock", modelId: "stability.sd3-5-large-v1:0" }
    }
  })
  const images = Layer.provide(Images.layer, [
    Images.providers([
      OpenAIImages.contract({ baseURL: `${server.url}/v1`, apiKey: "k" }),
      GoogleImages.contract({ baseURL: server.url, apiKey: "k" }),
      RunwareImages.contract({ baseURL: `${server.url}/runware`, apiKey: "k" }),
      BedrockImages.contract({ endpoint: server.url, apiKey: "AKIA:k" })
    ]),
    models,
    NullVault.layer({})
  ])
  const context = yield* Layer.build(
    Layer.mergeAll(images, models, MemoryStorage.layer({}), UndiciOutbound.layer({}))
  )
  const run = (options: RunOptions) => as(Effect.provide(runComponent(ImageGenerator, options), context))
  const sent = () => server.requests.map(({ body }) => [JSON.parse(body)].flat()[0] as Record<string, unknown>)
  return { context, run, sent, server }
})

describe("ImageGenerator", () => {
  it.scopedLive("stores the picture, or all of them, for a day", () =>
    Effect.gen(function*() {
      const { context, run, sent } = yield* make
      const settings = { model: "gpt", prompt: "a {{what}}", quality: "hd" }
      const { Output } = yield* run({ settings, inputs: { what: "dot" } })
      assert.isTrue(Schema.is(Files.FileObject)(Output))
      const file = yield* as(Effect.provide(Files.load(Output), context))
      assert.deepStrictEqual(Buffer.from(file.bytes), Buffer.from(ImagesServer.picture.bytes))
      const several = yield* run({ settings: { ...settings, numberOfImages: "3" }, inputs: { what: "dot" } })
      assert.lengthOf(several["Output"] as ReadonlyArray<unknown>, 3)
      assert.deepInclude(sent()[0], { prompt: "a dot", quality: "auto", n: 1 })
    }))

  it.scopedLive("gives each family what it knows of the settings", () =>
    Effect.gen(function*() {
      const { run, sent } = yield* make
      const all = {
        size: "1536x1024",
        style: "natural",
        quality: "hd",
        width: "512",
        height: 768,
        aspectRatio: "4:3",
        negativePrompt: "blue",
        isRawInputPrompt: true,
        sizeDalle2: "512x512",
        sizeDalle3: "1792x1024",
        outputFormat: "webp",
        strength: "0.25",
        personGeneration: "dont_allow",
        numberOfImages: 2
      }
      for (const model of ["gpt", "dalle2", "imagen", "flux", "dalle3"]) {
        yield* run({ settings: { model, ...all }, inputs: { Prompt: "dot" } })
      }
      const [gpt, dalle2, imagen, flux, dalle3] = sent()
      assert.deepInclude(gpt, { size: "1536x1024", quality: "auto", output_format: "webp", n: 2, prompt: "dot" })
      assert.deepInclude(dalle2, { size: "512x512", prompt: "dot", n: 2 })
      assert.deepInclude(dalle3, { size: "1792x1024", style: "natural", quality: "hd" })
      assert.include(String(dalle3?.["prompt"]), "AS-IS: dot")
      assert.deepInclude(imagen?.["parameters"] as object, {
        aspectRatio: "4:3",
        personGeneration: "dont_allow",
        sampleCount: 2
      })
      assert.deepInclude(flux, {
        width: 512,
        height: 768,
        negativePrompt: "blue",
        outputFormat: "WEBP",
        numberResults: 2
      })
      for (const model of ["nova", "stability"]) yield* run({ settings: { model, ...all }, inputs: { Prompt: "dot" } })
      const [nova, stability] = sent().slice(-3)
      assert.deepStrictEqual(nova, {
        taskType: "TEXT_IMAGE",
        textToImageParams: { text: "dot", negativeText: "blue" },
        imageGenerationConfig: { numberOfImages: 2, width: 512, height: 768, quality: "premium" }
      })
      assert.deepStrictEqual(stability, {
        prompt: "dot",
        negative_prompt: "blue",
        output_format: "webp",
        mode: "text-to-image",
        aspect_ratio: "4:3"
      })
      assert.notProperty(flux, "strength", "which is of a picture to begin with")
      const inputs = { Prompt: "dot", Photo: png }
      yield* run({ settings: { model: "flux", ...all }, inputs, ports: ["Prompt", { name: "Photo", type: "Image" }] })
      assert.deepInclude(sent().at(-1), { strength: 0.25 })
    }))

  it.scopedLive("ends its request when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(() => undefined)
      const { run } = yield* at(server)
      const fiber = yield* Effect.fork(run({ settings: { model: "gpt" }, inputs: { Prompt: "dot" } }))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length > 0 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
    }))

  it.scopedLive("changes the pictures among its inputs", () =>
    Effect.gen(function*() {
      const { run, server } = yield* make
      const ports = ["Prompt", { name: "Photo", type: "Image" }]
      yield* run({ settings: { model: "gpt" }, inputs: { Prompt: "redder", Photo: png }, ports })
      assert.strictEqual(server.requests[0]?.url, "/v1/images/edits")
      const inputs = { Prompt: "redder", Photo: "data:audio/mpeg;base64,SUQz" }
      const error = yield* Effect.flip(
        run({ settings: { model: "gpt" }, inputs, ports: ["Prompt", { name: "Photo", type: "Binary" }] })
      )
      assert.include(error.message, "Expected pictures, got audio/mpeg")
    }))

  it.scopedLive("says what is wrong", () =>
    Effect.gen(function*() {
      const { run } = yield* make
      const message = (settings: Readonly<Record<string, unknown>>, inputs: Readonly<Record<string, unknown>> = {}) =>
        Effect.map(Effect.flip(run({ settings, inputs })), (error) => error.message)
      assert.include(yield* message({ model: "gpt" }), "prompt: there is none")
      assert.include(yield* message({ model: "imagem", prompt: "dot" }), "Did you mean \"imagen\"?")
      assert.include(yield* message({ model: "flux", prompt: "dot", width: 500 }), "multiple of 64")
      assert.include(yield* message({ model: "gpt", prompt: "dot", style: "loud" }), "style")
      assert.include(yield* message({ model: "gpt", prompt: "nothing" }), "no picture")
    }))
})
