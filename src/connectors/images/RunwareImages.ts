/** Images of Runware: https://runware.ai/docs/en/image-inference/api-reference */
import { Config, Duration, Effect, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import * as Images from "../../subsystems/llm/Images.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as VendorFetch from "../VendorFetch.ts"
import { fromBase64, invalid, post, refuse, secret, toBase64, unreadable } from "./ImagesApi.ts"

const Answer = Schema.Struct({
  data: Schema.optionalWith(Schema.Array(Schema.Struct({ imageBase64Data: Schema.optional(Schema.String) })), {
    default: () => []
  }),
  errors: Schema.optionalWith(Schema.Array(Schema.Struct({ message: Schema.String })), { default: () => [] })
})

const RunwareImagesSettings = Schema.Struct({ ...ModelSettings.settings })

export const RunwareImages = Connector.make({
  name: "Runware",
  contract: Images.ImagesConnector,
  service: Images.standalone,
  settings: RunwareImagesSettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse("Runware", VendorFetch.make("Runware", settings.timeout))

    return Images.ImagesConnector.of({
      provider: "Runware",
      credentials: {
        environment: "RUNWARE_API_KEY",
        apiKey: settings.apiKey,
        required: settings.baseURL === undefined
      },
      generate: Effect.fnUntraced(function*(request) {
        const {
          apiKey,
          baseURL,
          policy,
          count,
          height = 1024,
          images,
          modelId,
          negativePrompt,
          prompt,
          strength,
          width = 1024
        } = request
        yield* refuse("Runware", request, ["size", "aspectRatio", "quality", "style", "personGeneration"])
        const [seed, ...more] = images
        if (more.length > 0) {
          return yield* invalid("Runware", `it begins with one picture, and ${images.length} were given`)
        }
        const format = request.outputFormat?.toUpperCase()
        const task = {
          taskType: "imageInference",
          taskUUID: randomUUID(),
          positivePrompt: prompt,
          model: modelId,
          width,
          height,
          numberResults: count,
          outputType: "base64Data",
          outputFormat: format === undefined || format === "AUTO" ? "JPEG" : format,
          ...(negativePrompt === undefined ? {} : { negativePrompt }),
          ...(seed === undefined
            ? {}
            : { seedImage: `data:${seed.mediaType};base64,${toBase64(seed)}`, strength: strength ?? 0.5 })
        }
        const url = baseURL ?? settings.baseURL ?? "https://api.runware.ai/v1"
        const vendor = yield* loaded
        const answer = yield* post(vendor.policed(policy), url, { authorization: `Bearer ${secret(apiKey)}` }, [task])
        const { data, errors } = yield* Effect.mapError(
          Schema.decodeUnknown(Answer)(answer),
          () => unreadable("Runware")
        )
        const [error] = errors
        if (error !== undefined) return yield* invalid("Runware", error.message.slice(0, 300))
        return {
          images: data.flatMap(({ imageBase64Data }) =>
            imageBase64Data === undefined ? [] : [fromBase64(imageBase64Data)]
          )
        }
      })
    })
  })
})

/** `Images` with the key `RUNWARE_API_KEY`, where it is set. */
export const RunwareImagesLive = RunwareImages.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("RUNWARE_API_KEY")), undefined),
  baseURL: Config.succeed(undefined),
  timeout: Config.succeed(Duration.minutes(3))
})
