/**
 * RateLimitStore: whose turn it is to use a key. Rate limits ask {@link RateLimitStore}, connectors implement
 * {@link RateLimitStoreConnector}: for one process, or shared by many. The host's own: no candidate asks for it.
 */
import { Context, Duration, Effect, Layer } from "effect"
import { type ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"

/** Of what a key may be used for, in any {@link minute}. */
export interface Share {
  /** `requests`, `tokens` */
  readonly of: string
  readonly limit: number
  /** What the call takes of it: at most the limit. */
  readonly takes: number
}

export interface Turn {
  /** From now on. */
  readonly wait: Duration.Duration
  /** Not where the wait would be too long: then nothing was taken. */
  readonly isTaken: boolean
}

export interface Store {
  /** Turns come in the order they are asked for, so that no large call is overtaken for ever. */
  readonly take: (
    key: string,
    shares: ReadonlyArray<Share>,
    maxWait: Duration.Duration
  ) => Effect.Effect<Turn, ConnectorError>
}

export class RateLimitStoreConnector
  extends Context.Tag("effect-sre/RateLimitStoreConnector")<RateLimitStoreConnector, Store>()
{}

export class RateLimitStore extends Context.Tag("effect-sre/RateLimitStore")<RateLimitStore, Store>() {}

export const minute = Duration.minutes(1)

/** Turns so near each other are kept as one, of the time of the last: an account of a key is never longer than some ninety. */
export const nearness = Duration.seconds(1)

export const layer: Layer.Layer<RateLimitStore, never, RateLimitStoreConnector> = Layer.effect(
  RateLimitStore,
  Effect.map(RateLimitStoreConnector, ({ take }) =>
    RateLimitStore.of({
      // A turn whose answer was lost is lost: the key is used less, never more.
      take: (key, shares, maxWait) => traced("RateLimitStore.take")(retrying(take(key, shares, maxWait)))
    }))
)
