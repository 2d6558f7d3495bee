/** AgentData in folders: every `.smyth` file is a document; a changed file is read again, a broken one hides no other. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Config, Effect, Option, Schema } from "effect"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as AgentData from "../../subsystems/io/AgentData.ts"
import * as AgentFile from "./AgentFile.ts"

const LocalAgentDataSettings = Schema.Struct({
  /** Folder of the documents in development. */
  devDir: Schema.optional(Schema.NonEmptyString),
  /** Folder of the documents in production; they answer when any version is asked for. */
  prodDir: Schema.optional(Schema.NonEmptyString),
  /** The team that owns the documents. An agent may read its own. */
  team: Schema.optionalWith(Candidate.CandidateId, { default: () => "default" })
}).pipe(Schema.filter(({ devDir, prodDir }) => devDir !== undefined || prodDir !== undefined, {
  message: () => "needs devDir, prodDir or both"
}))

export const LocalAgentData = Connector.make({
  name: "Local",
  aliases: ["LocalAgentData"],
  contract: AgentData.AgentDataConnector,
  service: AgentData.layer,
  settings: LocalAgentDataSettings,
  make: Effect.fnUntraced(
    function*({ devDir, prodDir, team }) {
      const development = yield* openFolder("devDir", devDir)
      const production = yield* openFolder("prodDir", prodDir)
      const owned = AgentFile.ownedBy(Candidate.team(team))

      return AgentData.AgentDataConnector.of({
        get: Effect.fnUntraced(function*(id, version) {
          const files = yield* (Option.isSome(version) ? production : development).files
          const named = files.filter((one) => one.id === id)
          const file = named.find(({ problem }) => problem === undefined) ?? named[0]
          if (file === undefined) return Option.none()
          if (file.problem !== undefined) {
            const detail = `${file.source}: ${file.problem}`
            return yield* new ConnectorError({ connector: "Local", method: "get", reason: "Corrupted", detail })
          }
          return Option.some({ id, document: file.document, source: file.source, ...owned(id) })
        }),
        ...AgentFile.overBoth(production.files, development.files, owned)
      })
    },
    Effect.provide([NodeFileSystem.layer, NodePath.layer])
  )
})

/** `AgentData` in the folders named by `AGENTS_DEV_DIR` and `AGENTS_PROD_DIR`, owned by the team in `AGENTS_TEAM`. */
export const LocalAgentDataLive = LocalAgentData.layerConfig({
  devDir: Config.withDefault(Config.string("AGENTS_DEV_DIR"), undefined),
  prodDir: Config.withDefault(Config.string("AGENTS_PROD_DIR"), undefined),
  team: Config.withDefault(Config.string("AGENTS_TEAM"), "default")
})

/** The documents of a folder in the order of their file names; only files that changed since are read again. */
const openFolder = Effect.fnUntraced(function*(setting: string, folder: string | undefined) {
  if (folder === undefined) return { files: Effect.succeed<ReadonlyArray<AgentFile.AgentFile>>([]) }
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const known = new Map<string, { readonly stamp: string; readonly file: AgentFile.AgentFile }>()

  const isFolder = yield* Effect.orElseSucceed(
    Effect.map(fs.stat(folder), ({ type }) => type === "Directory"),
    () => false
  )
  if (!isFolder) {
    return yield* new BootError({
      service: "AgentData",
      connector: "Local",
      path: `AgentData.Settings.${setting}`,
      problem: `"${folder}" is not a folder. Create it or name another one.`
    })
  }

  const read = Effect.fnUntraced(function*(source: string) {
    const location = path.join(folder, source)
    const info = yield* fs.stat(location)
    const stamp = `${Option.match(info.mtime, { onNone: () => 0, onSome: Number })} ${info.size}`
    const before = known.get(source)
    if (before?.stamp === stamp) return before.file
    const file = info.size > AgentFile.maxBytes
      ? AgentFile.broken(source, `larger than ${AgentFile.maxBytes} bytes`)
      : AgentFile.parse(source, yield* fs.readFileString(location))
    known.set(source, { stamp, file })
    return file
  })
  const readable = (source: string) =>
    read(source).pipe(
      Effect.map(Option.some),
      Effect.catchAll((error) =>
        Effect.succeed(
          error._tag === "SystemError" && error.reason === "NotFound"
            ? Option.none<AgentFile.AgentFile>()
            : Option.some(AgentFile.broken(source, error.message))
        )
      )
    )

  const files = fs.readDirectory(folder).pipe(
    Effect.map((names) => names.filter((name) => name.endsWith(".smyth")).sort()),
    Effect.tap((names) => forgetOthers(known, names)),
    Effect.flatMap(Effect.forEach(readable, { concurrency: 8 })),
    Effect.map((files) => withUniqueIds(files.flatMap(Option.toArray))),
    Effect.timeout("10 seconds"),
    Effect.mapError((error) =>
      new ConnectorError({
        connector: "Local",
        method: "readDirectory",
        reason: error._tag === "TimeoutException" ? "Timeout" : "Unavailable",
        detail: `the folder of ${setting} cannot be read`,
        cause: error
      })
    )
  )
  return { files }
})

const forgetOthers = (known: Map<string, unknown>, names: ReadonlyArray<string>) =>
  Effect.sync(() => {
    const present = new Set(names)
    for (const name of known.keys()) {
      if (!present.has(name)) known.delete(name)
    }
  })

/** Of readable files with one id the first by name answers; the others stay listed under their file names, with the reason. */
const withUniqueIds = (files: ReadonlyArray<AgentFile.AgentFile>): ReadonlyArray<AgentFile.AgentFile> => {
  const owner = new Map<string, string>()
  return files.map((file) => {
    if (file.problem !== undefined) return file
    const first = owner.get(file.id) ?? file.source
    owner.set(file.id, first)
    return first === file.source
      ? file
      : AgentFile.broken(file.source, `its id "${file.id}" is already used by ${first}`)
  })
}
