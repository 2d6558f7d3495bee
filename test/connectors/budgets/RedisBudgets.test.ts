import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { RedisBudgets, RedisBudgetsLive } from "../../../src/connectors/budgets/RedisBudgets.ts"
import { BudgetStore, BudgetStoreConnector, type Limits, nothing } from "../../../src/subsystems/llm/BudgetStore.ts"
import { suite } from "../../../src/testing/conformance/budgets.ts"
import { suite as faults } from "../../conformance/faults.ts"
import { hasRedis, redisCluster, redisServer } from "../../fixtures/RedisServer.ts"

type Settings = Parameters<typeof RedisBudgets.contract>[0]

const connect = (settings: Settings) =>
  Effect.map(Layer.build(RedisBudgets.contract(settings)), Context.get(BudgetStoreConnector))

const of = (scope: string, limits: Limits) => [{ scope, limits }]
const tokens = (count: number) => ({ ...nothing, tokens: count })

/** A process of its own, until the scope closes. */
const holder = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        ["--import", "tsx", join(import.meta.dirname, "../../fixtures/BudgetHolder.ts"), ...args],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

const saidBy = ({ stdout }: ChildProcess) =>
  Effect.promise(async () => String((await once(stdout!, "data") as ReadonlyArray<unknown>)[0]))

if (hasRedis()) {
  describe("RedisBudgets", () => {
    it.scopedLive(
      "two processes with agents whose calls fail and are interrupted never exceed a limit together",
      () =>
        Effect.gen(function*() {
          const { url } = yield* redisServer()
          const processes = yield* Effect.all([holder(url), holder(url)])
          const spent = yield* Effect.all(processes.map(saidBy), { concurrency: "unbounded" })
          const total = Number(spent[0]) + Number(spent[1])
          assert.isTrue(spent.every((one) => Number(one) > 0))
          assert.isAtMost(total, 400)
          const { reserve } = yield* connect({ url })
          const refused = yield* Effect.flip(reserve("x", of("team:t1", { tokens: 400 }), tokens(401)))
          assert.isAtLeast(refused._tag === "BudgetExceeded" ? refused.used : 0, total)
          assert.isAtMost(refused._tag === "BudgetExceeded" ? refused.used : 401, 400)
        }),
      60_000
    )

    it.scopedLive(
      "a process that is killed loses its place when its lease is over, and no sooner; what it reserved counts",
      () =>
        Effect.gen(function*() {
          const { url } = yield* redisServer()
          const child = yield* holder(url, "held")
          assert.strictEqual(yield* saidBy(child), "held")
          const { reserve } = yield* connect({ url, lease: 2000 })
          const next = reserve("next", of("user:u1", { concurrency: 1, tokens: 5 }), tokens(0))
          yield* Effect.sleep("2500 millis")
          assert.deepInclude(yield* Effect.flip(next), { what: "concurrency", used: 1 })
          child.kill("SIGKILL")
          yield* Effect.sleep("2100 millis")
          yield* next
          const full = yield* Effect.flip(reserve("more", of("user:u1", { tokens: 5 }), tokens(1)))
          assert.deepInclude(full, { what: "tokens", used: 5 })
        }),
      60_000
    )

    it.scopedLive("accounts of windows and of runs are gone when nobody needs them, others stay", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const { reserve, settle } = yield* connect({ url, lease: 100, keepRuns: 200 })
        const accounts = [
          { scope: "user:day", limits: { tokens: 9, per: Duration.millis(100) } },
          { scope: "run:r1", limits: { tokens: 9 } },
          { scope: "user:all", limits: { tokens: 9 } }
        ]
        yield* reserve("1", accounts, tokens(3))
        yield* settle("1", accounts, tokens(2))
        const { Redis } = yield* Effect.promise(() => import("ioredis"))
        const redis = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(url)),
          (redis) => Effect.sync(() => redis.disconnect())
        )
        assert.lengthOf(yield* Effect.promise(() => redis.keys("*")), 3)
        yield* Effect.sleep("400 millis")
        assert.deepStrictEqual(yield* Effect.promise(() => redis.keys("*")), ["{sre:budgets:}user:all"])
      }))

    it.scopedLive("refuses a server that drops what does not fit, and takes its address from the environment", () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer("--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru")
        const error = yield* Effect.flip(connect({ url }))
        assert.deepInclude(error, { _tag: "BootError", connector: "Redis" })
        const kept = yield* redisServer()
        const environment = ConfigProvider.fromMap(new Map([["REDIS_URL", kept.url], ["REDIS_BUDGETS_PREFIX", "p:"]]))
        const own = of("user:u1", { tokens: 5 })
        yield* Effect.flatMap(BudgetStore, ({ reserve }) => reserve(own, tokens(5), Effect.succeed(tokens(5)))).pipe(
          Effect.scoped,
          Effect.provide(Layer.provide(RedisBudgetsLive, Layer.setConfigProvider(environment)))
        )
        const { reserve } = yield* connect({ url: kept.url, prefix: "p:" })
        assert.deepInclude(yield* Effect.flip(reserve("1", own, tokens(1))), { used: 5 })
      }))

    it.scopedLive("a server that is lost refuses calls, as nobody knows what is left", () =>
      Effect.gen(function*() {
        const { child, url } = yield* redisServer()
        const { reserve } = yield* connect({ url })
        child.kill("SIGKILL")
        const failing = Effect.forever(reserve("1", of("user:u1", { tokens: 5 }), nothing))
        const error = yield* Effect.flip(failing)
        assert.strictEqual(error._tag, "ConnectorError")
      }))
  })

  faults("RedisBudgets", {
    server: Effect.map(redisServer(), ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      RedisBudgets.contract({ url: `redis://127.0.0.1:${port}`, timeout: timeoutMillis }),
    read: Effect.flatMap(BudgetStoreConnector, ({ renew }) => renew("nobody", of("user:u1", {})))
  })

  suite(
    "Redis",
    Layer.unwrapScoped(Effect.map(redisServer(), ({ url }) => RedisBudgets.contract({ url, lease: 1500 })))
  )
  suite(
    "Redis (cluster)",
    Layer.unwrapScoped(
      Effect.map(redisCluster, ({ nodes }) => RedisBudgets.contract({ cluster: nodes.join(", "), lease: 1500 }))
    )
  )
} else {
  it.skip("RedisBudgets: there is no redis-server on this machine", () => {})
}
