import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer } from "effect"
import { RedisRateLimits, RedisRateLimitsLive } from "../../../src/connectors/ratelimits/RedisRateLimits.ts"
import { RateLimitStore, RateLimitStoreConnector } from "../../../src/subsystems/llm/RateLimitStore.ts"
import { suite } from "../../../src/testing/conformance/rateLimits.ts"
import { suite as faults } from "../../conformance/faults.ts"
import { hasRedis, redisServer } from "../../fixtures/RedisServer.ts"

const connect = (settings: Parameters<typeof RedisRateLimits.contract>[0]) =>
  Effect.map(Layer.build(RedisRateLimits.contract(settings)), Context.get(RateLimitStoreConnector))

const request = [{ of: "requests", limit: 10, takes: 1 }]

if (hasRedis()) {
  describe("RedisRateLimits", () => {
    it.scopedLive("processes on one server keep to a limit together, each getting its turns", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const processes = yield* Effect.all([connect({ url }), connect({ url }), connect({ url })])
        const turns = yield* Effect.forEach(
          Array.from({ length: 30 }, (_, n) => processes[n % 3]!),
          ({ take }) => Effect.map(take("k", request, Duration.days(1)), ({ wait }) => Duration.toSeconds(wait)),
          { concurrency: "unbounded" }
        )
        const waits = turns.map(Math.round).sort((a, b) => a - b)
        assert.deepStrictEqual(waits, [0, 60, 120].flatMap((wait) => Array.from({ length: 10 }, () => wait)))
        const other = yield* connect({ url, prefix: "other:" })
        assert.deepStrictEqual(yield* other.take("k", request, Duration.zero), { isTaken: true, wait: Duration.zero })
      }))

    it.scopedLive("leaves nothing behind when what was taken no longer counts", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const { take } = yield* connect({ url })
        yield* take("k", request, Duration.zero)
        const { Redis } = yield* Effect.promise(() => import("ioredis"))
        const redis = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(url)),
          (redis) => Effect.sync(() => redis.disconnect())
        )
        const left = yield* Effect.promise(() => redis.pttl("sre:ratelimits:k"))
        assert.isTrue(left > 0 && left <= 60_000)
      }))

    it.scopedLive("takes server and prefix from the environment", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const environment = ConfigProvider.fromMap(
          new Map([["REDIS_URL", url], ["REDIS_RATE_LIMITS_PREFIX", "p:"]])
        )
        const one = [{ of: "requests", limit: 1, takes: 1 }]
        yield* Effect.flatMap(RateLimitStore, ({ take }) => take("k", one, Duration.zero)).pipe(
          Effect.provide(Layer.provide(RedisRateLimitsLive, Layer.setConfigProvider(environment)))
        )
        const { take } = yield* connect({ url, prefix: "p:" })
        assert.isFalse((yield* take("k", one, Duration.zero)).isTaken)
      }))
  })

  faults("RedisRateLimits", {
    server: Effect.map(redisServer(), ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      RedisRateLimits.contract({ url: `redis://127.0.0.1:${port}`, timeout: timeoutMillis }),
    read: Effect.flatMap(RateLimitStoreConnector, ({ take }) => take("nobody", [], Duration.zero))
  })

  suite("Redis", Layer.unwrapScoped(Effect.map(redisServer(), ({ url }) => RedisRateLimits.contract({ url }))))
} else {
  it.skip("RedisRateLimits: there is no redis-server on this machine", () => {})
}
