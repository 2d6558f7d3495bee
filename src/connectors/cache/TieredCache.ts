/**
 * Cache in tiers, the fastest first: memory before Redis, Redis before a bucket. The last tier decides: it has every entry,
 * and the version of an entry is its. What is found in a lower tier is put into those above it. Only one caller at a time
 * asks the lower tiers for a key, the others wait for what it finds.
 *
 * A write takes the entry out of the upper tiers first and puts the new one in last, so that this process never sees an old
 * one. Another process may, in tiers it has for itself, and for as long as these keep an entry: their `timeToLive`. That also
 * goes for the list of who may read it.
 */
import { Clock, Config, Context, Duration, Effect, Layer, Option, ParseResult, RcMap, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { type ConnectorError, isConflict } from "../../kernel/ConnectorError.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"
import { LocalStorageCache } from "./LocalStorageCache.ts"
import { RAMCache } from "./RAMCache.ts"
import { RedisCache } from "./RedisCache.ts"
import { S3Cache } from "./S3Cache.ts"

const connectors = { RAM: RAMCache, Redis: RedisCache, S3: S3Cache, LocalStorage: LocalStorageCache } as const

const Tier = Schema.Struct({
  Connector: Schema.Literal("RAM", "Redis", "S3", "LocalStorage"),
  Settings: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** In milliseconds. How long the tier keeps an entry that a lower one has, too; the last tier has none. Default: a minute. */
  timeToLive: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(1) })
})

const TieredCacheSettings = Schema.Struct({
  /** The fastest first; the last one has every entry. */
  tiers: Schema.NonEmptyArray(Tier),
  /** In milliseconds. How long the upper tiers remember that there is no entry. Default: not at all. */
  negativeTimeToLive: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.zero })
})

export const TieredCache = Connector.make({
  name: "Tiered",
  aliases: ["TieredCache"],
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: TieredCacheSettings,
  make: Effect.fnUntraced(function*({ negativeTimeToLive, tiers }) {
    const built = yield* Effect.forEach(
      tiers,
      ({ Connector, Settings, timeToLive }, n) =>
        Layer.build(connectors[Connector].fromUnknown(Settings, `Cache.Settings.tiers.${n}.Settings`)).pipe(
          Effect.map((context) => ({ cache: Context.get(context, Cache.CacheConnector), timeToLive }))
        )
    )
    const last = built[built.length - 1]!.cache
    const upper = built.slice(0, -1)
    const locks = yield* RcMap.make({ lookup: (_key: string) => Effect.makeSemaphore(1) })

    const exclusive = (key: string) => <A>(self: Effect.Effect<A, ConnectorError>) =>
      Effect.scoped(Effect.flatMap(RcMap.get(locks, key), (lock) => lock.withPermits(1)(self)))

    /** What the first of the upper tiers that knows of the key says. */
    const recall = Effect.fnUntraced(function*(key: string) {
      for (const [tier, { cache }] of upper.entries()) {
        const stored = yield* forgiving(cache.get(key))
        const now = yield* Clock.currentTimeMillis
        const known = Option.flatMap(stored, ({ value }) => unpack(value, now))
        if (Option.isSome(known)) return Option.some({ known: known.value, tier })
      }
      return Option.none()
    })

    /** Into the first `count` tiers. One that cannot take it now goes without. */
    const remember = Effect.fnUntraced(function*(key: string, count: number, known: Known) {
      const now = yield* Clock.currentTimeMillis
      for (const { cache, timeToLive } of upper.slice(0, count)) {
        const left = Option.match(known, {
          onNone: () => negativeTimeToLive,
          onSome: ({ expires }) => Duration.min(timeToLive, Duration.millis(Math.max(0, expires - now)))
        })
        if (Duration.toMillis(left) === 0) continue
        const replace = Effect.flatMap(
          cache.get(key),
          (stored) => cache.set(key, pack(known), left, Option.map(stored, ({ version }) => version))
        )
        yield* forgiving(Effect.asSome(replace))
      }
    })

    /** Out of all upper tiers. While one does not answer nothing is written: it might come back with the old entry. */
    const forget = (key: string) =>
      Effect.forEach(upper, ({ cache }) =>
        cache.get(key).pipe(
          Effect.flatMap(Option.match({
            onNone: () => Effect.void,
            onSome: ({ version }) => cache.remove(key, version)
          })),
          Effect.retry({ while: isConflict, times: 3 })
        ), { discard: true })

    const fetch = Effect.fnUntraced(function*(key: string) {
      const found = yield* last.get(key)
      const now = yield* Clock.currentTimeMillis
      const known = Option.map(found, ({ timeToLive, ...entry }) => ({
        ...entry,
        expires: now + Duration.toMillis(timeToLive)
      }))
      yield* remember(key, upper.length, known)
      return found
    })

    const answer = (known: Known) =>
      Effect.map(
        Clock.currentTimeMillis,
        (now) =>
          Option.map(known, ({ expires, ...entry }) => ({ ...entry, timeToLive: Duration.millis(expires - now) }))
      )

    /** A lost write, too, takes the entry out of the upper tiers: what they have is old. */
    const change = (
      key: string,
      write: Effect.Effect<void, ConnectorError>,
      after: Effect.Effect<unknown, ConnectorError>
    ) => exclusive(key)(Effect.asVoid(Effect.all([forget(key), write, Effect.ignore(after)])))

    return Cache.CacheConnector.of({
      get: Effect.fnUntraced(function*(key) {
        const recalled = yield* recall(key)
        if (Option.isSome(recalled) && recalled.value.tier === 0) return yield* answer(recalled.value.known)
        return yield* exclusive(key)(Effect.flatMap(recall(key), (again) =>
          // Who came first may have brought it up by now.
          Option.match(again, {
            onNone: () => fetch(key),
            onSome: ({ known, tier }) => Effect.zipRight(remember(key, tier, known), answer(known))
          })))
      }),
      set: (key, value, timeToLive, expected) => change(key, last.set(key, value, timeToLive, expected), fetch(key)),
      // The upper tiers must forget the entry first.
      overwrite: Cache.withoutOverwrite,
      touch: (key, timeToLive, expected) => change(key, last.touch(key, timeToLive, expected), fetch(key)),
      remove: (key, expected) => change(key, last.remove(key, expected), remember(key, upper.length, Option.none()))
    })
  })
})

