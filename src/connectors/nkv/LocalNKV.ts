/** NKV in a folder: a folder for every namespace, and in it a file for every entry. */
import { Effect, Schema } from "effect"
import { join } from "node:path"
import * as Connector from "../../kernel/Connector.ts"
import { collect } from "../../subsystems/Guarded.ts"
import * as NKV from "../../subsystems/io/NKV.ts"
import * as DataFolder from "../DataFolder.ts"
import * as RecordFiles from "../RecordFiles.ts"
import * as SafeName from "../SafeName.ts"

const LocalNKVSettings = Schema.Struct({
  /** Created where it is missing. Default: `nkv` in the folder `SRE_DATA`, which is `.sre` by default. */
  folder: Schema.optional(Schema.NonEmptyString)
})

export const LocalNKV = Connector.make({
  name: "LocalStorage",
  aliases: ["Local", "LocalNKV"],
  contract: NKV.NKVConnector,
  service: NKV.layer,
  settings: LocalNKVSettings,
  make: Effect.fnUntraced(function*({ folder }) {
    const files = yield* RecordFiles.make("LocalStorage", folder ?? (yield* DataFolder.config("nkv")), Header)
    const folderOf = (namespace: string) => join(files.folder, SafeName.encode(namespace))
    const pathOf = (namespace: string, key: string) => join(folderOf(namespace), SafeName.encode(key))
    const read = (path: string) =>
      Effect.scoped(Effect.flatMap(
        files.open(path),
        Effect.transposeMapOption(({ body, header, version }) =>
          Effect.map(collect(body), (bytes) => ({
            key: header.key,
            value: Buffer.from(bytes).toString("utf8"),
            version
          }))
        )
      ))

    return NKV.NKVConnector.of({
      get: (namespace, key) => read(pathOf(namespace, key)),
      set: (namespace, key, value, expected) =>
        files.put(pathOf(namespace, key), { namespace, key }, Buffer.from(value), expected),
      remove: (namespace, key, expected) => files.remove(pathOf(namespace, key), expected),
      list: (namespace, { after, limit }) =>
        RecordFiles.list(files, {
          folder: folderOf(namespace),
          keyOf: ({ key }) => key,
          read,
          prefix: "",
          after,
          limit
        }),
      clear: (namespace) => files.clear(folderOf(namespace))
    })
  })
})

/** `NKV` in the folder `nkv` of `SRE_DATA`. */
export const LocalNKVLive = LocalNKV.layer({})

/** `namespace` is for people who look into the files. */
const Header = Schema.Struct({ namespace: Schema.String, key: Schema.String })
