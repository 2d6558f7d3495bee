/**
 * Accounts of budgets on Redis 6 or newer, or what speaks like it: all processes together keep to a limit, by the server's
 * clock. Of each account a hash: since when its window lasts, what was used in it, and every call under way. Scripts change
 * several at once, which on a cluster have to be on one node: all are.
 */
import { Config, Duration, Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as BudgetStore from "../../subsystems/llm/BudgetStore.ts"
import * as RedisClient from "../RedisClient.ts"

const RedisBudgetsSettings = Schema.Struct({
  ...RedisClient.settings,
  /** Before every key, so that several systems share a server. */
  prefix: Schema.optionalWith(Schema.String, { default: () => "sre:budgets:" }),
  /** Milliseconds after which the calls of a process that died count in full and their places are free; others are renewed. */
  lease: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(1) }),
  /** The account of a run is forgotten so long after its last call. Milliseconds; default a week. */
  keepRuns: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.days(7) })
})

export const RedisBudgets = Connector.make({
  name: "Redis",
  aliases: ["RedisBudgets"],
  contract: BudgetStore.BudgetStoreConnector,
  service: BudgetStore.layer,
  settings: RedisBudgetsSettings,
  make: Effect.fnUntraced(function*(settings) {
    const redis = yield* RedisClient.make(settings)
    yield* RedisClient.refuseEviction("BudgetStore", redis)
    const lease = Duration.toMillis(settings.lease)

    const run = (
      method: string,
      script: string,
      id: string,
      accounts: ReadonlyArray<BudgetStore.Account>,
      ...args: ReadonlyArray<number | string>
    ) => {
      // What is in braces decides the node.
      const keys = accounts.map(({ scope }) => `{${settings.prefix}}${scope}`)
      const kept = accounts.map((account) => keptFor(account, settings.keepRuns))
      return redis.run(method, script, keys, id, ...[lease, ...kept, ...args].map(String))
    }

    return BudgetStore.BudgetStoreConnector.of({
      reserve: Effect.fnUntraced(function*(id, accounts, most) {
        const limits = accounts.flatMap(({ limits: { per, ...limits } }) => [
          per === undefined ? "" : Duration.toMillis(per),
          ...[...BudgetStore.kinds, "concurrency" as const].map((what) => limits[what] ?? "")
        ])
        const refused = yield* run("reserve", scripts.reserve, id, accounts, ...amounts(most), ...limits)
        if (refused === null) return
        const [account, kind, used] = refused as readonly [number, number, string]
        const { limits: limited, scope } = accounts[account - 1]!
        const what = BudgetStore.kinds[kind - 1]
        return yield* new BudgetStore.BudgetExceeded({
          scope,
          what: what ?? "concurrency",
          limit: limited[what ?? "concurrency"] ?? 0,
          used: Number(used),
          asked: what === undefined ? 1 : most[what]
        })
      }),
      settle: (id, accounts, used) => Effect.asVoid(run("settle", scripts.settle, id, accounts, ...amounts(used))),
      renew: (id, accounts) => Effect.asVoid(run("renew", scripts.renew, id, accounts)),
      lease: Option.some(settings.lease)
    })
  })
})

/**
 * `BudgetStore` on `REDIS_URL`, the cluster `REDIS_CLUSTER`, or the master `REDIS_MASTER_NAME` of the Sentinels `REDIS_HOSTS`;
 * keys get `REDIS_BUDGETS_PREFIX`.
 */
export const RedisBudgetsLive = RedisBudgets.layerConfig({
  ...RedisClient.config,
  prefix: Config.withDefault(Config.string("REDIS_BUDGETS_PREFIX"), "sre:budgets:"),
  lease: Config.succeed(Duration.minutes(1)),
  keepRuns: Config.succeed(Duration.days(7))
})

const amounts = (amount: BudgetStore.Amount) => BudgetStore.kinds.map((what) => amount[what])

