/** Turns of keys in this process's memory: each process limits itself alone. */
import { Clock, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as RateLimitStore from "../../subsystems/llm/RateLimitStore.ts"

const RAMRateLimitsSettings = Schema.Struct({
  /** Beyond, the one unused for longest is forgotten. */
  maxKeys: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 10_000 })
})

export const RAMRateLimits = Connector.make({
  name: "RAM",
  aliases: ["RAMRateLimits"],
  contract: RateLimitStore.RateLimitStoreConnector,
  service: RateLimitStore.layer,
  settings: RAMRateLimitsSettings,
  make: ({ maxKeys }) =>
    Effect.sync(() => {
      /** Of each key, by what is shared out. */
      const keys = new Map<string, Map<string, ReadonlyArray<Taken>>>()

      return RateLimitStore.RateLimitStoreConnector.of({
        take: (key, shares, maxWait) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const logs = keys.get(key) ?? new Map<string, ReadonlyArray<Taken>>()
            keys.delete(key)
            if (keys.size >= maxKeys) keys.delete(keys.keys().next().value!)
            keys.set(key, logs)
            const at = Math.max(now, ...shares.map((share) => turnIn(logs.get(share.of) ?? [], share, now)))
            const isTaken = at - now <= Duration.toMillis(maxWait)
            if (isTaken) {
              for (const { of, takes } of shares) logs.set(of, [...withTurn(logs.get(of) ?? [], at, takes, now)])
            }
            return { isTaken, wait: Duration.millis(at - now) }
          })
      })
    })
})

/** `RateLimitStore` in memory, for 10 000 keys. */
export const RAMRateLimitsLive = RAMRateLimits.layer({})

/** Turns given near each other: what all of them took counts until a minute after the last. */
interface Taken {
  readonly first: number
  readonly last: number
  readonly amount: number
}

const minute = Duration.toMillis(RateLimitStore.minute)
const nearness = Duration.toMillis(RateLimitStore.nearness)

/** The first moment at which no minute holds more than the limit, and not before a turn that was given already. */
const turnIn = (log: ReadonlyArray<Taken>, { limit, takes }: RateLimitStore.Share, now: number): number => {
  let at = Math.max(now, log.at(-1)?.last ?? now)
  let held = log.reduce((sum, { amount }) => sum + amount, 0)
  for (const { amount, last } of log) {
    if (last + minute > at && held + takes <= limit) break
    at = Math.max(at, last + minute)
    held -= amount
  }
  return at
}

const withTurn = (log: ReadonlyArray<Taken>, at: number, amount: number, now: number): ReadonlyArray<Taken> => {
  const kept = log.filter(({ last }) => last + minute > now)
  const near = kept.at(-1)
  return near !== undefined && at - near.first < nearness
    ? [...kept.slice(0, -1), { first: near.first, last: at, amount: near.amount + amount }]
    : [...kept, { first: at, last: at, amount }]
}
