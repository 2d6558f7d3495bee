/** Files among the inputs of a component, as a model takes them. */
import { Effect, Encoding } from "effect"
import * as Files from "../../subsystems/io/Files.ts"
import type { FilePart } from "../../subsystems/llm/Prompt.ts"
import { ComponentFailed, type Step } from "../Component.ts"
import type { Chosen } from "./Completion.ts"

const fileTypes = ["image", "audio", "video", "binary"]

/**
 * The files of every input whose type is one, in the order of the ports. Of several files those the model cannot read are
 * left out; when it can read none, that is a failure.
 */
export const load = (inputs: Readonly<Record<string, unknown>>, step: Step, model: Chosen) =>
  loadAll(
    step.component.inputs.filter(({ type }) => fileTypes.includes(type.toLowerCase())).map(({ name }) => inputs[name]),
    step,
    model
  )

/** The same of values, or lists of them, that are files whatever the type of their input. */
export const loadAll = Effect.fnUntraced(function*(given: ReadonlyArray<unknown>, step: Step, model: Chosen) {
  const values = given.flat(Infinity).filter((value) => value !== undefined && value !== null && value !== "")
  if (model.isEcho || values.length === 0) return []
  const files = yield* Effect.forEach(values, (value) => Files.load(value), { concurrency: 4 })
  const readable = files.filter(({ mediaType }) => reads(model, mediaType))
  const types = Array.from(new Set(files.map(({ mediaType }) => mediaType))).join(", ")
  if (readable.length === 0) {
    return yield* new ComponentFailed({
      message: `The model "${model.name}" cannot read ${types}. It reads: ${
        model.features.filter((feature) => Object.values(features).includes(feature)).join(", ") || "text only"
      }`
    })
  }
  if (readable.length < files.length) {
    step.log("warning", `of the files (${types}) the model "${model.name}" gets only those it reads`)
  }
  return readable.map(({ bytes, mediaType, name }): FilePart => ({
    type: "file",
    mediaType,
    data: Encoding.encodeBase64(bytes),
    fileName: name
  }))
})

const features: Readonly<Record<string, string>> = {
  image: "image",
  audio: "audio",
  video: "video",
  document: "document"
}

/** By the model's features; of a model that lists none it is unknown, and the provider decides. */
const reads = (model: Chosen, mediaType: string): boolean =>
  model.features.length === 0 || model.features.includes(features[mediaType.split("/")[0]!] ?? "document")
