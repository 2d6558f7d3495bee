/**
 * Circuits: an endpoint that failed several times in a row is left alone for a while, then tried by one call. By its keys and
 * prompts, a tenant may be why it fails: one has circuits of its own, and keeps no other from an endpoint.
 */
import { Clock, Duration, Effect, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Tenants from "../../security/Tenants.ts"

export const Settings = Schema.Struct({
  /** In a row. Default 5. */
  failures: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 5 }),
  /** Milliseconds in which the endpoint is left alone. Default 30 seconds. */
  openFor: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})
export type Settings = typeof Settings.Type

export interface Circuits {
  /** What the others call the endpoint, for whoever asks now. */
  readonly of: (endpoint: string) => Effect.Effect<string>
  /** Whether the endpoint may be asked now; where it is open, once in a while. Else how long not. */
  readonly enter: (endpoint: string, method: string) => Effect.Effect<void, ConnectorError>
  /** It answered, whatever it said. */
  readonly answered: (endpoint: string) => Effect.Effect<void>
  readonly failed: (endpoint: string) => Effect.Effect<void>
}

interface State {
  readonly failures: number
  readonly openUntil: number
}

/** At most this many endpoints that fail are remembered, since tenants name some. */
const maxEndpoints = 10_000

export const make = Effect.fnUntraced(function*({ failures, openFor }: Settings): Effect.fn.Return<Circuits> {
  const { current } = yield* Tenants.make
  const states = new Map<string, State>()
  const pause = Duration.toMillis(openFor)

  return {
    of: (endpoint) => Effect.map(current, (tenant) => `${endpoint} ${tenant}`),
    enter: (endpoint, method) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const state = states.get(endpoint)
        if (state === undefined || state.failures < failures) return Effect.void
        if (now < state.openUntil) return Effect.fail(isOpen(endpoint, method, state.openUntil - now))
        // One call finds out whether it works again; the others wait for what becomes of it.
        states.set(endpoint, { ...state, openUntil: now + pause })
        return Effect.void
      }),
    answered: (endpoint) => Effect.sync(() => void states.delete(endpoint)),
    failed: (endpoint) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const count = (states.get(endpoint)?.failures ?? 0) + 1
        states.delete(endpoint)
        if (states.size >= maxEndpoints) states.delete(states.keys().next().value!)
        states.set(endpoint, { failures: count, openUntil: count < failures ? 0 : now + pause })
      })
  }
})

/** Remembers what became of a call to the endpoint. */
export const watched =
  ({ answered, failed }: Circuits, endpoint: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.tapBoth(self, {
      onSuccess: () => answered(endpoint),
      onFailure: (error) => isDown(error) ? failed(endpoint) : answered(endpoint)
    })

/** Whether it is the endpoint that failed, and not the request. */
export const isDown = (error: unknown): boolean =>
  error instanceof ConnectorError && (error.reason === "Unavailable" || error.reason === "Timeout")

/** Nothing is ever left alone. */
export const closed: Circuits = {
  of: Effect.succeed,
  enter: () => Effect.void,
  answered: () => Effect.void,
  failed: () => Effect.void
}

const isOpen = (endpoint: string, method: string, millis: number) =>
  new ConnectorError({
    connector: endpoint.split(" ")[0] ?? "",
    method,
    reason: "Unavailable",
    detail: "it failed several times in a row and is left alone for now",
    retryAfter: Duration.millis(millis)
  })
