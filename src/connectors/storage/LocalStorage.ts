/** Storage in a folder: a folder for every home, and in it a file for every object, which holds all there is to it. */
import { Effect, Option, Schema } from "effect"
import { join } from "node:path"
import * as Connector from "../../kernel/Connector.ts"
import { conflict } from "../../kernel/ConnectorError.ts"
import * as Acl from "../../security/Acl.ts"
import { Metadata } from "../../subsystems/Guarded.ts"
import * as Storage from "../../subsystems/io/Storage.ts"
import * as DataFolder from "../DataFolder.ts"
import * as RecordFiles from "../RecordFiles.ts"
import * as SafeName from "../SafeName.ts"

const LocalStorageSettings = Schema.Struct({
  /** Created where it is missing. Default: `storage` in the folder `SRE_DATA`, which is `.sre` by default. */
  folder: Schema.optional(Schema.NonEmptyString)
})

export const LocalStorage = Connector.make({
  name: "Local",
  aliases: ["LocalStorage"],
  contract: Storage.StorageConnector,
  service: Storage.layer,
  settings: LocalStorageSettings,
  make: Effect.fnUntraced(function*({ folder }) {
    const files = yield* RecordFiles.make("Local", folder ?? (yield* DataFolder.config("storage")), Header)
    const pathOf = (key: string) => join(files.folder, ...split(key).map(SafeName.encode))
    const head = (key: string) => Effect.map(files.head(pathOf(key)), Option.map(describe))
    yield* RecordFiles.removeExpired(files, ({ expires }) => Option.getOrElse(expires, () => Infinity))

    return Storage.StorageConnector.of({
      head,
      open: (key, range) =>
        Effect.map(
          files.open(pathOf(key), range),
          Option.map((opened) => ({ ...describe(opened), body: opened.body }))
        ),
      put: (key, { acl, body, contentType, expires, metadata }, expected) =>
        files.put(pathOf(key), { key, acl, contentType, expires, metadata }, body, expected),
      update: Effect.fnUntraced(function*(key, change, expected) {
        const opened = yield* Effect.flatMap(
          files.open(pathOf(key)),
          Option.match({
            onNone: () => Effect.fail(conflict("Local", "update")),
            onSome: Effect.succeed
          })
        )
        yield* files.put(pathOf(key), { ...opened.header, ...change }, opened.body, Option.some(expected))
      }, Effect.scoped),
      remove: (key, expected) => files.remove(pathOf(key), expected),
      publicUrl: Storage.withoutPublicUrls,
      list: (prefix, { after, limit }) => {
        const home = split(prefix)[0]
        return RecordFiles.list(files, {
          folder: join(files.folder, SafeName.encode(home)),
          prefix: prefix.slice(home.length + 1),
          keyOf: ({ key }) => split(key)[1],
          read: files.head,
          after,
          limit
        }).pipe(Effect.map(({ items, next }) => ({ items: items.map(describe), next })))
      }
    })
  })
})

/** `Storage` in the folder `storage` of `SRE_DATA`. */
export const LocalStorageLive = LocalStorage.layer({})

const Header = Schema.Struct({
  key: Schema.String,
  acl: Acl.Acl,
  contentType: Schema.String,
  metadata: Metadata,
  expires: Schema.OptionFromNullOr(Schema.Number)
})
type Header = typeof Header.Type

const describe = ({ header, ...stored }: RecordFiles.Stored<Header>): Storage.StoredObject => ({
  ...header,
  version: stored.version,
  sizeBytes: stored.sizeBytes,
  modified: stored.modified
})

/** `agent:a1/reports/today.json` is `agent:a1` and `reports/today.json`. */
const split = (key: string): readonly [home: string, path: string] => {
  const slash = key.indexOf("/")
  return [key.slice(0, slash), key.slice(slash + 1)]
}
