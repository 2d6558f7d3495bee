/**
 * Turns of keys on Redis 6 or newer, or what speaks like it: all processes together keep to a limit, by the server's clock. Of
 * each key a hash of what was taken lately, as `[first, last, amount, …]` of turns near each other, changed by one script.
 */
import { Config, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as RateLimitStore from "../../subsystems/llm/RateLimitStore.ts"
import * as RedisClient from "../RedisClient.ts"

const RedisRateLimitsSettings = Schema.Struct({
  ...RedisClient.settings,
  /** Before every key, so that several systems share a server. */
  prefix: Schema.optionalWith(Schema.String, { default: () => "sre:ratelimits:" })
})

export const RedisRateLimits = Connector.make({
  name: "Redis",
  aliases: ["RedisRateLimits"],
  contract: RateLimitStore.RateLimitStoreConnector,
  service: RateLimitStore.layer,
  settings: RedisRateLimitsSettings,
  make: Effect.fnUntraced(function*(settings) {
    const redis = yield* RedisClient.make(settings)

    return RateLimitStore.RateLimitStoreConnector.of({
      take: (key, shares, maxWait) => {
        const times = [maxWait, RateLimitStore.minute, RateLimitStore.nearness].map(Duration.toMillis)
        const args = [...times, ...shares.flatMap(({ limit, of, takes }) => [of, limit, takes])].map(String)
        return Effect.map(redis.run("take", script, [settings.prefix + key], ...args), (answer) => {
          const [isTaken, millis] = answer as readonly [0 | 1, number]
          return { isTaken: isTaken === 1, wait: Duration.millis(millis) }
        })
      }
    })
  })
})

/**
 * `RateLimitStore` on `REDIS_URL`, the cluster `REDIS_CLUSTER`, or the master `REDIS_MASTER_NAME` of the Sentinels
 * `REDIS_HOSTS`; keys get `REDIS_RATE_LIMITS_PREFIX`.
 */
export const RedisRateLimitsLive = RedisRateLimits.layerConfig({
  ...RedisClient.config,
  prefix: Config.withDefault(Config.string("REDIS_RATE_LIMITS_PREFIX"), "sre:ratelimits:")
})

/** The first moment at which no minute holds more than any limit, and not before a turn that was given already. */
const script = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local maxWait, minute, nearness = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at = now
local logs = {}
for arg = 4, #ARGV, 3 do
  local log = cjson.decode(redis.call("HGET", KEYS[1], ARGV[arg]) or "[]")
  local limit, takes = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local held = 0
  for i = 3, #log, 3 do held = held + log[i] end
  local turn = math.max(now, log[#log - 1] or now)
  for i = 1, #log, 3 do
    if log[i + 1] + minute > turn and held + takes <= limit then break end
    turn = math.max(turn, log[i + 1] + minute)
    held = held - log[i + 2]
  end
  at = math.max(at, turn)
  logs[arg] = log
end
if at - now > maxWait then return { 0, at - now } end
for arg = 4, #ARGV, 3 do
  local kept = {}
  for i = 1, #logs[arg], 3 do
    if logs[arg][i + 1] + minute > now then
      for j = i, i + 2 do kept[#kept + 1] = logs[arg][j] end
    end
  end
  local takes = tonumber(ARGV[arg + 2])
  if #kept > 0 and at - kept[#kept - 2] < nearness then
    kept[#kept - 1] = at
    kept[#kept] = kept[#kept] + takes
  else
    for _, value in ipairs({ at, at, takes }) do kept[#kept + 1] = value end
  end
  redis.call("HSET", KEYS[1], ARGV[arg], cjson.encode(kept))
end
redis.call("PEXPIRE", KEYS[1], at - now + minute)
return { 1, at - now }`
