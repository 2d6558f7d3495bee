/**
 * Images of Amazon Bedrock: the models of Amazon and of Stability.
 * https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html
 */
import { Config, Duration, Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Images from "../../subsystems/llm/Images.ts"
import * as BedrockInvoke from "../BedrockInvoke.ts"
import { fromBase64, invalid, refuse, toBase64, unreadable } from "./ImagesApi.ts"

const BedrockImagesSettings = Schema.Struct({
  ...BedrockInvoke.settings,
  /** Of one call, in milliseconds. Default: 3 minutes. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(3) })
})

export const BedrockImages = Connector.make({
  name: "Bedrock",
  contract: Images.ImagesConnector,
  service: Images.standalone,
  settings: BedrockImagesSettings,
  make: Effect.fnUntraced(function*({ apiKey, endpoint, region, timeout }) {
    const open = yield* BedrockInvoke.make({ method: "generate", region, endpoint, timeout })

    return Images.ImagesConnector.of({
      provider: "Bedrock",
      credentials: { environment: "AWS_BEARER_TOKEN_BEDROCK", apiKey, required: endpoint === undefined },
      generate: Effect.fnUntraced(function*(request) {
        const isStability = request.modelId.includes("stability.")
        const body = yield* isStability ? toStability(request) : toAmazon(request)
        const invoke = yield* open(request)
        const answers = yield* Effect.forEach(
          // Models of Stability make one picture a call.
          Array.from({ length: isStability ? request.count : 1 }),
          () => invoke(request.modelId, body),
          { concurrency: 4 }
        )
        const images = yield* Effect.forEach(answers, picturesIn)
        return { images: images.flat() }
      })
    })
  })
})

/** `Images` in `AWS_REGION`, with the key `AWS_BEARER_TOKEN_BEDROCK`. */
export const BedrockImagesLive = BedrockImages.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("AWS_BEARER_TOKEN_BEDROCK")), undefined),
  region: Config.withDefault(Config.nonEmptyString("AWS_REGION"), "us-east-1"),
  endpoint: Config.withDefault(Config.nonEmptyString("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"), undefined),
  timeout: Config.succeed(Duration.minutes(3))
})

/** Nova Canvas and Titan. Given pictures are varied. */
const toAmazon = Effect.fnUntraced(function*(request: Images.ProviderRequest) {
  yield* refuse("Bedrock", request, ["aspectRatio", "style", "personGeneration"])
  const { count, images, negativePrompt: negativeText, outputFormat = "png", prompt: text, quality, strength } = request
  if (!["png", "auto"].includes(outputFormat.toLowerCase())) {
    return yield* invalid("Bedrock", `"${request.modelId}" makes pictures as PNG, not as ${outputFormat}`)
  }
  const size = yield* sizeOf(request)
  const words = { text, ...(negativeText === undefined ? {} : { negativeText }) }
  return {
    ...(images.length === 0
      ? { taskType: "TEXT_IMAGE", textToImageParams: words }
      : {
        taskType: "IMAGE_VARIATION",
        imageVariationParams: {
          ...words,
          images: images.map(toBase64),
          ...(strength === undefined ? {} : { similarityStrength: Math.max(0.2, 1 - strength) })
        }
      }),
    imageGenerationConfig: {
      numberOfImages: count,
      ...size,
      ...(quality === undefined || quality === "auto"
        ? {}
        : { quality: ["hd", "high", "premium"].includes(quality) ? "premium" : "standard" })
    }
  }
})

const sizeOf = ({ height, size, width }: Images.ProviderRequest) => {
  const [, w, h] = /^(\d{2,5})x(\d{2,5})$/.exec(size ?? "") ?? []
  return size !== undefined && size !== "auto" && w === undefined
    ? invalid("Bedrock", `size: expected "auto", or width and height like "1024x1024", got "${size}"`)
    : Effect.succeed({
      ...(width === undefined && w === undefined ? {} : { width: width ?? Number(w) }),
      ...(height === undefined && h === undefined ? {} : { height: height ?? Number(h) })
    })
}

/** Stable Image and Stable Diffusion 3. */
const toStability = Effect.fnUntraced(function*(request: Images.ProviderRequest) {
  yield* refuse("Bedrock", request, ["size", "width", "height", "quality", "style", "personGeneration"])
  const { aspectRatio, images, negativePrompt, outputFormat, prompt, strength = 0.5 } = request
  const [image, ...more] = images
  if (more.length > 0) {
    return yield* invalid("Bedrock", `"${request.modelId}" begins with one picture, and ${images.length} were given`)
  }
  const format = outputFormat?.toLowerCase()
  return {
    prompt,
    ...(negativePrompt === undefined ? {} : { negative_prompt: negativePrompt }),
    ...(format === undefined || format === "auto" ? {} : { output_format: format }),
    ...(image !== undefined
      ? { mode: "image-to-image", image: toBase64(image), strength }
      : { mode: "text-to-image", ...(aspectRatio === undefined ? {} : { aspect_ratio: aspectRatio }) })
  }
})

const Answer = Schema.Struct({
  images: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [], nullable: true }),
  /** Of Amazon: why pictures are missing. */
  error: Schema.optional(Schema.NullOr(Schema.String)),
  /** Of Stability: for each picture why it was withheld. */
  finish_reasons: Schema.optionalWith(Schema.Array(Schema.NullOr(Schema.String)), { default: () => [], nullable: true })
})
const decode = Schema.decodeOption(Schema.parseJson(Answer))

const picturesIn = (text: string) =>
  Option.match(decode(text), {
    onNone: () => Effect.fail(unreadable("Bedrock")),
    onSome: ({ error, finish_reasons, images }) => {
      const reason = error ?? finish_reasons.find((one) => one !== null)
      return images.length === 0 && typeof reason === "string"
        ? Effect.fail(invalid("Bedrock", reason.slice(0, 300)))
        : Effect.succeed(images.filter((_, at) => (finish_reasons[at] ?? null) === null).map((one) => fromBase64(one)))
    }
  })
