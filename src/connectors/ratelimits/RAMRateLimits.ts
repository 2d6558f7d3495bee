/** Turns of keys in this process's memory: each process limits itself alone. */
import { Clock, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { add } from "../../kernel/Places.ts"
import * as Tenants from "../../security/Tenants.ts"
import * as RateLimitStore from "../../subsystems/llm/RateLimitStore.ts"

const RAMRateLimitsSettings = Schema.Struct({
  /**
   * Beyond, those are forgotten of which no minute holds anything; then, of the team or candidate that uses most of them, the
   * one that is used least.
   */
  maxKeys: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 10_000 })
})

export const RAMRateLimits = Connector.make({
  name: "RAM",
  aliases: ["RAMRateLimits"],
  contract: RateLimitStore.RateLimitStoreConnector,
  service: RateLimitStore.layer,
  settings: RAMRateLimitsSettings,
  make: ({ maxKeys }) =>
    Effect.map(Tenants.make, ({ current }) => {
      const keys = new Map<string, Account>()
      /** Keys of each tenant. */
      const counts = new Map<string, number>()

      const forget = (key: string, { tenant }: Account) => {
        keys.delete(key)
        add(counts, tenant, -1)
      }
      /** Whoever makes up keys loses those, and gives no other back what its key has used up. */
      const makeRoom = (now: number) => {
        for (const [key, account] of keys) if (isOver(account, now)) forget(key, account)
        if (keys.size < maxKeys) return
        const [most] = Array.from(counts).reduce((a, b) => b[1] > a[1] ? b : a)
        const own = Array.from(keys).filter(([, { tenant }]) => tenant === most)
        forget(...own.reduce((a, b) => heldBy(b[1]) < heldBy(a[1]) ? b : a))
      }
      const accountOf = (key: string, tenant: string, now: number): Account => {
        const known = keys.get(key)
        if (known !== undefined) return known
        if (keys.size >= maxKeys) makeRoom(now)
        const account: Account = { tenant, logs: new Map() }
        keys.set(key, account)
        add(counts, tenant, 1)
        return account
      }

      return RateLimitStore.RateLimitStoreConnector.of({
        take: (key, shares, maxWait) =>
          Effect.zipWith(current, Clock.currentTimeMillis, (tenant, now) => {
            const { logs } = accountOf(key, tenant, now)
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

/** What was taken of a key, by what is shared out. */
interface Account {
  /** Whose call was the first. */
  readonly tenant: string
  readonly logs: Map<string, ReadonlyArray<Taken>>
}

/** Turns given near each other: what all of them took counts until a minute after the last. */
interface Taken {
  readonly first: number
  readonly last: number
  readonly amount: number
}

/** Whether it says no more than no account would. */
const isOver = ({ logs }: Account, now: number): boolean =>
  Array.from(logs.values()).every((log) => log.every(({ last }) => last + minute <= now))

const heldBy = ({ logs }: Account): number =>
  Array.from(logs.values()).flat().reduce((sum, { amount }) => sum + amount, 0)

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
