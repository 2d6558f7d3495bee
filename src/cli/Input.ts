/** What comes from outside the command line: standard input, and the value of `--input`. */
import { Effect, Either, Option, Stream } from "effect"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as JsonText from "../kernel/JsonText.ts"
import * as Documents from "./Documents.ts"
import { UsageError } from "./Ending.ts"

/** JSON, `@file` with JSON in it, or `-` for standard input. Absent: an empty object. */
export const read = (
  input: Option.Option<string>
): Effect.Effect<Readonly<Record<string, unknown>>, UsageError | Documents.UnreadableFile, FileSystem.FileSystem> => {
  if (Option.isNone(input)) return Effect.succeed({})
  const { value } = input
  const source: Effect.Effect<string, UsageError | Documents.UnreadableFile, FileSystem.FileSystem> = value === "-" ? stdin : value.startsWith("@") ? Documents.readText(value.slice(1)) : Effect.succeed(value)
  return Effect.flatMap(source, (text) => {
    const place = value === "-" ? "standard input" : value.startsWith("@") ? value.slice(1) : "--input"
    return Either.match(JsonText.parse(text), {
      onLeft: (problem) => Effect.fail(new UsageError({ message: `${place} is not JSON: ${problem}` })),
      onRight: (json) =>
        typeof json === "object" && json !== null && !Array.isArray(json)
          ? Effect.succeed(json as Readonly<Record<string, unknown>>)
          : Effect.fail(new UsageError({ message: `${place}: expected an object with the inputs by name, like {"text":"abc"}` }))
    })
  })
}

/** All of standard input, at most 16 MiB. */
export const stdin: Effect.Effect<string, UsageError> = Effect.suspend(() =>
  Stream.runFoldEffect(
    Stream.fromAsyncIterable(
      process.stdin as AsyncIterable<Buffer>,
      () => new UsageError({ message: "standard input cannot be read" })
    ),
    { chunks: new Array<Buffer>(), bytes: 0 },
    ({ bytes, chunks }, chunk) =>
      bytes + chunk.length > maxBytes
        ? Effect.fail(new UsageError({ message: `standard input is larger than ${maxBytes} bytes` }))
        : Effect.sync(() => {
          chunks.push(chunk)
          return { chunks, bytes: bytes + chunk.length }
        })
  )
).pipe(Effect.map(({ chunks }) => Buffer.concat(chunks).toString("utf8")))

const maxBytes = 16 * 1024 * 1024
