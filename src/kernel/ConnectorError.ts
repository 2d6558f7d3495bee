/** The one error of all connectors: what a vendor, a disk or a network did, in terms a caller can branch on. */
import { Duration, Effect, Schedule, Schema } from "effect"

/**
 * - `Unavailable`: not reached, connection lost, 5xx. `Timeout`: no answer in time. `RateLimited`: 429. These may pass.
 * - `Unauthorized`: the backend refused our credentials. `NotFound`: the backend itself (bucket, table, model) is missing.
 * - `InvalidInput`: the backend cannot honour this value. `Unsupported`: it cannot do this at all.
 * - `Conflict`: a conditional write lost. `Locked`: another process holds the resource. `Full`: disk or quota.
 * - `Corrupted`: stored data cannot be read back. `Protocol`: the answer is not what the vendor's protocol promises.
 */
export const Reason = Schema.Literal(
  "Unavailable",
  "Timeout",
  "RateLimited",
  "Unauthorized",
  "NotFound",
  "InvalidInput",
  "Unsupported",
  "Conflict",
  "Locked",
  "Full",
  "Corrupted",
  "Protocol"
)
export type Reason = typeof Reason.Type

const transient: ReadonlySet<Reason> = new Set(["Unavailable", "Timeout", "RateLimited"])

export class ConnectorError extends Schema.TaggedError<ConnectorError>()("ConnectorError", {
  connector: Schema.String,
  /** The contract's method that failed. */
  method: Schema.String,
  reason: Reason,
  /** One sentence for a person: what happened and, where known, what to do. Never a secret, never contents. */
  detail: Schema.optional(Schema.String),
  /** How long the backend asked to wait (`Retry-After`). */
  retryAfter: Schema.optional(Schema.DurationFromMillis),
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `${this.connector}.${this.method}: ${this.reason}${this.detail === undefined ? "" : ` (${this.detail})`}`
  }
  /** Whether the same call may succeed later without a change by the caller. */
  get isRetryable(): boolean {
    return transient.has(this.reason)
  }
}

/** A conditional write found another version than it expected. */
export const conflict = (connector: string, method: string): ConnectorError =>
  new ConnectorError({ connector, method, reason: "Conflict", detail: "it was changed meanwhile" })

export const isConflict = (error: unknown): error is ConnectorError =>
  error instanceof ConnectorError && error.reason === "Conflict"

const backoff = Schedule.exponential("50 millis").pipe(Schedule.jittered, Schedule.intersect(Schedule.recurs(2)))

const isTransient = (error: unknown): boolean => error instanceof ConnectorError && error.isRetryable

const waitAsAsked = (error: unknown): Effect.Effect<void> =>
  error instanceof ConnectorError && error.retryAfter !== undefined
    ? Effect.sleep(Duration.min(error.retryAfter, Duration.seconds(5)))
    : Effect.void

/** Tries an idempotent call up to three times while its error is transient, waiting as long as the backend asked for. */
export const retrying = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  onceFailed(
    self,
    isTransient,
    (again) => Effect.retry(Effect.tapError(again, waitAsAsked), { schedule: backoff, while: isTransient })
  )

/** Retries with a schedule that is made when the first try, which it counts, has failed: it costs more than most calls. */
export const onceFailed = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  isWorthIt: (error: E) => boolean,
  retry: (self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.catchAll(self, (error) => {
    let attempt: Effect.Effect<A, E, R> = Effect.fail(error)
    return !isWorthIt(error) ? attempt : retry(Effect.suspend(() => {
      const now = attempt
      attempt = self
      return now
    }))
  })
