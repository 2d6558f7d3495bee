import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer, Option } from "effect"
import { RedisCache } from "../../../src/connectors/cache/RedisCache.ts"
import { TieredCache, TieredCacheLive } from "../../../src/connectors/cache/TieredCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Cache, CacheConnector } from "../../../src/subsystems/memory/Cache.ts"
import { suite } from "../../../src/testing/conformance/cache.ts"
import { suite as faults } from "../../conformance/faults.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import { hasRedis, redisServer } from "../../fixtures/RedisServer.ts"
import { conditionalS3Server } from "../../fixtures/S3Server.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const build = <E>(contract: Layer.Layer<CacheConnector, E>) =>
  Effect.map(Layer.build(contract), Context.get(CacheConnector))
const none = Option.none<string>()
const forever = Duration.infinity
const key = "user:ann/x"
const valueOf = (cache: CacheConnector["Type"]) => Effect.map(cache.get(key), Option.map(({ value }) => value))
const versionOf = (cache: CacheConnector["Type"]) => Effect.map(cache.get(key), Option.map(({ version }) => version))

if (hasRedis()) {
  describe("TieredCache", () => {
    /** Memory before a Redis behind a proxy, and the same Redis as another process sees it. */
    const tiers = (more: Partial<Parameters<typeof TieredCache.contract>[0]> & { readonly timeToLive?: number } = {}) =>
      Effect.gen(function*() {
        const { port, url } = yield* redisServer()
        const proxy = yield* FaultProxy.make(port)
        const { timeToLive, ...settings } = more
        const ram = { Connector: "RAM", ...(timeToLive === undefined ? {} : { timeToLive }) } as const
        const redis = {
          Connector: "Redis",
          Settings: { url: `redis://127.0.0.1:${proxy.port}`, timeout: 1000 }
        } as const
        const cache = yield* build(TieredCache.contract({ tiers: [ram, redis], ...settings }))
        return { cache, proxy, below: yield* build(RedisCache.contract({ url })) }
      })

    it.scopedLive("what was found once is answered from above, and what was written is in all tiers", () =>
      Effect.gen(function*() {
        const { below, cache, proxy } = yield* tiers()
        yield* below.set(key, "from below", forever, none)
        assert.deepStrictEqual(yield* valueOf(cache), Option.some("from below"))
        yield* proxy.set("refuse")
        assert.deepStrictEqual(yield* valueOf(cache), Option.some("from below"))
        yield* proxy.set("pass")
        const version = yield* versionOf(cache)
        yield* Effect.retry(cache.set(key, "written", Duration.hours(1), version), { times: 20 })
        assert.deepStrictEqual(yield* valueOf(below), Option.some("written"))
        yield* proxy.set("refuse")
        const { timeToLive, value } = Option.getOrThrow(yield* cache.get(key))
        assert.strictEqual(value, "written")
        assert.isAbove(Duration.toMillis(timeToLive), 3_500_000)
      }))

    it.scopedLive("of many that ask for the same key one asks below", () =>
      Effect.gen(function*() {
        const { below, cache, proxy } = yield* tiers({ negativeTimeToLive: 60_000 })
        yield* below.set("user:ann/there", "x", forever, none)
        // A server that does not know a script yet is told it with a second request.
        yield* below.get("user:ann/there")
        yield* proxy.set("pass")
        for (const name of ["there", "not there"]) {
          yield* Effect.all(Array.from({ length: 50 }, () => cache.get(`user:ann/${name}`)), {
            concurrency: "unbounded"
          })
          assert.strictEqual(proxy.sent().split(`user:ann/${name}\r\n`).length - 1, 1, name)
        }
      }))

    it.scopedLive("another's write is seen once the time of the upper tier is over, and at once by who would write", () =>
      Effect.gen(function*() {
        const { below, cache } = yield* tiers({ timeToLive: 1500, negativeTimeToLive: 1500 })
        assert.deepStrictEqual(yield* valueOf(cache), Option.none())
        yield* below.set(key, "other's", forever, none)
        assert.deepStrictEqual(yield* valueOf(cache), Option.none())
        assert.strictEqual((yield* Effect.flip(cache.set(key, "mine", forever, none))).reason, "Conflict")
        assert.deepStrictEqual(yield* valueOf(cache), Option.some("other's"))
        yield* below.set(key, "newer", forever, yield* versionOf(below))
        assert.deepStrictEqual(yield* valueOf(cache), Option.some("other's"))
        yield* Effect.sleep("1600 millis")
        assert.deepStrictEqual(yield* valueOf(cache), Option.some("newer"))
        yield* cache.remove(key, Option.getOrThrow(yield* versionOf(cache)))
        assert.deepStrictEqual(yield* valueOf(below), Option.none())
      }))

    it.scopedLive("without its last tier nothing is written, and nothing old is left above", () =>
      Effect.gen(function*() {
        const { cache, proxy } = yield* tiers()
        yield* cache.set(key, "1", forever, none)
        const version = yield* versionOf(cache)
        yield* proxy.set("refuse")
        assert.include(["Unavailable", "Timeout"], (yield* Effect.flip(cache.set(key, "2", forever, version))).reason)
        yield* proxy.set("pass")
        assert.deepStrictEqual(yield* Effect.retry(valueOf(cache), { times: 20 }), Option.some("1"))
      }))

    it.scopedLive("without an upper tier it reads from below", () =>
      Effect.gen(function*() {
        const { port } = yield* redisServer()
        const proxy = yield* FaultProxy.make(port)
        const folder = yield* tempFolder
        const cache = yield* build(TieredCache.contract({
          tiers: [
            { Connector: "Redis", Settings: { url: `redis://127.0.0.1:${proxy.port}`, timeout: 1000 } },
            { Connector: "LocalStorage", Settings: { folder } }
          ]
        }))
        yield* cache.set(key, "1", forever, none)
        yield* proxy.set("refuse")
        assert.deepStrictEqual(yield* valueOf(cache), Option.some("1"))
        assert.strictEqual(
          (yield* Effect.flip(cache.set(key, "2", forever, yield* versionOf(cache)))).reason,
          "Unavailable"
        )
      }))

    it.scopedLive("takes the server and the time of the memory before it from the environment", () =>
      Effect.gen(function*() {
        const { port, url } = yield* redisServer()
        const proxy = yield* FaultProxy.make(port)
        const environment = ConfigProvider.fromMap(
          new Map([["REDIS_URL", `redis://127.0.0.1:${proxy.port}`], ["CACHE_TIER_TTL", "1 second"]])
        )
        const cache = yield* Layer.build(TieredCacheLive).pipe(
          Effect.map(Context.get(Cache)),
          Effect.withConfigProvider(environment)
        )
        const read = Candidate.as(cache.get("x"), Candidate.user("ann"))
        yield* Candidate.as(cache.set("x", "1"), Candidate.user("ann"))
        const below = yield* build(RedisCache.contract({ url }))
        assert.isTrue(Option.isSome(yield* below.get("user:ann/x")))
        yield* proxy.set("refuse")
        assert.deepStrictEqual(yield* read, Option.some("1"))
        yield* Effect.sleep("1100 millis")
        assert.deepInclude(yield* Effect.flip(read), { _tag: "ConnectorError", connector: "Redis" })
      }))

    it.scopedLive("says which setting of which tier is wrong", () =>
      Effect.gen(function*() {
        const start = (settings: unknown) => Effect.flip(build(TieredCache.fromUnknown(settings, "Cache.Settings")))
        const wrong = yield* start({ tiers: [{ Connector: "RAM", Settings: { maxBytes: "lots" } }] })
        assert.deepInclude(wrong, { _tag: "BootError", path: "Cache.Settings.tiers.0.Settings.maxBytes" })
        const unknown = yield* start({ tiers: [{ Connector: "Rediss" }] })
        assert.deepInclude(unknown, { _tag: "BootError", path: "Cache.Settings.tiers.0.Connector" })
        assert.deepInclude(yield* start({ tiers: [] }), { _tag: "BootError" })
      }))
  })

  const last = Effect.flatMap(CacheConnector, (cache) => cache.get("user:ann/k"))
  faults("TieredCache", {
    server: Effect.map(redisServer(), ({ port }) => port),
    connector: ({ port, timeoutMillis: timeout }) =>
      TieredCache.contract({
        tiers: [
          // What is found there is gone before the next call.
          { Connector: "RAM", timeToLive: 1 },
          { Connector: "Redis", Settings: { url: `redis://127.0.0.1:${port}`, timeout } }
        ]
      }),
    read: Effect.delay(Effect.map(last, Option.map(({ value }) => value)), "2 millis"),
    write: (value) =>
      Effect.flatMap(
        CacheConnector,
        (cache) =>
          Effect.flatMap(last, (found) =>
            cache.set("user:ann/k", value, Duration.infinity, Option.map(found, ({ version }) => version)))
      )
  })

  suite(
    "Tiered (RAM, Redis)",
    Layer.unwrapScoped(Effect.map(redisServer(), ({ url }) =>
      TieredCache.contract({
        tiers: [{ Connector: "RAM" }, { Connector: "Redis", Settings: { url } }],
        negativeTimeToLive: 1000
      })))
  )
} else {
  it.skip("TieredCache: there is no redis-server on this machine", () => {})
}

suite(
  "Tiered (RAM, LocalStorage, S3)",
  Layer.unwrapScoped(
    Effect.map(Effect.all([tempFolder, conditionalS3Server]), ([folder, { settings }]) =>
      TieredCache.contract({
        tiers: [
          { Connector: "RAM" },
          { Connector: "LocalStorage", Settings: { folder } },
          { Connector: "S3", Settings: settings }
        ]
      }))
  )
)
