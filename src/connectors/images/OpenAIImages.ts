/** Images of OpenAI: GPT image, which also changes pictures, and DALL·E. https://platform.openai.com/docs/api-reference/images */
import { Config, Duration, Effect, Schema } from "effect"
import type { OpenAI } from "openai"
import * as Connector from "../../kernel/Connector.ts"
import * as Images from "../../subsystems/llm/Images.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as OpenAIClient from "../OpenAIClient.ts"
import { fromBase64, invalid, refuse, unreadable } from "./ImagesApi.ts"

const OpenAIImagesSettings = Schema.Struct({ ...ModelSettings.settings })

export const OpenAIImages = Connector.make({
  name: "OpenAI",
  contract: Images.ImagesConnector,
  service: Images.standalone,
  settings: OpenAIImagesSettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* OpenAIClient.make("OpenAI", settings)

    return Images.ImagesConnector.of({
      provider: "OpenAI",
      credentials: { environment: "OPENAI_API_KEY", apiKey: settings.apiKey, required: settings.baseURL === undefined },
      generate: Effect.fnUntraced(function*(request) {
        const { images, modelId } = request
        const isDallE = modelId.startsWith("dall-e")
        if (isDallE && images.length > 0) return yield* invalid("OpenAI", `"${modelId}" changes no pictures here`)
        yield* refuse("OpenAI", request, ["negativePrompt", "width", "height", "aspectRatio", "strength"])
        const { client: clientOf, sdk, vendor } = yield* loaded
        const client = clientOf(request)
        const { data, usage } = yield* vendor.attempt("generate", async () =>
          images.length === 0
            ? client.images.generate({ ...common(request), ...isDallE ? dallE(request) : gptImage(request) })
            : client.images.edit({
              ...common(request),
              ...gptImage(request),
              image: await Promise.all(images.map(({ bytes, mediaType }, at) =>
                sdk.toFile(bytes, `image-${at + 1}.${mediaType.split("/")[1] ?? "png"}`, { type: mediaType })
              ))
            }))
        if (!Array.isArray(data)) return yield* unreadable("OpenAI")
        const made = data.flatMap(({ b64_json }) => b64_json === undefined ? [] : [fromBase64(b64_json)])
        return {
          images: made,
          usage: usage === undefined
            ? undefined
            : {
              inputTokens: usage.input_tokens,
              outputTokens: usage.output_tokens,
              cacheReadTokens: 0,
              cacheWriteTokens: 0,
              reasoningTokens: 0
            }
        }
      })
    })
  })
})

/** `Images` with the key `OPENAI_API_KEY` at `OPENAI_BASE_URL`, each where it is set. */
export const OpenAIImagesLive = OpenAIImages.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("OPENAI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("OPENAI_BASE_URL"), undefined),
  timeout: Config.succeed(Duration.minutes(3))
})

type Parameters = OpenAI.Images.ImageGenerateParamsNonStreaming

const common = ({ count, modelId, prompt, quality, size }: Images.ProviderRequest) => ({
  model: modelId,
  prompt,
  n: count,
  stream: false as const,
  ...(size === undefined ? {} : { size: size as "auto" }),
  ...(quality === undefined ? {} : { quality: quality as "auto" })
})

const gptImage = ({ outputFormat }: Images.ProviderRequest) =>
  outputFormat === undefined || outputFormat.toLowerCase() === "auto"
    ? {}
    : { output_format: outputFormat.toLowerCase() as NonNullable<Parameters["output_format"]> }

const dallE = ({ modelId, style }: Images.ProviderRequest) => ({
  response_format: "b64_json" as const,
  ...(style === undefined || modelId === "dall-e-2" ? {} : { style: style as NonNullable<Parameters["style"]> })
})