/** Memory before the server of `REDIS_URL`, for `CACHE_TIER_TTL`, a minute by default. */
export const TieredCacheLive = TieredCache.layerConfig(
  Config.all({
    url: Config.nonEmptyString("REDIS_URL"),
    timeToLive: Config.withDefault(Config.duration("CACHE_TIER_TTL"), Duration.minutes(1))
  }).pipe(Config.map(({ timeToLive, url }) => ({
    tiers: [{ Connector: "RAM", timeToLive }, { Connector: "Redis", Settings: { url }, timeToLive }] as const,
    negativeTimeToLive: Duration.zero
  })))
)

/** An entry of the last tier, or that it has none. `expires`: milliseconds since 1970, or infinite. */
type Known = Option.Option<{ readonly value: string; readonly version: string; readonly expires: number }>

/** A line of JSON, then the value. */
const Line = Schema.parseJson(
  Schema.NullOr(Schema.Struct({ version: Schema.String, expires: Schema.NullOr(Schema.Number) }))
)
const decodeLine = ParseResult.decodeOption(Line)

const pack = Option.match({
  onNone: () => "null\n",
  onSome: ({ expires, value, version }: Option.Option.Value<Known>) =>
    `${JSON.stringify({ version, expires: Number.isFinite(expires) ? expires : null })}\n${value}`
})

/** Nothing for what has expired, or was not put there by {@link pack}. */
const unpack = (text: string, now: number): Option.Option<Known> => {
  const end = text.indexOf("\n")
  return Option.flatMap(decodeLine(text.slice(0, end)), (line): Option.Option<Known> => {
    if (line === null) return Option.some(Option.none())
    const expires = line.expires ?? Infinity
    return expires > now
      ? Option.some(Option.some({ value: text.slice(end + 1), version: line.version, expires }))
      : Option.none()
  })
}

/** An upper tier that fails is passed over: the last one has all there is. */
const forgiving = <A>(self: Effect.Effect<Option.Option<A>, ConnectorError>): Effect.Effect<Option.Option<A>> =>
  Effect.catchAll(self, (error) => Effect.as(Effect.logDebug(`Tiered: ${error.message}`), Option.none()))
