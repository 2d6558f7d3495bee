/** Cache on Redis 6 or newer, or what speaks like it: a hash of value and version for every entry, changed by scripts only. */
import { Config, Duration, Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { conflict } from "../../kernel/ConnectorError.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"
import * as RedisClient from "../RedisClient.ts"

const RedisCacheSettings = Schema.Struct({
  ...RedisClient.settings,
  /** Before every key, so that several systems share a server. */
  prefix: Schema.optionalWith(Schema.String, { default: () => "sre:cache:" })
})

export const RedisCache = Connector.make({
  name: "Redis",
  aliases: ["RedisCache"],
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: RedisCacheSettings,
  make: Effect.fnUntraced(function*(settings) {
    const redis = yield* RedisClient.make(settings)
    const run = (method: string, script: string, key: string, ...args: ReadonlyArray<string>) =>
      redis.run(method, script, [settings.prefix + key], ...args)
    const change = (method: string, script: string, key: string, ...args: ReadonlyArray<string>) =>
      Effect.flatMap(
        run(method, script, key, ...args),
        (changed) => changed === 1 ? Effect.void : Effect.fail(conflict("Redis", method))
      )

    return Cache.CacheConnector.of({
      get: (key) =>
        Effect.map(run("get", scripts.get, key), (found) => {
          const [value, version, millis] = found as [string | null, string | null, number]
          return value === null || version === null ? Option.none() : Option.some({
            value,
            version,
            timeToLive: millis < 0 ? Duration.infinity : Duration.millis(millis)
          })
        }),
      set: (key, value, timeToLive, expected) =>
        change(
          "set",
          scripts.set,
          key,
          Option.getOrElse(expected, () => ""),
          value,
          randomUUID(),
          timeToLive === "keep" ? "keep" : millisOf(timeToLive)
        ),
      overwrite: (key, value, timeToLive, start) =>
        Effect.map(
          run("overwrite", scripts.overwrite, key, start, value, randomUUID(), millisOf(timeToLive)),
          (written) => written === 1
        ),
      touch: (key, timeToLive, expected) => change("touch", scripts.touch, key, expected, millisOf(timeToLive)),
      remove: (key, expected) => change("remove", scripts.remove, key, expected)
    })
  })
})

/**
 * `Cache` on `REDIS_URL`, the cluster `REDIS_CLUSTER`, or the master `REDIS_MASTER_NAME` of the Sentinels `REDIS_HOSTS`; keys
 * get `REDIS_PREFIX`.
 */
export const RedisCacheLive = RedisCache.layerConfig({
  ...RedisClient.config,
  prefix: Config.withDefault(Config.string("REDIS_PREFIX"), "sre:cache:")
})

/** Expiry in whole milliseconds, at least one, for Redis takes zero for an error; or `never`. */
const millisOf = (timeToLive: Duration.Duration) =>
  Duration.isFinite(timeToLive) ? String(Math.max(1, Math.ceil(Duration.toMillis(timeToLive)))) : "never"

const guarded = (body: string) =>
  `if (redis.call("HGET", KEYS[1], "version") or "") ~= ARGV[1] then return 0 end\n${body}\nreturn 1`

const expire = (argument: number) =>
  `if ARGV[${argument}] == "never" then redis.call("PERSIST", KEYS[1])
   elseif ARGV[${argument}] ~= "keep" then redis.call("PEXPIRE", KEYS[1], ARGV[${argument}]) end`

const set = `redis.call("HSET", KEYS[1], "value", ARGV[2], "version", ARGV[3])\n${expire(4)}`

const scripts = {
  get: `local found = redis.call("HMGET", KEYS[1], "value", "version")
   return { found[1], found[2], redis.call("PTTL", KEYS[1]) }`,
  set: guarded(set),
  overwrite: `local stored = redis.call("HGET", KEYS[1], "value")
   if stored and string.sub(stored, 1, #ARGV[1]) ~= ARGV[1] then return 0 end\n${set}\nreturn 1`,
  touch: guarded(expire(2)),
  remove: guarded(`redis.call("DEL", KEYS[1])`)
}
