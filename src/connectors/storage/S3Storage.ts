/**
 * Storage in a bucket of Amazon S3, or of what speaks like it. The object's own metadata holds the list and all else, in the
 * same write. Behind the bytes stand 16 random ones: so the ETag, which is all a conditional write compares, is new with every
 * write, also when only the list changed. An expired object keeps its space until it is replaced or removed.
 */
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3"
import { Config, Duration, Effect, Option, Schema, Stream } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, type ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as Guarded from "../../subsystems/Guarded.ts"
import * as Storage from "../../subsystems/io/Storage.ts"
import * as S3Bucket from "../S3Bucket.ts"
import * as S3Body from "./S3Body.ts"
import * as S3Head from "./S3Head.ts"
import * as S3PublicUrls from "./S3PublicUrls.ts"

const S3StorageSettings = Schema.Struct({
  ...S3Bucket.settings,
  /** What keys begin with in the bucket: `agents/`. */
  prefix: Schema.optionalWith(Schema.String, { default: () => "" }),
  /** What is larger is uploaded in parts of this size, four at a time; S3 demands 5 MiB or more. */
  partSize: Schema.optionalWith(
    Schema.compose(ByteSize, Schema.Number.pipe(Schema.greaterThanOrEqualTo(S3Body.minPartBytes))),
    { default: () => 8 * 2 ** 20 }
  ),
  /**
   * In milliseconds, up to 7 days. The longest that an address of the bucket's own may work which is given to others; 0: none
   * are given. Default: 7 days on Amazon's own, none where there is an `endpoint`, which others may not reach.
   */
  publicUrlTime: Schema.optional(Schema.DurationFromMillis.pipe(Schema.lessThanOrEqualToDuration(S3PublicUrls.maxTime)))
})

