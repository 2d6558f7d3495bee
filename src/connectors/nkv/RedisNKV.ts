/**
 * NKV on Redis 6 or newer, or what speaks like it: a hash of every namespace's values, and its keys in order. Both are on one
 * node of a cluster and changed by scripts only. A value has its version in front of it.
 */
import { Config, Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { conflict } from "../../kernel/ConnectorError.ts"
import * as NKV from "../../subsystems/io/NKV.ts"
import * as RedisClient from "../RedisClient.ts"

const RedisNKVSettings = Schema.Struct({
  ...RedisClient.settings,
  /** Before every key, so that several systems share a server. */
  prefix: Schema.optionalWith(Schema.String, { default: () => "sre:nkv:" })
})

export const RedisNKV = Connector.make({
  name: "Redis",
  aliases: ["RedisNKV"],
  contract: NKV.NKVConnector,
  service: NKV.layer,
  settings: RedisNKVSettings,
  make: Effect.fnUntraced(function*(settings) {
    const redis = yield* RedisClient.make(settings)
    yield* RedisClient.refuseEviction("NKV", redis)
    const run = (method: string, script: string, namespace: string, ...args: ReadonlyArray<string>) => {
      // What is in braces decides the node.
      const tag = `${settings.prefix}{${encodeURIComponent(namespace)}}`
      return redis.run(method, script, [`${tag}:values`, `${tag}:keys`], ...args)
    }
    const change = (method: string, script: string, namespace: string, ...args: ReadonlyArray<string>) =>
      Effect.flatMap(
        run(method, script, namespace, ...args),
        (changed) => changed === 1 ? Effect.void : Effect.fail(conflict("Redis", method))
      )

    return NKV.NKVConnector.of({
      get: (namespace, key) =>
        Effect.map(
          run("get", scripts.get, namespace, key),
          (found) => Option.map(Option.fromNullable(found as string | null), (text) => stored(key, text))
        ),
      set: (namespace, key, value, expected) =>
        change("set", scripts.set, namespace, key, Option.getOrElse(expected, () => ""), randomUUID() + value),
      remove: (namespace, key, expected) => change("remove", scripts.remove, namespace, key, expected),
      list: (namespace, { after, limit }) =>
        Effect.map(
          run(
            "list",
            scripts.list,
            namespace,
            Option.match(after, { onNone: () => "-", onSome: (key) => `(${key}` }),
            String(limit)
          ),
          (found) => {
            const [keys, values] = found as [ReadonlyArray<string>, ReadonlyArray<string>]
            return {
              items: keys.map((key, n) => stored(key, values[n] ?? "")),
              next: keys.length < limit ? Option.none() : Option.fromNullable(keys.at(-1))
            }
          }
        ),
      clear: (namespace) => Effect.asVoid(run("clear", scripts.clear, namespace))
    })
  })
})

/**
 * `NKV` on `REDIS_URL`, the cluster `REDIS_CLUSTER`, or the master `REDIS_MASTER_NAME` of the Sentinels `REDIS_HOSTS`; keys
 * get `REDIS_NKV_PREFIX`.
 */
export const RedisNKVLive = RedisNKV.layerConfig({
  ...RedisClient.config,
  prefix: Config.withDefault(Config.string("REDIS_NKV_PREFIX"), "sre:nkv:")
})

const versionLength = 36

const stored = (key: string, text: string): NKV.StoredText => ({
  key,
  value: text.slice(versionLength),
  version: text.slice(0, versionLength)
})

const guarded = (body: string) =>
  `local stored = redis.call("HGET", KEYS[1], ARGV[1])
   if (stored and string.sub(stored, 1, ${versionLength}) or "") ~= ARGV[2] then return 0 end\n${body}\nreturn 1`

const scripts = {
  get: `return redis.call("HGET", KEYS[1], ARGV[1])`,
  set: guarded(`redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])\nredis.call("ZADD", KEYS[2], 0, ARGV[1])`),
  remove: guarded(`redis.call("HDEL", KEYS[1], ARGV[1])\nredis.call("ZREM", KEYS[2], ARGV[1])`),
  list: `local keys = redis.call("ZRANGEBYLEX", KEYS[2], ARGV[1], "+", "LIMIT", 0, ARGV[2])
   return { keys, #keys == 0 and {} or redis.call("HMGET", KEYS[1], unpack(keys)) }`,
  clear: `return redis.call("UNLINK", KEYS[1], KEYS[2])`
}
