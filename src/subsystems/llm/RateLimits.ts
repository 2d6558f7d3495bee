/** RateLimits: no key is used for more requests or tokens a minute than its provider allows; calls wait for their turn. */
import { Duration, Effect, Redacted, Schema } from "effect"
import { createHash } from "node:crypto"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { Call } from "./Governor.ts"
import { RateLimitStore, type Share } from "./RateLimitStore.ts"

const Limits = Schema.Struct({
  requestsPerMinute: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Of the input as estimated, and of the answer as far as it is bounded: as providers count before they answer. */
  tokensPerMinute: Schema.optional(Schema.Int.pipe(Schema.positive()))
})

export const Settings = Schema.Struct({
  /** By the provider's name: `OpenAI`. Of each key there, for whatever it is used. */
  providers: Schema.Record({ key: Schema.String, value: Limits }),
  /** A call that would wait longer fails as `RateLimited`; milliseconds. Default 30 seconds. */
  maxWait: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})
export type Settings = typeof Settings.Type

/** Waits until a try of a call may be made. */
export const make = ({ maxWait, providers }: Settings): Effect.Effect<Turn, never, RateLimitStore> =>
  Effect.map(RateLimitStore, (store) => {
    const limitsOf = new Map(Object.entries(providers).map(([name, one]) => [name.toLowerCase(), one]))

    return Effect.fnUntraced(function*(call, tokens) {
      const limits = limitsOf.get(call.provider.toLowerCase())
      if (limits === undefined) return
      const shares = [
        ...share("requests", limits.requestsPerMinute, 1),
        ...share("tokens", limits.tokensPerMinute, tokens)
      ]
      const { isTaken, wait } = yield* store.take(keyOf(call), shares, maxWait)
      return yield* isTaken ? Effect.sleep(wait) : tooMany(call, maxWait)
    })
  })

export type Turn = (call: Call, tokens: number) => Effect.Effect<void, ConnectorError>

/** More than a minute's would wait for ever: it is let through alone. */
const share = (of: string, limit: number | undefined, takes: number): ReadonlyArray<Share> =>
  limit === undefined ? [] : [{ of, limit, takes: Math.min(takes, limit) }]

/** Tells keys apart without keeping them. */
const keyOf = ({ apiKey, model: { baseURL = "" }, provider }: Call): string => {
  const key = apiKey === undefined ? "" : Redacted.value(apiKey)
  return `${provider.toLowerCase()} ${createHash("sha256").update(`${baseURL}\n${key}`).digest("base64")}`
}

const tooMany = ({ method, provider }: Call, maxWait: Duration.Duration) =>
  Effect.fail(
    new ConnectorError({
      connector: provider,
      method,
      reason: "RateLimited",
      detail: `the key's requests or tokens of this minute are used up, and its turn would not come within ${
        Duration.format(maxWait)
      }`,
      // So long that nobody tries again by himself.
      retryAfter: Duration.minutes(1)
    })
  )
