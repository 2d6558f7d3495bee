/** `.smyth` files named on the command line. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect, Schema } from "effect"
import * as AgentDefinition from "../agents/AgentDefinition.ts"
import { InvalidAgent } from "../agents/Problem.ts"

export class UnreadableFile extends Schema.TaggedError<UnreadableFile>()("UnreadableFile", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.problem}`
  }
}

/** The files, and for each folder the `.smyth` files right in it, sorted by name. */
export const find = (
  paths: Iterable<string>
): Effect.Effect<ReadonlyArray<string>, UnreadableFile, FileSystem.FileSystem | Path.Path> =>
  Effect.map(Effect.forEach(paths, inFolder), (found) => Array.from(new Set(found.flat())))

const inFolder = Effect.fnUntraced(function*(path: string) {
  const files = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const { type } = yield* Effect.mapError(files.stat(path), unreadable(path))
  if (type !== "Directory") return [path]
  const names = yield* Effect.mapError(files.readDirectory(path), unreadable(path))
  const found = names.filter((name) => name.endsWith(".smyth")).sort().map((name) => join(path, name))
  return found.length > 0
    ? found
    : yield* new UnreadableFile({ file: path, problem: "there is no .smyth file in this folder" })
})

export const readText = (file: string): Effect.Effect<string, UnreadableFile, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => Effect.mapError(files.readFileString(file), unreadable(file)))

/** The agent of a file; one without an id of its own is named like the file. */
export const read = Effect.fnUntraced(function*(file: string) {
  const { parse } = yield* Path.Path
  const source = yield* readText(file)
  return yield* Effect.mapError(
    AgentDefinition.fromText(source, { fallbackId: parse(file).name }),
    ({ agent, problems }) => new InvalidAgent({ agent: agent ?? file, problems })
  )
})

const unreadable = (file: string) => (error: { readonly message: string; readonly reason?: string }) =>
  new UnreadableFile({
    file,
    problem: error.reason === "NotFound"
      ? "no such file or folder"
      : error.reason === "PermissionDenied"
      ? "this user may not read it"
      : `cannot be read: ${error.message}`
  })
