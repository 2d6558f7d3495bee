/** Runs a model of Hugging Face for one task; its inputs are named by the task. */
import { Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Secrets from "../../security/Secrets.ts"
import * as Files from "../../subsystems/io/Files.ts"
import type { Storage } from "../../subsystems/io/Storage.ts"
import * as Inference from "../../subsystems/llm/Inference.ts"
import * as Component from "../Component.ts"
import * as Templated from "../external/apicall/Templated.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"
import * as Chat from "./huggingface/Chat.ts"

/** What a task takes: inputs of the component, by the names the vendor has for them. */
interface Takes {
  readonly inputs: Readonly<Record<string, string>>
  /** The vendor wants them within one object, or as the one thing given. */
  readonly within: "inputs" | "itself"
}

const text: Takes = { inputs: { Text: "inputs" }, within: "itself" }
const image: Takes = { inputs: { Image: "data" }, within: "itself" }
const drawn: Takes = { inputs: { Image: "inputs" }, within: "itself" }
const audio: Takes = { inputs: { Audio: "data" }, within: "itself" }
const asked: Takes = { inputs: { Image: "image", Question: "question" }, within: "inputs" }

const tasks: Readonly<Record<Inference.Task, Takes>> = {
  "audio-classification": audio,
  "audio-to-audio": audio,
  "automatic-speech-recognition": audio,
  conversational: text,
  "document-question-answering": asked,
  "feature-extraction": text,
  "fill-mask": text,
  "image-classification": image,
  "image-segmentation": drawn,
  "image-to-image": drawn,
  "image-to-text": image,
  "object-detection": image,
  "question-answering": { inputs: { Question: "question", Context: "context" }, within: "inputs" },
  "sentence-similarity": { inputs: { Source_sentence: "source_sentence", Sentences: "sentences" }, within: "inputs" },
  summarization: text,
  "table-question-answering": { inputs: { Query: "query", Table: "table" }, within: "inputs" },
  "text-classification": text,
  "text-generation": text,
  "text-to-image": text,
  "text-to-speech": text,
  "token-classification": text,
  translation: text,
  "visual-question-answering": asked,
  "zero-shot-classification": text,
  "zero-shot-image-classification": { inputs: { Image: "image" }, within: "inputs" }
}

export const HuggingFace = Component.make("HuggingFace", {
  description: "Runs a model of Hugging Face for a task: classifying, translating, hearing, drawing and the like.",
  category: "ai",
  config: Schema.Struct({
    /** Usually `{{KEY(name)}}`: a secret of the vault. */
    accessToken: Settings.template({ max: 350 }),
    modelName: Settings.text({ max: 100 }),
    /** `text2text-generation` is what `text-generation` was called for some models. */
    modelTask: Settings.literal([...Inference.Task.literals, "text2text-generation"]),
    /** An object, or its JSON text; `none` leaves a parameter out. */
    parameters: Settings.optional(Templated.FromUnknown)
  }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const inference = yield* Inference.Inference
    const task = config.modelTask === "text2text-generation" ? "text-generation" : config.modelTask
    const { inputs: names, within } = tasks[task as Inference.Task]
    const missing = Object.keys(names).filter((name) => (inputs[name] ?? "") === "")
    if (missing.length > 0) {
      return yield* new Component.ComponentFailed({
        message: `${config.modelTask} needs the inputs ${Object.keys(names).join(", ")}; not there: ${
          missing.join(", ")
        }`
      })
    }
    const given = yield* Effect.forEach(
      Object.entries(names),
      ([name, argument]) => Effect.map(valueOf(name, inputs[name]), (value) => [argument, value] as const)
    )
    const args = Object.fromEntries(given)
    const parameters = yield* parametersOf(config.parameters, step)
    const chat = task === "conversational" ? Chat.of(inputs) : undefined
    const answer = yield* inference.run({
      task: task as Inference.Task,
      model: config.modelName,
      apiKey: yield* Secrets.render(config.accessToken, step.data, { missing: "drop" }),
      args: chat === undefined
        ? {
          ...(within === "inputs" ? { inputs: args } : args),
          ...(Object.keys(parameters).length === 0 ? {} : { parameters })
        }
        : { ...parameters, messages: chat.messages }
    })
    return { Output: chat === undefined ? yield* stored(answer) : yield* chat.read(answer) }
  })
})

/** Files are loaded; lists and tables may come as JSON text. */
const valueOf = (name: string, value: unknown) =>
  name === "Image" || name === "Audio"
    ? Effect.map(
      Files.load(value),
      ({ bytes, mediaType }): unknown => new Inference.Binary({ bytes, mediaType })
    )
    : Effect.succeed(
      typeof value !== "string" ?
        name === "Text" ? Json.toText(value) : value :
        name === "Sentences" || name === "Table"
        ? Json.extract(value)
        : value
    )

const parametersOf = Effect.fnUntraced(function*(setting: Templated.Templated | undefined, { data }: Component.Step) {
  if (setting === undefined) return {}
  const filler = Templated.filler(data)
  const value = setting._tag === "Text"
    ? Json.extract(yield* filler.text(setting.template, "json"))
    : yield* filler.whole(setting)
  if (value === "") return {}
  if (!Completion.isObject(value) || Array.isArray(value)) {
    return yield* new Component.ComponentFailed({
      message: `parameters: expected an object, or its JSON text, got ${Json.preview(value)}`
    })
  }
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== "none").map(([name, one]) => [name, scalarOf(one)])
  )
})

/** Numbers and truth values are often text in documents. */
const scalarOf = (value: unknown): unknown => {
  if (typeof value !== "string") return value
  const literals: Readonly<Record<string, unknown>> = { true: true, false: false, null: null }
  if (Object.hasOwn(literals, value)) return literals[value]
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) ? Number(value) : value
}

type StoreError = Effect.Effect.Error<ReturnType<typeof Files.store>>

/** Files in the answer are stored, and stand in it by reference. */
const stored = (value: unknown): Effect.Effect<unknown, StoreError, Storage> => {
  if (value instanceof Inference.Binary) {
    const { bytes, mediaType } = value
    return Files.store({ bytes, mediaType, name: `output.${mediaType.split("/")[1] ?? "bin"}` })
  }
  if (Array.isArray(value)) return Effect.forEach(value, stored)
  return Completion.isObject(value)
    ? Effect.map(
      Effect.forEach(Object.entries(value), ([name, one]) => Effect.map(stored(one), (one) => [name, one] as const)),
      Object.fromEntries
    )
    : Effect.succeed(value)
}
