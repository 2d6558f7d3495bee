/**
 * Cache in a bucket of Amazon S3, or of what speaks like it: an object for every entry. Its first line is what no other write
 * has, so that the ETag is new with every one; version and time to live are in the version callers see. An expired entry is
 * absent, and keeps its space until it is set again or a lifecycle rule of the bucket removes it.
 */
import { Clock, Config, Duration, Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError, isConflict } from "../../kernel/ConnectorError.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"
import * as S3Bucket from "../S3Bucket.ts"

const S3CacheSettings = Schema.Struct({
  ...S3Bucket.settings,
  /** What keys begin with in the bucket. */
  prefix: Schema.optionalWith(Schema.String, { default: () => "cache/" })
})

export const S3Cache = Connector.make({
  name: "S3",
  aliases: ["S3Cache"],
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: S3CacheSettings,
  make: Effect.fnUntraced(function*(settings) {
    const s3 = yield* S3Bucket.make(settings)

    const read = Effect.fnUntraced(function*(method: string, key: string) {
      const place = yield* s3.place(method, key)
      const found = yield* s3.find(method, async (client, options) => {
        const { Body, ETag = "" } = await client.getObject(place, options)
        return { etag: ETag, text: await Body?.transformToString("utf8") ?? "" }
      })
      return yield* Effect.transposeMapOption(found, ({ etag, text }) => unpack(method, key, etag, text))
    })

    const put = (method: string, key: string, value: string, expires: number, expected: Option.Option<string>) =>
      Effect.flatMap(
        s3.place(method, key),
        (place) =>
          s3.replace(
            method,
            place,
            expected,
            (conditions) =>
              s3.call(
                method,
                (client, options) => client.putObject({ ...place, ...conditions, Body: pack(value, expires) }, options)
              )
          )
      )

    /** The ETag of the entry to change, which must not have expired meanwhile. */
    const alive = (method: string, version: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const { etag, expires } = readVersion(version)
        return expires > now ? Effect.succeed({ etag, expires }) : Effect.fail(conflict("S3", method))
      })

    return Cache.CacheConnector.of({
      get: Effect.fnUntraced(function*(key) {
        const found = yield* read("get", key)
        const now = yield* Clock.currentTimeMillis
        return Option.map(Option.filter(found, ({ expires }) => expires > now), ({ etag, expires, value }) => ({
          value,
          version: `${etag}@${expires}`,
          timeToLive: Duration.millis(expires - now)
        }))
      }),
      set: Effect.fnUntraced(function*(key, value, timeToLive, expected) {
        const now = yield* Clock.currentTimeMillis
        const until = timeToLive === "keep" ? Infinity : now + Duration.toMillis(timeToLive)
        if (Option.isSome(expected)) {
          const { etag, expires } = yield* alive("set", expected.value)
          return yield* put("set", key, value, timeToLive === "keep" ? expires : until, Option.some(etag))
        }
        yield* put("set", key, value, until, Option.none()).pipe(
          // One that has expired stands there as if it did not.
          Effect.catchIf(
            isConflict,
            (error) =>
              Effect.flatMap(read("set", key), (found) =>
                Option.isSome(found) && found.value.expires <= now
                  ? put("set", key, value, until, Option.some(found.value.etag))
                  : Effect.fail(error))
          )
        )
      }),
      overwrite: Cache.withoutOverwrite,
      touch: Effect.fnUntraced(function*(key, timeToLive, expected) {
        const { etag } = yield* alive("touch", expected)
        const found = yield* read("touch", key)
        if (Option.isNone(found) || found.value.etag !== etag) return yield* conflict("S3", "touch")
        const expires = (yield* Clock.currentTimeMillis) + Duration.toMillis(timeToLive)
        yield* put("touch", key, found.value.value, expires, Option.some(etag))
      }),
      remove: Effect.fnUntraced(function*(key, expected) {
        const { etag } = yield* alive("remove", expected)
        yield* s3.remove("remove", yield* s3.place("remove", key), etag)
      })
    })
  })
})

/** `Cache` in `S3_BUCKET`, with what the AWS tools find: `AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on; keys get `S3_CACHE_PREFIX`. */
export const S3CacheLive = S3Cache.layerConfig({
  ...S3Bucket.config,
  prefix: Config.withDefault(Config.string("S3_CACHE_PREFIX"), "cache/")
})

const readVersion = (version: string) => {
  const end = version.lastIndexOf("@")
  return { etag: version.slice(0, end), expires: Number(version.slice(end + 1)) }
}

/** `<unique> <milliseconds since 1970, or Infinity>`, a line break, the value. */
const pack = (value: string, expires: number) => `${randomUUID()} ${expires}\n${value}`

const unpack = (method: string, key: string, etag: string, text: string) => {
  const end = text.indexOf("\n")
  const expires = Number(/^[0-9a-f-]{36} (\d+(?:\.\d+)?|Infinity)$/.exec(text.slice(0, end))?.[1])
  return Number.isNaN(expires)
    ? Effect.fail(
      new ConnectorError({
        connector: "S3",
        method,
        reason: "Corrupted",
        detail: `the object for "${key}" was not written by this connector; remove it from the bucket`
      })
    )
    : Effect.succeed({ etag, expires, value: text.slice(end + 1) })
}
