/**
 * AgentData in the Storage of the system, in somebody's home: `development/<id>.smyth` and `production/<id>.smyth` below a
 * folder, and `versions/<version>/<id>.smyth`. Ids and versions are percent-encoded. A broken document hides no other.
 */
import { Config, Effect, Option, Schema, Stream } from "effect"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as AgentData from "../../subsystems/io/AgentData.ts"
import { type ObjectInfo, Storage } from "../../subsystems/io/Storage.ts"
import * as AgentFile from "./AgentFile.ts"

export const StorageAgentData = Connector.make({
  name: "Storage",
  aliases: ["StorageAgentData"],
  contract: AgentData.AgentDataConnector,
  service: AgentData.layer,
  settings: Schema.Struct({
    /** In whose home they are, as `team:t1`; and whose they are. */
    owner: Schema.optionalWith(Candidate.FromString, { default: () => Candidate.team("default") }),
    /** In that home. */
    folder: Schema.optionalWith(Schema.NonEmptyString, { default: () => "agents" })
  }),
  make: Effect.fnUntraced(function*({ folder, owner }) {
    const storage = yield* Effect.flatMap(
      Effect.serviceOption(Storage),
      Effect.mapError(() =>
        new BootError({
          service: "AgentData",
          connector: name,
          problem: "there is no Storage below it. Provide the layer with one: Layer.provide(agentData, storage)"
        })
      )
    )
    const owned = AgentFile.ownedBy(owner)
    const known = new Map<string, { readonly stamp: string; readonly file: AgentFile.AgentFile }>()

    const read = (key: string) =>
      storage.read(key).pipe(
        Candidate.as(owner),
        Effect.map((bytes) => Option.some(parse(key, bytes))),
        Effect.catchTag("ObjectNotFound", "InvalidKey", () => Effect.succeedNone),
        Effect.mapError(refused("get"))
      )

    /** One that did not change since is not read again. */
    const readAgain = Effect.fnUntraced(function*({ key, modified, sizeBytes }: ObjectInfo) {
      const stamp = `${modified} ${sizeBytes}`
      const before = known.get(key)
      if (before?.stamp === stamp) return Option.some(before.file)
      const file = sizeBytes > AgentFile.maxBytes
        ? Option.some(AgentFile.broken(key, `larger than ${AgentFile.maxBytes} bytes`))
        : yield* read(key)
      if (Option.isSome(file)) known.set(key, { stamp, file: file.value })
      return file
    })

    const filesIn = (part: string) =>
      Effect.gen(function*() {
        const prefix = `${folder}/${part}/`
        const listed = yield* Stream.unwrap(storage.list(prefix)).pipe(
          Stream.filter(({ key }) => key.endsWith(AgentFile.extension) && !key.slice(prefix.length).includes("/")),
          Stream.runCollect,
          Candidate.as(owner),
          Effect.mapError(refused("list"))
        )
        const present = new Set(Array.from(listed, ({ key }) => key))
        for (const key of known.keys()) if (key.startsWith(prefix) && !present.has(key)) known.delete(key)
        const files = yield* Effect.forEach(listed, readAgain, { concurrency: 8 })
        return files.flatMap(Option.toArray)
      })

    return AgentData.AgentDataConnector.of({
      get: Effect.fnUntraced(function*(id, version) {
        const found = yield* Effect.transposeMapOption(keyOf(folder, id, version), read)
        const file = Option.getOrUndefined(Option.flatten(found))
        if (file === undefined) return Option.none()
        if (file.problem !== undefined) {
          return yield* failure("get", "Corrupted", `${file.source}: ${file.problem}`)
        }
        return Option.some({ id, document: file.document, source: file.source, ...owned(id) })
      }),
      ...AgentFile.overBoth(filesIn("production"), filesIn("development"), owned)
    })
  })
})

/** In the home of `AGENTS_OWNER` (`team:default`), below the folder `AGENTS_FOLDER` (`agents`). */
export const StorageAgentDataLive = StorageAgentData.layerConfig(
  Config.all({
    owner: Config.withDefault(Schema.Config("AGENTS_OWNER", Candidate.FromString), Candidate.team("default")),
    folder: Config.withDefault(Config.nonEmptyString("AGENTS_FOLDER"), "agents")
  })
)

const name = "Storage"

/** None where no key could be: such an agent is not here. */
const keyOf = (folder: string, id: string, version: Option.Option<string>): Option.Option<string> => {
  const named = Option.getOrElse(version, () => "")
  if (id === "" || !id.isWellFormed() || !named.isWellFormed()) return Option.none()
  const part = Option.match(version, {
    onNone: () => "development",
    onSome: (version) => version === "latest" ? "production" : `versions/${encodeURIComponent(version)}`
  })
  return Option.some(`${folder}/${part}/${encodeURIComponent(id)}${AgentFile.extension}`)
}

/** Found by the name of its object alone, so an id of its own must be the same. */
const parse = (key: string, bytes: Uint8Array): AgentFile.AgentFile => {
  const file = AgentFile.parse(key, new TextDecoder().decode(bytes))
  const encoded = AgentFile.idOf(key)
  const id = Option.getOrElse(Option.liftThrowable(decodeURIComponent)(encoded), () => encoded)
  return file.id === id || file.id === encoded
    ? { ...file, id }
    : { ...AgentFile.broken(key, `its id is "${file.id}", not the one it is named after`), id }
}

/** Storage has its say about the owner's own home, too. */
const refused = (method: string) => (error: { readonly _tag: string; readonly message: string }): ConnectorError =>
  error instanceof ConnectorError ? error : failure(method, "Unauthorized", error.message)

const failure = (method: string, reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: name, method, reason, detail })