export const S3Storage = Connector.make({
  name: "S3",
  aliases: ["S3Storage"],
  contract: Storage.StorageConnector,
  service: Storage.layer,
  settings: S3StorageSettings,
  make: Effect.fnUntraced(function*(settings) {
    const s3 = yield* S3Bucket.make(settings)

    const scope = yield* Effect.scope
    const uploads = S3Body.uploads(s3, settings.partSize, scope)
    const urls = S3PublicUrls.make(s3, { Bucket: settings.bucket, Key: settings.prefix }, uploads, scope)
    const urlTime = settings.publicUrlTime ?? (settings.endpoint === undefined ? S3PublicUrls.maxTime : Duration.zero)

    const headAt = (method: string, key: string, place: S3Bucket.Place) =>
      Effect.flatMap(
        s3.find(method, (client, options) => client.headObject(place, options)),
        Effect.transposeMapOption((answer) => S3Head.fromAnswer(method, key, answer, answer.ContentLength))
      )

    const head = (key: string) => Effect.flatMap(s3.place("head", key), (place) => headAt("head", key, place))

    const open = Effect.fnUntraced(function*(key: string, { length, offset }: Storage.Range = { offset: 0 }) {
      const place = yield* s3.place("open", key)
      const isWhole = offset === 0 && length === undefined
      const Range = isWhole ? undefined : `bytes=${offset}-${length === undefined ? "" : offset + length - 1}`
      const answered = length === 0 ? Option.none() : yield* S3Body.open(s3, { ...place, Range })
      if (Option.isNone(answered)) {
        // Not there, or no byte of it is.
        const stored = isWhole ? Option.none() : yield* headAt("open", key, place)
        return Option.map(stored, (stored) => ({ ...stored, body: Pull.fromIterable([]) }))
      }
      const { answer } = answered.value
      const stored = yield* S3Head.fromAnswer("open", key, answer, totalBytes(answer))
      const wanted = Math.max(0, Math.min(length ?? Infinity, stored.sizeBytes - offset))
      return Option.some({ ...stored, body: S3Body.read(answered.value, wanted, s3.timeout) })
    })

    return Storage.StorageConnector.of({
      head,
      open,
      put: Effect.fnUntraced(function*(key, { body, ...object }, expected) {
        const place = yield* s3.place("put", key)
        const request = yield* S3Head.toRequest("put", object)
        yield* uploads.put(place, request, body instanceof Uint8Array ? Stream.succeed(body) : body, expected)
      }),
      update: Effect.fnUntraced(function*(key, change, expected) {
        const place = yield* s3.place("update", key)
        /** Sends the bytes again; those of a large object only where there is no other way. */
        const rewrite = (maxBytes: number) =>
          Effect.scoped(Effect.gen(function*() {
            const opened = yield* open(key)
            if (Option.isNone(opened) || opened.value.version !== expected) return yield* conflict("S3", "update")
            const { body, sizeBytes, ...stored } = opened.value
            const request = yield* S3Head.toRequest("update", { ...stored, ...change })
            if (sizeBytes > maxBytes) return Option.some({ request, sizeBytes })
            yield* uploads.put(place, request, body, Option.some(expected))
            return Option.none()
          }))
        const large = yield* rewrite(S3Body.minPartBytes)
        if (Option.isNone(large)) return
        yield* Effect.catchIf(
          uploads.copy("update", {
            from: place,
            sizeBytes: large.value.sizeBytes,
            to: place,
            head: large.value.request,
            expected: Option.some(expected)
          }),
          ({ reason }) => reason === "Unsupported",
          () => rewrite(Infinity)
        )
      }),
      remove: (key, expected) =>
        Effect.flatMap(s3.place("remove", key), (place) => s3.remove("remove", place, expected)),
      publicUrl: Effect.fnUntraced(function*(key, expected, timeToLive) {
        if (Duration.greaterThan(timeToLive, urlTime)) return Option.none()
        const isCurrent = (found: Option.Option<Storage.StoredObject>) =>
          Option.getOrUndefined(Guarded.versionOf(found)) === expected
        const opened = yield* open(key)
        if (!isCurrent(opened)) return yield* conflict("S3", "publicUrl")
        const { body, ...stored } = Option.getOrThrow(opened)
        const bytes = Guarded.collect(body)
        const url = yield* urls.make(stored, yield* s3.place("publicUrl", key), bytes, timeToLive)
        // Not every server compares versions when it copies.
        const isOther = stored.sizeBytes >= S3Body.minPartBytes && !isCurrent(yield* head(key))
        return isOther ? yield* conflict("S3", "publicUrl") : url
      }, Effect.scoped),
      list: Effect.fnUntraced(function*(prefix, { after, limit }) {
        const { Bucket, Key: Prefix } = yield* s3.place("list", prefix)
        const start = Option.getOrUndefined(yield* Effect.transposeMapOption(after, (key) => s3.place("list", key)))
        const request = {
          Bucket,
          Prefix,
          MaxKeys: Math.min(limit, 1000),
          // XML cannot hold every character of a key.
          EncodingType: "url" as const,
          ...(start === undefined ? {} : { StartAfter: start.Key })
        }
        const { isTruncated, keys } = yield* s3.call("list", async (client, options) => {
          const { Contents = [], EncodingType, IsTruncated } = await client.listObjectsV2(request, options)
          const keyOf = (Key: string) =>
            s3.keyOf(EncodingType === "url" ? decodeURIComponent(Key.replaceAll("+", " ")) : Key)
          return { isTruncated: IsTruncated === true, keys: Contents.map(({ Key = "" }) => keyOf(Key)) }
        })
        const found = yield* Effect.forEach(keys, (key) => readable(head(key)), { concurrency: 16 })
        return {
          items: found.flatMap(Option.toArray),
          next: isTruncated ? Option.fromNullable(keys.at(-1)) : Option.none()
        }
      })
    })
  })
})

/** `Storage` in `S3_BUCKET`, with what the AWS tools find: `AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on; keys get `S3_PREFIX`. */
export const S3StorageLive = S3Storage.layerConfig({
  ...S3Bucket.config,
  prefix: Config.withDefault(Config.string("S3_PREFIX"), ""),
  partSize: Config.withDefault(Config.integer("S3_PART_SIZE"), 8 * 2 ** 20),
  publicUrlTime: Config.withDefault(
    Config.duration("S3_PUBLIC_URL_TIME").pipe(
      Config.validate({
        message: "expected at most 7 days",
        validation: (time: Duration.Duration) => Duration.lessThanOrEqualTo(time, S3PublicUrls.maxTime)
      })
    ),
    undefined
  )
})

/** `bytes 0-9/100` are parts of 100; without it the answer holds all. */
const totalBytes = ({ ContentLength, ContentRange }: GetObjectCommandOutput): number | undefined =>
  ContentRange === undefined ? ContentLength : Number(ContentRange.slice(ContentRange.indexOf("/") + 1))

/** An object of a list that something else put into the bucket hides no other. */
const readable = <A>(self: Effect.Effect<Option.Option<A>, ConnectorError>) =>
  Effect.catchIf(
    self,
    ({ reason }) => reason === "Corrupted",
    (error) => Effect.as(Effect.logWarning(error.message), Option.none<A>())
  )
