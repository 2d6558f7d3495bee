/**
 * Cache in this process's memory: bounded. When it is full, the team or candidate that has most in it loses what it used least
 * recently: nobody can drive out what others keep.
 */
import { Clock, Duration, Effect, Option, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
import { add } from "../../kernel/Places.ts"
import * as Tenants from "../../security/Tenants.ts"
import * as Cache from "../../subsystems/memory/Cache.ts"

const RAMCacheSettings = Schema.Struct({
  /** Of all entries together, keys and an allowance included. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 64 * 2 ** 20 })
})

export const RAMCache = Connector.make({
  name: "RAM",
  aliases: ["RAMCache"],
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: RAMCacheSettings,
  make: ({ maxBytes }) =>
    Effect.map(Tenants.make, ({ ofKey }) => {
      /** In the order of their last use: a Map keeps the order of insertion. */
      const entries = new Map<string, Entry>()
      const homes = new Map<string, Home>()
      let usedBytes = 0
      let writes = 0

      const drop = (key: string) => {
        const entry = entries.get(key)
        if (entry === undefined) return
        const { home, sizeBytes } = entry
        entries.delete(key)
        usedBytes -= sizeBytes
        home.bytes -= sizeBytes
        if (--home.entries === 0) homes.delete(home.name)
      }
      const store = (key: string, entry: Omit<Entry, "home">) => {
        drop(key)
        const home = homeOf(key)
        entries.set(key, { ...entry, home })
        usedBytes += entry.sizeBytes
        home.bytes += entry.sizeBytes
        home.entries++
      }
      const homeOf = (key: string): Home => {
        const name = key.slice(0, key.indexOf("/") + 1)
        const found = homes.get(name)
        if (found !== undefined) return found
        const home: Home = { name, tenant: undefined, entries: 0, bytes: 0 }
        homes.set(name, home)
        return home
      }
      const alive = (key: string, now: number) => {
        const entry = entries.get(key)
        if (entry === undefined || entry.expires > now) return entry
        drop(key)
        return undefined
      }
      /** Makes room, with what has expired first. Some at once: each time it looks at all there is. */
      const shrink = (now: number): Effect.Effect<void> => {
        if (usedBytes <= maxBytes) return Effect.void
        for (const [key, { expires }] of entries) if (expires <= now) drop(key)
        if (usedBytes <= maxBytes) return Effect.void
        return Effect.map(tenanted, () => {
          const bytesOf = new Map<string, number>()
          for (const { bytes, tenant = "" } of homes.values()) add(bytesOf, tenant, bytes)
          const share = shareOf(Array.from(bytesOf.values()), maxBytes - maxBytes / 16)
          for (const [key, { home: { tenant = "" }, sizeBytes }] of entries) {
            if ((bytesOf.get(tenant) ?? 0) <= share) continue
            add(bytesOf, tenant, -sizeBytes)
            drop(key)
          }
        })
      }
      /** Asked for when it matters, and once. */
      const tenanted = Effect.suspend(() =>
        Effect.forEach(
          Array.from(homes.values()).filter(({ tenant }) => tenant === undefined),
          (home) => Effect.map(ofKey(home.name), (tenant) => void (home.tenant = tenant)),
          { discard: true }
        )
      )
      const conditional = <A>(
        method: string,
        key: string,
        expected: Option.Option<string>,
        change: (stored: Entry | undefined, now: number) => Effect.Effect<A, ConnectorError>
      ) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const stored = alive(key, now)
          return stored?.version === Option.getOrUndefined(expected)
            ? change(stored, now)
            : Effect.fail(conflict("RAM", method))
        })

      const put = (
        key: string,
        value: string,
        timeToLive: Duration.Duration | "keep",
        stored: Entry | undefined,
        now: number
      ) => {
        const sizeBytes = 2 * (key.length + value.length) + 200
        if (sizeBytes > maxBytes) return Effect.fail(tooLarge(sizeBytes, maxBytes))
        const expires = timeToLive === "keep" ? stored?.expires ?? Infinity : now + Duration.toMillis(timeToLive)
        store(key, { value, version: String(++writes), expires, sizeBytes })
        return shrink(now)
      }

      return Cache.CacheConnector.of({
        get: (key) =>
          Clock.clockWith((clock) => {
            const now = clock.unsafeCurrentTimeMillis()
            const entry = alive(key, now)
            if (entry === undefined) return Effect.succeedNone
            entries.delete(key)
            entries.set(key, entry)
            const { expires, value, version } = entry
            return Effect.succeedSome({ value, version, timeToLive: Duration.millis(expires - now) })
          }),
        set: (key, value, timeToLive, expected) =>
          conditional("set", key, expected, (stored, now) => put(key, value, timeToLive, stored, now)),
        overwrite: (key, value, timeToLive, start) =>
          Clock.clockWith((clock) => {
            const now = clock.unsafeCurrentTimeMillis()
            const stored = alive(key, now)
            return stored === undefined || stored.value.startsWith(start)
              ? Effect.as(put(key, value, timeToLive, stored, now), true)
              : Effect.succeed(false)
          }),
        touch: (key, timeToLive, expected) =>
          conditional("touch", key, Option.some(expected), (stored, now) =>
            Effect.succeed(store(key, { ...stored!, expires: now + Duration.toMillis(timeToLive) }))),
        remove: (key, expected) =>
          conditional("remove", key, Option.some(expected), () =>
            Effect.succeed(drop(key)))
      })
    })
})

/** `Cache` in memory, up to 64 MiB. */
export const RAMCacheLive = RAMCache.layer({})

interface Entry {
  readonly value: string
  readonly version: string
  /** Milliseconds since 1970, or infinite. */
  readonly expires: number
  readonly sizeBytes: number
  readonly home: Home
}

/** Of a candidate. */
interface Home {
  /** `agent:a1/`, or nothing for keys in no home. */
  readonly name: string
  tenant: string | undefined
  entries: number
  bytes: number
}

/** What each may have, so that all get what they have, or as much as the largest of the others: none where there is room. */
const shareOf = (sizes: ReadonlyArray<number>, total: number): number => {
  let left = total
  for (const [at, size] of sizes.toSorted((one, other) => one - other).entries()) {
    const share = left / (sizes.length - at)
    if (size > share) return share
    left -= size
  }
  return Infinity
}

const tooLarge = (sizeBytes: number, maxBytes: number) =>
  new ConnectorError({
    connector: "RAM",
    method: "set",
    reason: "InvalidInput",
    detail: `a value of ${sizeBytes} bytes is more than the whole cache may hold (maxBytes: ${maxBytes})`
  })
