/**
 * Lines in the files of one folder: appended to the newest, which is left for a new one when it is full or old. A file's name
 * begins with its time, so that names sort by age. A line that was not written whole, by a process that was killed, is none.
 */
import { Clock, Effect, Option, Ref, type Scope } from "effect"
import { open as openFile, readdir, readFile, rm, stat, truncate } from "node:fs/promises"
import { join } from "node:path"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as DataFolder from "../DataFolder.ts"

export interface Options {
  readonly folder: string
  /** Of one file. */
  readonly maxBytes: number
  readonly maxLines: number
  readonly maxAgeMillis: number
}

export interface LineFiles {
  /** All lines, on disk when this is done, or none of them. */
  readonly append: (lines: ReadonlyArray<string>) => Effect.Effect<void, ConnectorError>
  /** Leaves the file that is appended to; the next line begins another. */
  readonly leave: Effect.Effect<unknown>
  /** Files that are appended to no more, oldest first. */
  readonly finished: Effect.Effect<ReadonlyArray<string>, ConnectorError>
  readonly read: (name: string) => Effect.Effect<ReadonlyArray<string>, ConnectorError>
  readonly remove: (name: string) => Effect.Effect<void, ConnectorError>
  /** Of all files together. */
  readonly bytes: Effect.Effect<number>
}

interface Newest {
  readonly name: string
  readonly bytes: number
  readonly lines: number
  /** Milliseconds since 1970. */
  readonly begun: number
}

/** Takes the folder for this process. */
export const make = Effect.fnUntraced(function*(
  connector: string,
  options: Options
): Effect.fn.Return<LineFiles, ConnectorError, Scope.Scope> {
  const folder = yield* DataFolder.open(connector, options.folder)
  const attempt = <A>(method: string, evaluate: () => Promise<A>) => DataFolder.attempt(connector, method, evaluate)
  const names = Effect.map(
    attempt("open", () => readdir(folder)),
    (all) => all.filter((name) => name.endsWith(extension)).sort()
  )
  const sizes = yield* Effect.flatMap(
    names,
    Effect.forEach((name) => attempt("open", () => stat(join(folder, name))))
  )
  const used = yield* Ref.make(sizes.reduce((sum, { size }) => sum + size, 0))
  const newest = yield* Ref.make(Option.none<Newest>())
  const isLeft = yield* Ref.make(false)
  const one = yield* Effect.makeSemaphore(1)

  const current = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const open = Option.filter(
      yield* Ref.get(newest),
      ({ begun, bytes, lines }) =>
        bytes < options.maxBytes && lines < options.maxLines && now - begun < options.maxAgeMillis
    )
    return Option.getOrElse(open, (): Newest => ({
      name: `${new Date(now).toISOString().replaceAll(":", "-")}-${Ids.unsafeMake("log")}${extension}`,
      bytes: 0,
      lines: 0,
      begun: now
    }))
  })

  const append = Effect.fnUntraced(
    function*(lines: ReadonlyArray<string>) {
      const file = yield* current
      const path = join(folder, file.name)
      const content = Buffer.from(lines.map((line) => `${line}\n`).join(""))
      // Before there is the file: else it would count as finished.
      yield* Ref.set(newest, Option.some(file))
      yield* Effect.tapError(
        attempt("append", () => appendTo(path, content)),
        () => DataFolder.quietly(() => truncate(path, file.bytes))
      )
      if (file.bytes === 0) yield* DataFolder.syncFolder(folder)
      yield* Ref.update(used, (bytes) => bytes + content.length)
      const appended = { ...file, bytes: file.bytes + content.length, lines: file.lines + lines.length }
      yield* Ref.set(newest, (yield* Ref.getAndSet(isLeft, false)) ? Option.none() : Option.some(appended))
    },
    Effect.uninterruptible,
    one.withPermits(1)
  )

  return {
    append,
    // Does not wait for its turn: who appends without a pause would never give it.
    leave: Effect.zipRight(
      Ref.set(isLeft, true),
      one.withPermitsIfAvailable(1)(Effect.zipRight(Ref.set(isLeft, false), Ref.set(newest, Option.none())))
    ),
    finished: Effect.zipWith(
      names,
      Ref.get(newest),
      (all, open) => all.filter((name) => !Option.exists(open, (file) => file.name === name))
    ),
    read: (name) =>
      Effect.map(attempt("read", () => readFile(join(folder, name), "utf8")), (text) => text.split("\n").slice(0, -1)),
    remove: Effect.fnUntraced(function*(name) {
      const path = join(folder, name)
      const { size } = yield* attempt("remove", () => stat(path))
      yield* attempt("remove", () => rm(path))
      yield* Ref.update(used, (bytes) => bytes - size)
    }, Effect.uninterruptible),
    bytes: Ref.get(used)
  }
})

const extension = ".jsonl"

const appendTo = async (path: string, content: Buffer): Promise<void> => {
  const file = await openFile(path, "a", 0o600)
  try {
    await file.writeFile(content)
    await file.datasync()
  } finally {
    await file.close()
  }
}
