/** What comes from outside the command line: standard input, and the value of `--input`. */
import type * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Either, Option } from "effect"
import * as JsonText from "../kernel/JsonText.ts"
import * as Documents from "./Documents.ts"
import { UsageError } from "./Ending.ts"

/** JSON, `@file` with JSON in it, or `-` for standard input. Absent: an empty object. */
export const read = Effect.fnUntraced(function*(input: Option.Option<string>) {
  const { place, source } = sourceOf(Option.getOrElse(input, () => "{}"))
  return yield* Either.match(JsonText.parse(yield* source), {
    onLeft: (problem) => refused(`${place} is not JSON: ${problem}`),
    onRight: (json) =>
      typeof json === "object" && json !== null && !Array.isArray(json)
        ? Effect.succeed(json as Readonly<Record<string, unknown>>)
        : refused(`${place}: expected an object with the inputs by name, like {"text":"abc"}`)
  })
})

const sourceOf = (input: string): {
  readonly place: string
  readonly source: Effect.Effect<string, UsageError | Documents.UnreadableFile, FileSystem.FileSystem>
} =>
  input === "-"
    ? { place: "standard input", source: stdin }
    : input.startsWith("@")
    ? { place: input.slice(1), source: Documents.readText(input.slice(1)) }
    : { place: "--input", source: Effect.succeed(input) }

/** All of standard input, at most {@link maxBytes}. */
export const stdin: Effect.Effect<string, UsageError> = Effect.flatMap(
  Effect.tryPromise({
    try: async () => {
      const chunks: Array<Buffer> = []
      let length = 0
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        length += chunk.length
        if (length > maxBytes) return undefined
      }
      return Buffer.concat(chunks).toString("utf8")
    },
    catch: () => new UsageError({ message: "standard input cannot be read" })
  }),
  (text) => text === undefined ? refused(`standard input is larger than ${maxBytes} bytes`) : Effect.succeed(text)
)

const maxBytes = 16 * 1024 * 1024

const refused = (message: string) => Effect.fail(new UsageError({ message }))
