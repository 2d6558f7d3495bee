/** RateLimits: no key is used for more requests or tokens a minute than its provider allows; calls wait for their turn. */
import { Duration, Effect, Layer, RateLimiter, RcMap, Redacted, Schema, Stream } from "effect"
import { createHash } from "node:crypto"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as ContextWindow from "./ContextWindow.ts"
import * as LLM from "./LLM.ts"

const Limits = Schema.Struct({
  requestsPerMinute: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Of the input as estimated, and of the answer as far as it is bounded: as providers count before they answer. */
  tokensPerMinute: Schema.optional(Schema.Int.pipe(Schema.positive()))
})

export const Settings = Schema.Struct({
  /** By the provider's name: `OpenAI`. Of each key there. */
  providers: Schema.Record({ key: Schema.String, value: Limits }),
  /** A call that would wait longer fails as `RateLimited`; milliseconds. Default 30 seconds. */
  maxWait: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})
export type Settings = typeof Settings.Type

const make = ({ maxWait, providers: limits }: Settings) =>
  Effect.gen(function*() {
    const providers = yield* LLM.Providers
    const limitsOf = new Map(Object.entries(limits).map(([name, one]) => [name.toLowerCase(), one]))
    const limiterOf = (limit: number | undefined) =>
      limit === undefined
        ? Effect.succeed(unlimited)
        : RateLimiter.make({ limit, interval: "1 minute", algorithm: "fixed-window" })
    // Longer than a window lasts, so that no key gets a new one before its time.
    const keys = yield* RcMap.make({
      idleTimeToLive: "2 minutes",
      lookup: (key: string) => {
        const { requestsPerMinute, tokensPerMinute } = limitsOf.get(key.split(" ")[0] ?? "") ?? {}
        return Effect.all({ requests: limiterOf(requestsPerMinute), tokens: limiterOf(tokensPerMinute) })
      }
    })

    const turn = (provider: string, limit: typeof Limits.Type, request: LLM.ProviderRequest) =>
      Effect.scoped(Effect.flatMap(RcMap.get(keys, `${provider.toLowerCase()} ${identityOf(request)}`), (limiters) => {
        // More than a minute's tokens would wait forever.
        const cost = Math.min(tokensOf(request), limit.tokensPerMinute ?? Infinity)
        return Effect.zipRight(
          limiters.requests(Effect.void),
          limiters.tokens(Effect.void).pipe(RateLimiter.withCost(cost))
        )
      })).pipe(
        Effect.timeoutFail({ duration: maxWait, onTimeout: () => tooMany(provider, maxWait) })
      )

    return new Map(Array.from(providers, ([name, provider]): [string, LLM.LLMProvider] => {
      const limit = limitsOf.get(name)
      return [
        name,
        limit === undefined ? provider : {
          ...provider,
          stream: (request) =>
            Stream.unwrap(Effect.as(turn(provider.provider, limit, request), provider.stream(request)))
        }
      ]
    }))
  })

/** The providers, within the limits. */
export const layer = (settings: Settings): Layer.Layer<LLM.Providers, never, LLM.Providers> =>
  Layer.scoped(LLM.Providers, make(settings))

const unlimited: RateLimiter.RateLimiter = (task) => task

/** Tells keys apart without keeping them. */
const identityOf = ({ apiKey, baseURL = "" }: LLM.ProviderRequest) =>
  createHash("sha256").update(`${baseURL}\n${apiKey === undefined ? "" : Redacted.value(apiKey)}`).digest("base64")

const tokensOf = ({ maxTokens = 0, messages }: LLM.ProviderRequest) =>
  messages.reduce((sum, message) => sum + ContextWindow.tokensOf(message), maxTokens)

const tooMany = (connector: string, maxWait: Duration.Duration) =>
  new ConnectorError({
    connector,
    method: "stream",
    reason: "RateLimited",
    detail: `the key's requests or tokens of this minute are used up, and its turn did not come within ${
      Duration.format(maxWait)
    }`,
    // So long that nobody tries again by himself.
    retryAfter: Duration.minutes(1)
  })
