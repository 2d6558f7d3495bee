import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer, Option } from "effect"
import { RedisCache, RedisCacheLive } from "../../../src/connectors/cache/RedisCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Cache, CacheConnector } from "../../../src/subsystems/memory/Cache.ts"
import { suite } from "../../../src/testing/conformance/cache.ts"
import { hasRedis, redisServer } from "../../fixtures/RedisServer.ts"

const connect = (settings: Parameters<typeof RedisCache.contract>[0]) =>
  Effect.map(Layer.build(RedisCache.contract(settings)), Context.get(CacheConnector))

if (hasRedis()) {
  suite("Redis", Layer.unwrapScoped(Effect.map(redisServer(), ({ url }) => RedisCache.contract({ url }))))

  describe("RedisCache", () => {
    it.scopedLive("two prefixes share a server without meeting", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const one = yield* connect({ url, prefix: "one:" })
        const two = yield* connect({ url, prefix: "two:" })
        yield* one.set("user:ann/x", "1", Duration.infinity, Option.none())
        assert.deepStrictEqual(yield* two.get("user:ann/x"), Option.none())
      }))

    it.scopedLive("takes server and prefix from the environment", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const environment = ConfigProvider.fromMap(new Map([["REDIS_URL", url], ["REDIS_PREFIX", "p:"]]))
        yield* Effect.flatMap(Cache, (cache) => cache.set("x", "1")).pipe(
          Candidate.as(Candidate.user("ann")),
          Effect.provide(Layer.provide(RedisCacheLive, Layer.setConfigProvider(environment)))
        )
        const found = yield* Effect.flatMap(connect({ url, prefix: "p:" }), (cache) => cache.get("user:ann/x"))
        assert.isTrue(Option.isSome(found))
      }))

    it.scopedLive("wrong and missing passwords are refused at the start, and not told", () =>
      Effect.gen(function*() {
        const { port, url } = yield* redisServer("--requirepass", "right")
        yield* connect({ url, password: "right" })
        for (const settings of [{ url }, { url: `redis://:hunter2@127.0.0.1:${port}` }]) {
          const error = yield* Effect.flip(connect(settings))
          assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
          assert.notInclude(error.message, "hunter2")
        }
      }))

    it.scopedLive("a server without room is full, not broken", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
        const cache = yield* connect({ url })
        const error = yield* Effect.flip(
          Effect.forEach(Array.from({ length: 40 }, (_, n) => n), (n) =>
            cache.set(`user:ann/${n}`, "x".repeat(200_000), Duration.infinity, Option.none()))
        )
        assert.strictEqual(error.reason, "Full")
      }))

    it.scopedLive("what something else wrote under a key is corrupted, not absent", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const { Redis } = yield* Effect.promise(() => import("ioredis"))
        const redis = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(url)),
          (redis) => Effect.sync(() => redis.disconnect())
        )
        yield* Effect.promise(() => redis.set("sre:cache:user:ann/x", "text"))
        const cache = yield* connect({ url })
        assert.strictEqual((yield* Effect.flip(cache.get("user:ann/x"))).reason, "Corrupted")
      }))

    it.scopedLive(
      "a lost server is an error of the call, and the connection comes back with it",
      () =>
        Effect.gen(function*() {
          const { child, port, url } = yield* redisServer()
          const cache = yield* connect({ url })
          yield* cache.set("user:ann/x", "1", Duration.infinity, Option.none())
          child.kill("SIGKILL")
          const error = yield* Effect.flip(Effect.forever(cache.get("user:ann/x")))
          assert.include(["Unavailable", "Timeout"], error.reason)
          yield* redisServer("--port", String(port))
          const found = yield* Effect.retry(cache.get("user:ann/x"), { times: 20 })
          assert.deepStrictEqual(found, Option.none())
        }),
      60_000
    )
  })
} else {
  it.skip("RedisCache: there is no redis-server on this machine", () => {})
}

describe("RedisCache without a server", () => {
  it.scopedLive("fails at the start and names the server, not its password", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect({ url: "redis://:hunter2@127.0.0.1:1" }))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unavailable" })
      assert.include(error.message, "127.0.0.1:1")
      assert.notInclude(error.message, "hunter2")
    }))

  it.scopedLive("Sentinels need the name of their master", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect({ hosts: "a:1,b:2" }))
      assert.strictEqual(error._tag, "BootError")
      assert.include(error.message, "name")
    }))
})
