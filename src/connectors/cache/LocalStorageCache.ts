/** Cache in a folder: a folder for every home, and in it a file for every entry. Lasts over a restart. */
import { Clock, Duration, Effect, Option, Schema } from "effect"
import { join } from "node:path"
import * as Connector from "../../kernel/Connector.ts"
import { conflict } from "../../kernel/ConnectorError.ts"
import { collect } from "../../subsystems/Guarded.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"
import * as DataFolder from "../DataFolder.ts"
import * as RecordFiles from "../RecordFiles.ts"
import * as SafeName from "../SafeName.ts"

const LocalStorageCacheSettings = Schema.Struct({
  /** Created where it is missing. Default: `cache` in the folder `SRE_DATA`, which is `.sre` by default. */
  folder: Schema.optional(Schema.NonEmptyString)
})

export const LocalStorageCache = Connector.make({
  name: "LocalStorage",
  aliases: ["Local", "LocalStorageCache"],
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: LocalStorageCacheSettings,
  make: Effect.fnUntraced(function*({ folder }) {
    const files = yield* RecordFiles.make("LocalStorage", folder ?? (yield* DataFolder.config("cache")), Header)
    const pathOf = (key: string) => {
      const slash = key.indexOf("/")
      return join(files.folder, SafeName.encode(key.slice(0, slash)), SafeName.encode(key.slice(slash + 1)))
    }
    const read = (path: string) =>
      Effect.scoped(Effect.flatMap(
        files.open(path),
        Effect.transposeMapOption(({ body, header, version }) =>
          Effect.map(collect(body), (bytes) => ({ bytes, expires: expiryOf(header), version }))
        )
      ))
    /** What is there, as the expected one or, when that is none, one that has expired: that stands there as if it did not. */
    const replaceable = Effect.fnUntraced(function*(method: string, path: string, expected: Option.Option<string>) {
      const found = yield* files.head(path)
      const now = yield* Clock.currentTimeMillis
      const alive = Option.filter(found, ({ header }) => expiryOf(header) > now)
      const isExpected = Option.getOrUndefined(expected) === Option.getOrUndefined(Option.map(alive, ({ version }) =>
        version))
      if (!isExpected) return yield* conflict("LocalStorage", method)
      return { found, now }
    })
    yield* RecordFiles.removeExpired(files, expiryOf)

    return Cache.CacheConnector.of({
      get: Effect.fnUntraced(function*(key) {
        const found = yield* read(pathOf(key))
        const now = yield* Clock.currentTimeMillis
        return Option.map(Option.filter(found, ({ expires }) => expires > now), ({ bytes, expires, version }) => ({
          value: Buffer.from(bytes).toString("utf8"),
          version,
          timeToLive: Duration.millis(expires - now)
        }))
      }),
      set: Effect.fnUntraced(function*(key, value, timeToLive, expected) {
        const path = pathOf(key)
        const { found, now } = yield* replaceable("set", path, expected)
        const expires = timeToLive === "keep"
          ? Option.match(found, { onNone: () => Infinity, onSome: ({ header }) => expiryOf(header) })
          : now + Duration.toMillis(timeToLive)
        const version = Option.map(found, ({ version }) => version)
        yield* files.put<never, never>(path, headerOf(key, expires), Buffer.from(value), version)
      }),
      overwrite: Cache.withoutOverwrite,
      touch: Effect.fnUntraced(function*(key, timeToLive, expected) {
        const path = pathOf(key)
        const { now } = yield* replaceable("touch", path, Option.some(expected))
        const { bytes } = yield* Effect.mapError(
          Effect.flatten(read(path)),
          (error) => error._tag === "ConnectorError" ? error : conflict("LocalStorage", "touch")
        )
        const expires = now + Duration.toMillis(timeToLive)
        yield* files.put<never, never>(path, headerOf(key, expires), bytes, Option.some(expected))
      }),
      remove: Effect.fnUntraced(function*(key, expected) {
        yield* replaceable("remove", pathOf(key), Option.some(expected))
        yield* files.remove(pathOf(key), expected)
      })
    })
  })
})

/** `Cache` in the folder `cache` of `SRE_DATA`. */
export const LocalStorageCacheLive = LocalStorageCache.layer({})

/** `expires`: milliseconds since 1970. */
const Header = Schema.Struct({ key: Schema.String, expires: Schema.OptionFromNullOr(Schema.Number) })
type Header = typeof Header.Type

const expiryOf = ({ expires }: Header): number => Option.getOrElse(expires, () => Infinity)

const headerOf = (key: string, expires: number): Header => ({
  key,
  expires: Number.isFinite(expires) ? Option.some(expires) : Option.none()
})