/** After the last change of an account nobody needs it: its window is over, or its run. Others are kept for ever. */
const keptFor = ({ limits: { per }, scope }: BudgetStore.Account, keepRuns: Duration.Duration) =>
  per !== undefined ? Duration.toMillis(per) : scope.startsWith("run:") ? Duration.toMillis(keepRuns) : ""

/**
 * `KEYS`: the accounts. `ARGV`: the call's id, the lease, how long each account is kept; then four amounts; then of each account
 * how long a window lasts and five limits, the last of calls at once. A call under way is a field `call:<id>` with the end of
 * its lease and its amounts; one whose lease is over is used up.
 */
const common = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local call, lease = "call:" .. ARGV[1], tonumber(ARGV[2])
local first = 3 + #KEYS
local kinds = { "tokens", "money", "calls", "time" }
local function exact(number) return string.format("%.17g", number) end
local function amountsAt(arg)
  local amounts = {}
  for kind = 1, 4 do amounts[kind] = tonumber(ARGV[arg + kind - 1]) end
  return amounts
end
local function use(key, amounts)
  for kind = 1, 4 do
    local used = tonumber(redis.call("HGET", key, kinds[kind]) or "0")
    redis.call("HSET", key, kinds[kind], exact(used + amounts[kind]))
  end
end
local function hold(key, amounts)
  local held = { exact(now + lease) }
  for kind = 1, 4 do held[kind + 1] = exact(amounts[kind]) end
  redis.call("HSET", key, call, table.concat(held, " "))
end
local function heldIn(text)
  local numbers = {}
  for number in string.gmatch(text, "%S+") do numbers[#numbers + 1] = tonumber(number) end
  return table.remove(numbers, 1), numbers
end
local function keep(n, key)
  if ARGV[2 + n] == "" then redis.call("PERSIST", key)
  else redis.call("PEXPIRE", key, math.ceil(tonumber(ARGV[2 + n]) + lease)) end
end`

const scripts = {
  reserve: `${common}
local most = amountsAt(first)
for n, key in ipairs(KEYS) do
  local limits = first + 4 + (n - 1) * 6
  local flat = redis.call("HGETALL", key)
  local reserved, underWay, isThere = { 0, 0, 0, 0 }, 0, false
  for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 5) == "call:" then
      local ends, amounts = heldIn(flat[i + 1])
      if ends <= now then
        redis.call("HDEL", key, flat[i])
        use(key, amounts)
      else
        underWay = underWay + 1
        isThere = isThere or flat[i] == call
        for kind = 1, 4 do reserved[kind] = reserved[kind] + amounts[kind] end
      end
    end
  end
  local since, per = tonumber(redis.call("HGET", key, "since") or now), tonumber(ARGV[limits])
  if per and now - since >= per then
    since = now
    redis.call("HDEL", key, unpack(kinds))
  end
  redis.call("HSET", key, "since", exact(since))
  keep(n, key)
  if not isThere then
    for kind = 1, 4 do
      local limit = tonumber(ARGV[limits + kind])
      local used = tonumber(redis.call("HGET", key, kinds[kind]) or "0") + reserved[kind]
      if limit and used + most[kind] > limit then return { n, kind, exact(used) } end
    end
    local limit = tonumber(ARGV[limits + 5])
    if limit and underWay + 1 > limit then return { n, 5, exact(underWay) } end
  end
end
for _, key in ipairs(KEYS) do hold(key, most) end
return false`,
  settle: `${common}
for n, key in ipairs(KEYS) do
  if redis.call("HDEL", key, call) == 1 then
    use(key, amountsAt(first))
    keep(n, key)
  end
end`,
  renew: `${common}
for n, key in ipairs(KEYS) do
  local held = redis.call("HGET", key, call)
  if held then
    local _, amounts = heldIn(held)
    hold(key, amounts)
    keep(n, key)
  end
end`
}
