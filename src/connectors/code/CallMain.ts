/**
 * How `main` is called where the engine is a real one, Node or Deno, as the text of a function: console, arguments, answer, and
 * failures with their place. It runs in the place of the code, so what it says is the code's word and no more.
 */
import { Effect, Schema } from "effect"
import * as Code from "../../subsystems/compute/Code.ts"

export interface Arguments {
  /** Names of the inputs in the order of the arguments; all go into one without. */
  readonly parameters: ReadonlyArray<string> | undefined
  readonly inputs: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, string>>
  readonly logBytes: number
}

/** `output` is JSON, or `undefined`. */
export const Answer = Schema.Struct({
  output: Schema.optional(Schema.String),
  failed: Schema.optional(Schema.Struct({
    name: Schema.String,
    message: Schema.String,
    line: Schema.optionalWith(Schema.Int, { exact: true }),
    column: Schema.optionalWith(Schema.Int, { exact: true })
  }))
})
export type Answer = typeof Answer.Type

/** `callMain(arguments, load, tell)`: `load` gives the module that exports `$main`, `tell` gets lines of the log. */
export const callMain = `
const callMain = async ({ inputs, logBytes, parameters, secrets }, load, tell) => {
  const { stringify } = JSON
  const shown = (value) => {
    if (typeof value === "string") return value
    try { return value instanceof Error ? value.name + ": " + value.message : stringify(value) ?? String(value) } catch { return typeof value }
  }
  let left = logBytes
  for (const level of ["debug", "log", "info", "warn", "error"]) {
    console[level] = (...values) => {
      const text = values.map(shown).join(" ").slice(0, left)
      if (left <= 0) return
      left -= text.length
      tell({ level, text })
    }
  }
  const failureOf = (error) => {
    const isError = error instanceof Error
    const text = (value) => typeof value === "string" ? value.slice(0, 8192) : ""
    const place = isError ? /(?:data:[^\\s)]*?|main\\.mjs[^\\s):]*):(\\d+):(\\d+)/.exec(text(error.stack)) : null
    return {
      name: isError ? text(error.name) : "",
      message: isError ? text(error.message) : shown(error).slice(0, 8192),
      ...(place === null ? {} : { line: Number(place[1]), column: Number(place[2]) })
    }
  }
  globalThis.secrets = Object.freeze(secrets)
  try {
    const { $main } = await load()
    const take = (name) => Object.hasOwn(inputs, name) ? inputs[name] : undefined
    const output = await $main(...(parameters ? parameters.map(take) : [inputs]))
    const text = output === undefined ? undefined : stringify(output)
    if (output !== undefined && text === undefined) throw new TypeError("main returned a " + typeof output + ", which JSON lacks")
    return { output: text }
  } catch (error) {
    try { return { failed: failureOf(error) } } catch { return { failed: { name: "", message: "an error that cannot be read" } } }
  }
}
`

/** A module that exports the code's `main` as `$main`; what is added changes no line and no number of one. */
export const moduleOf = (code: string, isAssigned: boolean): string =>
  `${isAssigned ? "let main;" : ""}${code}\n;export { main as $main }`

/** The answer as the contract has it. */
export const answered = (
  { failed, output }: Answer,
  limits: Code.Limits,
  logs: ReadonlyArray<Code.LogLine>
): Effect.Effect<string | undefined, Code.RunError> => {
  if (failed !== undefined) {
    const { message, name, ...place } = failed
    return Effect.fail(new Code.CodeFailed({ message: name === "" ? message : `${name}: ${message}`, ...place, logs }))
  }
  return Buffer.byteLength(output ?? "") > limits.outputBytes
    ? Effect.fail(Code.exceeded("output", limits, logs))
    : Effect.succeed(output)
}
