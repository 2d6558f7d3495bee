/**
 * What a collector has still to take. It waits while the collector is away, up to a bound, and goes on in its order: the exporters
 * themselves throw a batch away after four tries, and with it all of the minute that follows.
 */
import { Duration, Effect, Schedule, type Scope } from "effect"

export interface Batch {
  readonly bytes: number
}

/** Why a batch was not taken. */
export interface Failure {
  /** Whether the same batch may be taken later. */
  readonly isTransient: boolean
  /** What the collector asked for. */
  readonly retryAfter: Duration.Duration | undefined
  readonly detail: string
}

export interface Options<A extends Batch> {
  /** What is sent, for the log: `traces`. */
  readonly name: string
  /** Beyond, the oldest batches are lost. */
  readonly maxBytes: number
  /** One try, which has an end. */
  readonly send: (batch: A) => Effect.Effect<void, Failure>
  /** How long the last ones may take when the scope closes. */
  readonly timeout: Duration.Duration
}

/** Takes a batch, without waiting for anybody. */
export type Offer<A> = (batch: A) => Effect.Effect<void>

export const make = Effect.fnUntraced(function*<A extends Batch>(
  { maxBytes, name, send, timeout }: Options<A>
): Effect.fn.Return<Offer<A>, never, Scope.Scope> {
  const waiting: Array<A> = []
  const arrived = yield* Effect.makeLatch(false)
  const turn = yield* Effect.makeSemaphore(1)
  let bytes = 0
  let lost = 0
  let isTroubled = false

  const lose = () => {
    bytes -= waiting.shift()?.bytes ?? 0
    lost++
  }

  /** Said once, until the collector takes something again. */
  const troubled = ({ detail }: Failure) =>
    Effect.suspend(() => {
      if (isTroubled) return Effect.void
      isTroubled = true
      return Effect.logWarning(`The collector does not take ${name}: ${detail}`)
    })

  const taken = (batch: A) =>
    Effect.suspend(() => {
      if (waiting[0] === batch) bytes -= waiting.shift()!.bytes
      const before = lost
      lost = 0
      isTroubled = false
      return before === 0 ? Effect.void : Effect.logWarning(`${before} batches of ${name} were lost`)
    })

  /** One after the other, until none is left or the collector is away. What it refuses for good is lost. */
  const drain = turn.withPermits(1)(Effect.whileLoop({
    while: () => waiting.length > 0,
    body: () => {
      const batch = waiting[0]!
      return send(batch).pipe(
        Effect.tapError(troubled),
        Effect.zipRight(taken(batch)),
        Effect.catchIf(({ isTransient }) => !isTransient, () => Effect.sync(() => waiting[0] === batch && lose()))
      )
    },
    step: () => {}
  }))

  yield* arrived.await.pipe(
    Effect.zipRight(arrived.close),
    Effect.zipRight(Effect.retry(Effect.tapError(drain, waitAsAsked), backoff)),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() => drain.pipe(Effect.timeout(timeout), Effect.ignore, Effect.interruptible))

  return (batch) =>
    Effect.suspend(() => {
      waiting.push(batch)
      bytes += batch.bytes
      while (bytes > maxBytes && waiting.length > 1) lose()
      return arrived.open
    })
})

const backoff = Schedule.exponential("250 millis").pipe(Schedule.union(Schedule.spaced("5 seconds")), Schedule.jittered)

const waitAsAsked = ({ retryAfter }: Failure) =>
  retryAfter === undefined ? Effect.void : Effect.sleep(Duration.min(retryAfter, Duration.minutes(1)))
