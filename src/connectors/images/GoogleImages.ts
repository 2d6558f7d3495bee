/**
 * Images of Google: Imagen, and the Gemini models that draw, which also change pictures.
 * https://ai.google.dev/gemini-api/docs/imagen, https://ai.google.dev/gemini-api/docs/image-generation
 */
import { Config, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Images from "../../subsystems/llm/Images.ts"
import * as Usage from "../../subsystems/llm/Usage.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as VendorFetch from "../VendorFetch.ts"
import { fromBase64, invalid, post, refuse, secret, toBase64, unreadable } from "./ImagesApi.ts"

const Predictions = Schema.Struct({
  predictions: Schema.optionalWith(
    Schema.Array(
      Schema.Struct({ bytesBase64Encoded: Schema.optional(Schema.String), mimeType: Schema.optional(Schema.String) })
    ),
    { default: () => [] }
  )
})

const Inline = Schema.Struct({ mimeType: Schema.String, data: Schema.String })
const Contents = Schema.Struct({
  candidates: Schema.optionalWith(
    Schema.Array(Schema.Struct({
      content: Schema.optional(
        Schema.Struct({ parts: Schema.optional(Schema.Array(Schema.Struct({ inlineData: Schema.optional(Inline) }))) })
      )
    })),
    { default: () => [] }
  ),
  usageMetadata: Schema.optional(Schema.Struct({
    promptTokenCount: Schema.optionalWith(Schema.Int, { default: () => 0 }),
    candidatesTokenCount: Schema.optionalWith(Schema.Int, { default: () => 0 })
  }))
})

const GoogleImagesSettings = Schema.Struct({ ...ModelSettings.settings })

export const GoogleImages = Connector.make({
  name: "GoogleAI",
  contract: Images.ImagesConnector,
  service: Images.standalone,
  settings: GoogleImagesSettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse("GoogleAI", VendorFetch.make("GoogleAI", settings.timeout))

    const call = <A, I>(
      request: Images.ProviderRequest,
      method: string,
      body: unknown,
      schema: Schema.Schema<A, I>
    ) => {
      const { apiKey, baseURL, modelId, policy } = request
      const base = (baseURL ?? settings.baseURL ?? "https://generativelanguage.googleapis.com").replace(/\/+$/, "")
      const url = `${base}/v1beta/models/${encodeURIComponent(modelId)}:${method}`
      return loaded.pipe(
        Effect.flatMap((vendor) => post(vendor.policed(policy), url, { "x-goog-api-key": secret(apiKey) }, body)),
        Effect.flatMap((answer) => Effect.mapError(Schema.decodeUnknown(schema)(answer), () => unreadable("GoogleAI")))
      )
    }

    const imagen = Effect.fnUntraced(function*(request: Images.ProviderRequest) {
      const { aspectRatio, count, images, modelId, outputFormat, personGeneration, prompt } = request
      if (images.length > 0) {
        return yield* invalid("GoogleAI", `"${modelId}" changes no pictures; a Gemini model that draws does`)
      }
      const parameters = {
        sampleCount: count,
        ...(aspectRatio === undefined ? {} : { aspectRatio }),
        ...(personGeneration === undefined ? {} : { personGeneration }),
        ...(outputFormat === undefined ? {} : { outputOptions: { mimeType: `image/${outputFormat.toLowerCase()}` } })
      }
      const { predictions } = yield* call(request, "predict", { instances: [{ prompt }], parameters }, Predictions)
      const made = predictions.flatMap(({ bytesBase64Encoded: data, mimeType }) =>
        data === undefined ? [] : [fromBase64(data, mimeType)]
      )
      return { images: made, usage: undefined }
    })

    /** Gives one picture a call. */
    const gemini = (request: Images.ProviderRequest) => {
      const { aspectRatio, count, images, prompt } = request
      const given = images.map((image) => ({ inlineData: { mimeType: image.mediaType, data: toBase64(image) } }))
      const body = {
        contents: [{ role: "user", parts: [{ text: prompt }, ...given] }],
        generationConfig: {
          responseModalities: ["IMAGE"],
          ...(aspectRatio === undefined ? {} : { imageConfig: { aspectRatio } })
        }
      }
      const once = Effect.map(
        call(request, "generateContent", body, Contents),
        ({ candidates, usageMetadata }) => ({
          images: candidates.flatMap(({ content }) => content?.parts ?? []).flatMap(({ inlineData }) =>
            inlineData === undefined ? [] : [fromBase64(inlineData.data, inlineData.mimeType)]
          ),
          usage: usageMetadata
        })
      )
      return Effect.map(Effect.replicateEffect(once, count), (all) => ({
        images: all.flatMap(({ images }) => images),
        usage: all.some(({ usage }) => usage === undefined) ? undefined : {
          ...Usage.zero,
          inputTokens: all.reduce((sum, { usage }) => sum + (usage?.promptTokenCount ?? 0), 0),
          outputTokens: all.reduce((sum, { usage }) => sum + (usage?.candidatesTokenCount ?? 0), 0)
        }
      }))
    }

    return Images.ImagesConnector.of({
      provider: "GoogleAI",
      credentials: { environment: "GEMINI_API_KEY", apiKey: settings.apiKey, required: settings.baseURL === undefined },
      generate: Effect.fnUntraced(function*(request) {
        const unknown = ["negativePrompt", "size", "width", "height", "quality", "style", "strength"] as const
        yield* refuse("GoogleAI", request, unknown)
        return yield* request.modelId.startsWith("gemini") ? gemini(request) : imagen(request)
      })
    })
  })
})

/** `Images` with the key `GEMINI_API_KEY`, where it is set. */
export const GoogleImagesLive = GoogleImages.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("GEMINI_API_KEY")), undefined),
  baseURL: Config.succeed(undefined),
  timeout: Config.succeed(Duration.minutes(3))
})
