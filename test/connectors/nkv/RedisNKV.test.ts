import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option } from "effect"
import { RedisNKV, RedisNKVLive } from "../../../src/connectors/nkv/RedisNKV.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { NKV, NKVConnector } from "../../../src/subsystems/io/NKV.ts"
import { suite } from "../../../src/testing/conformance/nkv.ts"
import { suite as faults } from "../../conformance/faults.ts"
import { hasRedis, redisCluster, redisServer } from "../../fixtures/RedisServer.ts"

const connect = (settings: Parameters<typeof RedisNKV.contract>[0]) =>
  Effect.map(Layer.build(RedisNKV.contract(settings)), Context.get(NKVConnector))

if (hasRedis()) {
  describe("RedisNKV", () => {
    it.scopedLive("a server that drops data when it is full is refused at the start", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
        const error = yield* Effect.flip(connect({ url }))
        assert.deepInclude(error, { _tag: "BootError", service: "NKV" })
        assert.include(error.message, "allkeys-lru")
        const safe = yield* redisServer("--maxmemory", "50mb", "--maxmemory-policy", "volatile-lru")
        yield* connect({ url: safe.url })
      }))

    it.scopedLive("an emptied namespace leaves nothing behind, and two prefixes do not meet", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const one = yield* connect({ url, prefix: "one:" })
        const two = yield* connect({ url, prefix: "two:" })
        yield* one.set("user:ann/}{ns", "k", "1", Option.none())
        assert.deepStrictEqual(yield* two.get("user:ann/}{ns", "k"), Option.none())
        const { version } = Option.getOrThrow(yield* one.get("user:ann/}{ns", "k"))
        yield* one.remove("user:ann/}{ns", "k", version)
        const { Redis } = yield* Effect.promise(() => import("ioredis"))
        const redis = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(url)),
          (redis) => Effect.sync(() => redis.disconnect())
        )
        assert.strictEqual(yield* Effect.promise(() => redis.dbsize()), 0)
      }))
  })

  describe("RedisNKVLive", () => {
    it.scopedLive("takes server and prefix from the environment", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const environment = ConfigProvider.fromMap(new Map([["REDIS_URL", url], ["REDIS_NKV_PREFIX", "p:"]]))
        yield* Effect.flatMap(NKV, (nkv) => nkv.set("ns", "k", { a: 1 })).pipe(
          Candidate.as(Candidate.user("ann")),
          Effect.provide(RedisNKVLive),
          Effect.withConfigProvider(environment)
        )
        const found = yield* Effect.flatMap(connect({ url, prefix: "p:" }), (nkv) => nkv.get("user:ann/ns", "k"))
        assert.include(Option.getOrThrow(found).value, `{"a":1}`)
      }))
  })

  faults("RedisNKV", {
    server: Effect.map(redisServer(), ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      RedisNKV.contract({ url: `redis://127.0.0.1:${port}`, timeout: timeoutMillis }),
    read: Effect.flatMap(
      NKVConnector,
      (store) => Effect.map(store.get("user:ann/ns", "k"), Option.map(({ value }) => value))
    ),
    write: (value) =>
      Effect.flatMap(
        NKVConnector,
        (store) =>
          Effect.flatMap(store.get("user:ann/ns", "k"), (found) =>
            store.set("user:ann/ns", "k", value, Option.map(found, ({ version }) => version)))
      )
  })

  suite("Redis", Layer.unwrapScoped(Effect.map(redisServer(), ({ url }) => RedisNKV.contract({ url }))), {
    entries: 100_000
  })
  suite(
    "Redis (cluster)",
    Layer.unwrapScoped(Effect.map(redisCluster, ({ nodes }) => RedisNKV.contract({ cluster: nodes })))
  )
} else {
  it.skip("RedisNKV: there is no redis-server on this machine", () => {})
}
