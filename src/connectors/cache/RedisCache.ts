/** Cache on Redis 6 or newer, or what speaks like it: a hash of value and version for every entry, changed by scripts only. */
import { Config, Duration, Effect, Option, Redacted, Schema } from "effect"
import type { Redis, RedisOptions } from "ioredis"
import { randomUUID } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"

const RedisCacheSettings = Schema.Struct({
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. Default: `redis://127.0.0.1:6379`. */
  url: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Sentinels, `host:port` separated by commas, that know the master called `name`. Instead of `url`. */
  hosts: Schema.optional(Schema.NonEmptyString),
  name: Schema.optional(Schema.NonEmptyString),
  password: Schema.optional(Schema.Redacted(Schema.String)),
  prefix: Schema.optionalWith(Schema.String, { default: () => "sre:cache:" })
}).pipe(Schema.filter(({ hosts, name }) => (hosts === undefined) === (name === undefined), {
  message: () => `"hosts" (the Sentinels) and "name" (their master) go together`
}))
type Settings = typeof RedisCacheSettings.Type

export const RedisCache = Connector.make({
  name: "Redis",
  aliases: ["RedisCache"],
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: RedisCacheSettings,
  make: Effect.fnUntraced(function*(settings) {
    const redis = yield* connect(settings)
    const run = (method: string, script: string, key: string, ...args: ReadonlyArray<string>) =>
      attempt(method, () => redis.eval(script, 1, settings.prefix + key, ...args))
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
      touch: (key, timeToLive, expected) => change("touch", scripts.touch, key, expected, millisOf(timeToLive)),
      remove: (key, expected) => change("remove", scripts.remove, key, expected)
    })
  })
})

/** `Cache` on `REDIS_URL`, or on the master `REDIS_MASTER_NAME` of the Sentinels `REDIS_HOSTS`; keys get `REDIS_PREFIX`. */
export const RedisCacheLive = RedisCache.layerConfig({
  url: Config.withDefault(Config.redacted("REDIS_URL"), undefined),
  hosts: Config.withDefault(Config.nonEmptyString("REDIS_HOSTS"), undefined),
  name: Config.withDefault(Config.nonEmptyString("REDIS_MASTER_NAME"), undefined),
  password: Config.withDefault(Config.redacted("REDIS_PASSWORD"), undefined),
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

const scripts = {
  get: `local found = redis.call("HMGET", KEYS[1], "value", "version")
   return { found[1], found[2], redis.call("PTTL", KEYS[1]) }`,
  set: guarded(`redis.call("HSET", KEYS[1], "value", ARGV[2], "version", ARGV[3])\n${expire(4)}`),
  touch: guarded(expire(2)),
  remove: guarded(`redis.call("DEL", KEYS[1])`)
}

/** Connects once at the start, so that a server that is not there is known at boot; later losses are healed by reconnecting. */
const connect = Effect.fnUntraced(function*(settings: Settings) {
  const ioredis = yield* Connector.vendor("Redis", "ioredis", () => import("ioredis"))
  const redis = yield* Effect.acquireRelease(
    Effect.try({ try: () => client(ioredis.Redis, settings), catch: fromRedisError("connect") }),
    (redis) => Effect.sync(() => redis.disconnect())
  )
  // What went wrong is told to the listener alone, while the call fails with "Connection is closed". And without a listener
  // the client prints what the commands report anyway.
  let cause: unknown
  redis.on("error", (error) => {
    cause = error
  })
  yield* Effect.mapError(
    attempt("connect", () => redis.connect()),
    (error) => cause === undefined ? error : fromRedisError("connect")(cause)
  )
  return redis
})

const client = (Client: typeof Redis, { hosts, name, password, url }: Settings): Redis => {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: 5000,
    commandTimeout: 5000,
    maxRetriesPerRequest: 1,
    ...(password === undefined ? {} : { password: Redacted.value(password) })
  }
  return hosts === undefined || name === undefined
    ? new Client(url === undefined ? "redis://127.0.0.1:6379" : Redacted.value(url), options)
    : new Client({ ...options, name, sentinels: hosts.split(",").map(sentinel) })
}

const sentinel = (text: string) => {
  const [, host = "", port] = /^\s*(.*?)(?::(\d+))?\s*$/.exec(text) ?? []
  return { host, port: port === undefined ? 26379 : Number(port) }
}

const attempt = <A>(method: string, evaluate: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({ try: evaluate, catch: fromRedisError(method) }).pipe(
    Effect.timeoutFail({
      duration: "10 seconds",
      onTimeout: () => new ConnectorError({ connector: "Redis", method, reason: "Timeout" })
    })
  )

/** By the words errors begin with, https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const fromRedisError = (method: string) => (cause: unknown): ConnectorError => {
  const message = cause instanceof Error ? cause.message : ""
  const reason = reasons.find(([pattern]) => pattern.test(message))?.[1] ?? "Unavailable"
  return new ConnectorError({ connector: "Redis", method, reason, detail: message.slice(0, 200) })
}

const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/NOAUTH|WRONGPASS|NOPERM|ERR AUTH|invalid password/, "Unauthorized"],
  [/OOM/, "Full"],
  [/WRONGTYPE/, "Corrupted"],
  [/timed out|ETIMEDOUT/, "Timeout"],
  [/unknown command|Unknown Redis command/, "Unsupported"]
]
