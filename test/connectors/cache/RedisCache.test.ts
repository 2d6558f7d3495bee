import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer, Logger, Option, Schedule } from "effect"
import { Redis } from "ioredis"
import { RedisCache, RedisCacheLive } from "../../../src/connectors/cache/RedisCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Cache, CacheConnector } from "../../../src/subsystems/memory/Cache.ts"
import { suite } from "../../../src/testing/conformance/cache.ts"
import { suite as faults } from "../../conformance/faults.ts"
import { certificate } from "../../fixtures/Certificate.ts"
import { freePort, listening } from "../../fixtures/Processes.ts"
import { hasRedis, redisCluster, redisSentinel, redisServer } from "../../fixtures/RedisServer.ts"

const connect = (settings: Parameters<typeof RedisCache.contract>[0]) =>
  Effect.map(Layer.build(RedisCache.contract(settings)), Context.get(CacheConnector))

if (hasRedis()) {
  suite("Redis", Layer.unwrapScoped(Effect.map(redisServer(), ({ url }) => RedisCache.contract({ url }))), {
    entries: 100_000
  })
  suite(
    "Redis (cluster)",
    Layer.unwrapScoped(Effect.map(redisCluster, ({ nodes }) => RedisCache.contract({ cluster: nodes.join(", ") })))
  )

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

    it.scopedLive("a server that has forgotten all scripts, as one that started anew, is told them again", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const cache = yield* connect({ url })
        const admin = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(url)),
          (redis) => Effect.sync(() => redis.disconnect())
        )
        for (const value of ["1", "2"]) {
          yield* Effect.promise(() => admin.script("FLUSH"))
          assert.isTrue(yield* cache.overwrite("user:ann/x", value, Duration.infinity, ""))
          const found = yield* cache.get("user:ann/x")
          assert.deepStrictEqual(Option.map(found, (entry) => entry.value), Option.some(value))
        }
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
      "is back by itself when Sentinels have put another server in the place of a lost master",
      () =>
        Effect.gen(function*() {
          const { master, sentinel } = yield* redisSentinel
          const cache = yield* connect({ hosts: sentinel, name: "main" })
          yield* cache.set("user:ann/x", "1", Duration.infinity, Option.none())
          master.child.kill("SIGKILL")
          const written = yield* Effect.retry(cache.set("user:ann/y", "2", Duration.infinity, Option.none()), {
            schedule: Schedule.spaced("100 millis")
          })
          assert.isUndefined(written)
          assert.isTrue(Option.isSome(yield* cache.get("user:ann/y")))
          const unknown = yield* Effect.flip(connect({ hosts: [sentinel], name: "other", timeout: 1000 }))
          assert.deepInclude(unknown, { _tag: "ConnectorError" })
        }),
      60_000
    )

    it.scopedLive("speaks TLS with a server whose certificate it can check, and with no other", () =>
      Effect.gen(function*() {
        const { ca, cert, key } = yield* certificate
        const port = yield* freePort
        const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert]
        yield* redisServer("--tls-port", String(port), "--tls-auth-clients", "no", ...files)
        yield* listening(port)
        const url = `rediss://127.0.0.1:${port}`
        const cache = yield* connect({ url, tls: { ca } })
        yield* cache.set("user:ann/x", "1", Duration.infinity, Option.none())
        assert.isTrue(Option.isSome(yield* cache.get("user:ann/x")))
        const error = yield* Effect.flip(connect({ url, timeout: 1000 }))
        assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unavailable" })
        assert.include(error.message, "self-signed")
      }))

    it.scopedLive("warns of a server that may hold more than maxMemory", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer("--maxmemory", "20mb")
        const lines: Array<string> = []
        const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => lines.push(String(message))))
        yield* Effect.provide(connect({ url, maxMemory: "20mb" }), logger)
        assert.deepStrictEqual(lines, [])
        yield* Effect.provide(connect({ url, maxMemory: "10mb" }), logger)
        assert.include(lines.join(), "maxMemory")
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

  faults("RedisCache", {
    server: Effect.map(redisServer(), ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      RedisCache.contract({ url: `redis://127.0.0.1:${port}`, timeout: timeoutMillis }),
    read: Effect.flatMap(
      CacheConnector,
      (cache) => Effect.map(cache.get("user:ann/k"), Option.map(({ value }) => value))
    ),
    write: (value) =>
      Effect.flatMap(
        CacheConnector,
        (cache) =>
          Effect.flatMap(cache.get("user:ann/k"), (found) =>
            cache.set("user:ann/k", value, Duration.infinity, Option.map(found, ({ version }) => version)))
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

  it.scopedLive("one server, a cluster and Sentinels exclude each other", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect({ url: "redis://a", cluster: "b:1, c:2" }))
      assert.strictEqual(error._tag, "BootError")
      assert.include(error.message, "cluster")
    }))

  it.scopedLive("Sentinels need the name of their master", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect({ hosts: "a:1,b:2" }))
      assert.strictEqual(error._tag, "BootError")
      assert.include(error.message, "name")
    }))
})
