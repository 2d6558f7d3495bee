/** A connector of one's own: a cache on a `Map`. Access, keys and spans are the service's business, not the connector's. */
import { Clock, Duration, Effect, Option, Schema } from "effect"
import { Cache, Candidate, Connector, ConnectorError } from "effect-sre"

const MapCache = Connector.make({
  name: "Map",
  contract: Cache.CacheConnector,
  service: Cache.layer,
  settings: Schema.Struct({}),
  make: () =>
    Effect.sync(() => {
      const entries = new Map<string, { value: string; version: string; until: number }>()
      let version = 0
      const find = (key: string, now: number) => {
        const found = entries.get(key)
        return found !== undefined && found.until > now ? found : undefined
      }
      const change = (key: string, expected: string | undefined, to: (now: number) => void) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          find(key, now)?.version === expected
            ? Effect.sync(() => to(now))
            : Effect.fail(new ConnectorError({ connector: "Map", method: "change", reason: "Conflict" })))
      return Cache.CacheConnector.of({
        get: (key) =>
          Effect.map(Clock.currentTimeMillis, (now) =>
            Option.map(Option.fromNullable(find(key, now)), ({ until, ...entry }) => ({
              ...entry,
              timeToLive: Duration.millis(until - now)
            }))),
        set: (key, value, ttl, expected) =>
          change(key, Option.getOrUndefined(expected), (now) => {
            const until = ttl === "keep" ? find(key, now)?.until ?? Infinity : now + Duration.toMillis(ttl)
            entries.set(key, { value, version: String(++version), until })
          }),
        touch: (key, ttl, expected) =>
          change(key, expected, (now) => (entries.get(key)!.until = now + Duration.toMillis(ttl))),
        remove: (key, expected) => change(key, expected, () => entries.delete(key))
      })
    })
})

const main = Effect.gen(function*() {
  const cache = yield* Cache.Cache
  yield* Candidate.as(cache.set("greeting", "hello", { timeToLive: "1 minute" }), Candidate.user("alice"))
  console.log("alice:", Option.getOrNull(yield* Candidate.as(cache.get("greeting"), Candidate.user("alice"))))
  console.log("bob:", Option.getOrNull(yield* Candidate.as(cache.get("greeting"), Candidate.user("bob"))))
  const asked = yield* Effect.flip(Candidate.as(cache.get("smythfs://alice.user/greeting"), Candidate.user("bob")))
  console.log("bob, of alice's:", asked.message)
})

export const program = () => Effect.runPromise(Effect.provide(main, MapCache.layer({})))
