/** The files a model may send: those of the component's inputs by name, those the API gave by URL, and what it can write itself. */
import { Effect } from "effect"
import * as Files from "../../../subsystems/io/Files.ts"
import { ComponentFailed, type Step } from "../../Component.ts"
import { isFileLike, isFilePort } from "../../external/Multipart.ts"

/** What a model is told of an argument that stands for a file. */
export const described =
  "A file: the name of one you were given, its URL, or data:<media type>,<text> for one you write yourself"

export interface SentFiles {
  /** For the model; empty when there are none. */
  readonly told: string
  /** A file of the asker's own storage only if it was given here. */
  readonly load: (reference: string) => ReturnType<typeof Files.load> | Effect.Effect<never, ComponentFailed>
  /** A file in an answer may be sent on. */
  readonly answered: (value: unknown) => void
}

export const of = (inputs: Readonly<Record<string, unknown>>, step: Step): SentFiles => {
  const named = new Map<string, unknown>()
  for (const [name, value] of Object.entries(inputs)) {
    const isPort = step.component.inputs.some((port) => port.name === name && isFilePort(port))
    const files = (Array.isArray(value) ? value : [value]).filter((one) =>
      one !== undefined && one !== null && one !== "" && (isPort || isFileLike(one))
    )
    files.forEach((file, n) => named.set(files.length === 1 ? name : `${name}_${n + 1}`, file))
  }
  const answers = new Set<string>()
  const names = Array.from(named.keys())
  return {
    told: names.length === 0
      ? ""
      : `Files you were given, by name: ${names.map((name) => JSON.stringify(name)).join(", ")}`,
    answered: (value) => {
      if (isFileLike(value)) answers.add(String((value as { readonly url?: unknown }).url))
    },
    load: (reference) =>
      named.has(reference)
        ? Files.load(named.get(reference))
        : answers.has(reference) || /^(https?|data):/i.test(reference)
        ? Files.load(reference)
        : Effect.fail(
          new ComponentFailed({
            message: `there is no file ${JSON.stringify(reference.slice(0, 200))}. Files by name: ${
              names.join(", ") || "none"
            }`
          })
        )
  }
}
