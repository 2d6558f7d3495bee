/** Makes pictures, or changes those among its inputs. What comes out is stored: a file, or a list of several. */
import { Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Files from "../../subsystems/io/Files.ts"
import { Images, type Options } from "../../subsystems/llm/Images.ts"
import { Models } from "../../subsystems/llm/Models.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"

const pixels = Settings.optional(
  Settings.integer({ min: 128, max: 2048 }).pipe(
    Schema.filter((count) => count % 64 === 0, { message: () => "expected a multiple of 64" })
  )
)
const negative = Schema.String.pipe(Schema.minLength(2), Schema.maxLength(2000))

const settings = {
  model: Settings.text({ max: 100 }),
  /** Default: the input `Prompt`. */
  prompt: Settings.optional(Settings.template({ max: 2000 })),
  sizeDalle2: Settings.literal(["256x256", "512x512", "1024x1024"], { default: "256x256" }),
  sizeDalle3: Settings.literal(["1024x1024", "1792x1024", "1024x1792"], { default: "1024x1024" }),
  quality: Settings.optional(Settings.literal(["standard", "hd", "auto", "high", "medium", "low"])),
  style: Settings.literal(["vivid", "natural"], { default: "vivid" }),
  /** Asks DALL·E 3 to keep the prompt as it is. */
  isRawInputPrompt: Settings.boolean({ default: false }),
  negativePrompt: Settings.optional(negative),
  width: pixels,
  height: pixels,
  outputFormat: Settings.optional(Settings.literal(["PNG", "JPEG", "WEBP", "auto"])),
  strength: Settings.optional(Settings.number({ min: 0, max: 1 })),
  /** Of GPT image models. */
  size: Settings.optional(Settings.text({ max: 100 })),
  aspectRatio: Settings.optional(Settings.literal(["1:1", "3:4", "4:3", "9:16", "16:9"])),
  personGeneration: Settings.optional(Settings.literal(["dont_allow", "allow_adult", "allow_all"])),
  numberOfImages: Settings.integer({ min: 1, max: 10, default: 1 })
} as const

export const ImageGenerator = Component.make("ImageGenerator", {
  description: "Makes pictures from a prompt with an image model, or changes the pictures among its inputs.",
  category: "ai",
  config: Schema.Struct(settings),
  inputs: Schema.Struct({ Prompt: Schema.optional(Port.Any) }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const models = yield* Models
    const images = yield* Images
    const { modelId, name, provider } = yield* models.get(config.model)
    const prompt = config.prompt === undefined
      ? Json.toText(inputs.Prompt ?? "")
      : Completion.render(config.prompt, step)
    if (prompt.trim().length < 2) {
      return yield* new Component.ComponentFailed({
        message: "prompt: there is none, neither as a setting nor as an input"
      })
    }
    const family = familyOf(provider, modelId)
    const made = yield* images.generate({
      ...optionsOf(family, config),
      model: name,
      prompt: family === "dall-e-3" && config.isRawInputPrompt ? `${keepPrompt}${prompt}` : prompt,
      images: yield* picturesIn(inputs, step),
      count: config.numberOfImages
    })
    const files = yield* Effect.forEach(
      made,
      ({ bytes, mediaType }, at) =>
        Files.store({ bytes, mediaType, name: `image-${at + 1}.${mediaType.split("/")[1] ?? "png"}` })
    )
    return { Output: config.numberOfImages === 1 ? files[0] : files }
  })
})

/** https://platform.openai.com/docs/guides/image-generation?image-generation-model=dall-e-3#prompting-tips */
const keepPrompt =
  "I NEED to test how the tool works with extremely simple prompts. DO NOT add any detail, just use it AS-IS: "

type Config = Schema.Struct.Type<typeof settings>
type Family = "gpt" | "dall-e-2" | "dall-e-3" | "runware" | "google" | "amazon" | "stability" | "other"

const familyOf = (provider: string, modelId: string): Family => {
  const id = modelId.replace(/^smythos\//, "")
  return id.startsWith("dall-e-2")
    ? "dall-e-2"
    : id.startsWith("dall-e")
    ? "dall-e-3"
    : id.startsWith("gpt")
    ? "gpt"
    : provider.toLowerCase() === "runware"
    ? "runware"
    : provider.toLowerCase() === "googleai"
    ? "google"
    : provider.toLowerCase() === "bedrock"
    ? id.includes("stability.") ? "stability" : "amazon"
    : "other"
}

/** Editors save settings of all families: those of other families mean nothing. */
const optionsOf = (family: Family, config: Config): Options => {
  const { aspectRatio, height, negativePrompt, outputFormat, personGeneration, quality, size, strength, style, width } =
    config
  const format = outputFormat === "auto" ? undefined : outputFormat
  switch (family) {
    case "gpt":
      return { size, quality: quality === "standard" || quality === "hd" ? "auto" : quality, outputFormat: format }
    case "dall-e-2":
      return { size: config.sizeDalle2 }
    case "dall-e-3":
      return { size: config.sizeDalle3, style, quality: quality === "hd" ? "hd" : "standard" }
    case "runware":
      return { negativePrompt, width, height, outputFormat: format, strength }
    case "google":
      return { aspectRatio, personGeneration, outputFormat: format === "WEBP" ? undefined : format }
    case "amazon":
      return { negativePrompt, width, height, strength, quality }
    case "stability":
      return { negativePrompt, aspectRatio, outputFormat: format, strength }
    case "other":
      return { size, quality, aspectRatio, negativePrompt, width, height, outputFormat: format }
  }
}

const fileTypes = ["image", "audio", "video", "binary"]

const picturesIn = Effect.fnUntraced(function*(inputs: Readonly<Record<string, unknown>>, step: Component.Step) {
  const values = step.component.inputs.filter(({ type }) => fileTypes.includes(type.toLowerCase()))
    .flatMap(({ name }) => [inputs[name]].flat(Infinity))
    .filter((value) => value !== undefined && value !== null && value !== "")
  const files = yield* Effect.forEach(values, (value) => Files.load(value), { concurrency: 4 })
  const other = files.find(({ mediaType }) => !mediaType.startsWith("image/"))
  return other === undefined ? files : yield* new Component.ComponentFailed({
    message: `Expected pictures, got ${other.mediaType}`
  })
})
