/** Cache in this process's memory: bounded, and what was used least recently goes first. */
import { Clock, Duration, Effect, Option, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import { conflict, ConnectorError } from "../../kernel/ConnectorError.ts"
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
    Effect.sync(() => {
      /** In the order of their last use: a Map keeps the order of insertion. */
      const entries = new Map<string, Entry>()
      let usedBytes = 0
      let writes = 0

      const drop = (key: string) => {
        usedBytes -= entries.get(key)?.sizeBytes ?? 0
        entries.delete(key)
      }
      const store = (key: string, entry: Entry) => {
        drop(key)
        entries.set(key, entry)
        usedBytes += entry.sizeBytes
      }
      const alive = (key: string, now: number) => {
        const entry = entries.get(key)
        if (entry === undefined || entry.expires > now) return entry
        drop(key)
        return undefined
      }
      /** Makes room, with what has expired first. */
      const shrink = (now: number) => {
        if (usedBytes <= maxBytes) return
        for (const [key, { expires }] of entries) if (expires <= now) drop(key)
        for (const key of entries.keys()) {
          if (usedBytes <= maxBytes) return
          drop(key)
        }
      }
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

      return Cache.CacheConnector.of({
        get: (key) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const entry = alive(key, now)
            if (entry === undefined) return Option.none()
            entries.delete(key)
            entries.set(key, entry)
            const { expires, value, version } = entry
            return Option.some({ value, version, timeToLive: Duration.millis(expires - now) })
          }),
        set: (key, value, timeToLive, expected) =>
          conditional("set", key, expected, (stored, now) => {
            const sizeBytes = 2 * (key.length + value.length) + 200
            if (sizeBytes > maxBytes) return Effect.fail(tooLarge(sizeBytes, maxBytes))
            const expires = timeToLive === "keep" ? stored?.expires ?? Infinity : now + Duration.toMillis(timeToLive)
            store(key, { value, version: String(++writes), expires, sizeBytes })
            return Effect.succeed(shrink(now))
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
}

const tooLarge = (sizeBytes: number, maxBytes: number) =>
  new ConnectorError({
    connector: "RAM",
    method: "set",
    reason: "InvalidInput",
    detail: `a value of ${sizeBytes} bytes is more than the whole cache may hold (maxBytes: ${maxBytes})`
  })
