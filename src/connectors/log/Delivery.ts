/**
 * Records on their way to a server. They are on disk before `write` returns, and stay there until the server has them: a server
 * that is down, or a process that is killed, loses none. Every record has an id that never changes, by which a server can
 * tell one it has already.
 */
import { Deferred, Duration, Effect, Fiber, ParseResult, Queue, Ref, Schedule, Schema, type Scope } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { LogRecord } from "../../subsystems/io/Log.ts"
import * as LineFiles from "./LineFiles.ts"

export const settings = {
  /** Records that wait for the server. Default: `log-spool` in the folder `SRE_DATA`. One process at a time. */
  folder: Schema.optional(Schema.NonEmptyString),
  /** Of the records that wait; beyond, new ones are dropped and counted. */
  maxSpoolBytes: Schema.optionalWith(ByteSize, { default: () => 64 * 2 ** 20 }),
  /** In milliseconds. How long records gather before they are sent in one request. */
  flushInterval: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.millis(500) }),
  /** In milliseconds. For one request. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) }),
  /** In milliseconds. How long shutdown goes on sending; what then waits is sent by the next process. */
  drainTimeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(3) })
}

export interface Identified {
  /** Unique, and the same whenever the record is sent again. */
  readonly id: string
  readonly record: LogRecord
}

/** What became of a request that the server understood. */
export interface Outcome {
  /** To be sent again. */
  readonly retry: ReadonlyArray<Identified>
  /** Why records were refused for good, one text each. Never contents. */
  readonly refused: ReadonlyArray<string>
}

/** One request, which ends in time. A server that fails with `InvalidInput` refuses the request as a whole. */
export type Send = (records: ReadonlyArray<Identified>) => Effect.Effect<Outcome, ConnectorError>

export interface Options {
  readonly connector: string
  readonly folder: string
  readonly maxSpoolBytes: number
  readonly flushInterval: Duration.Duration
  readonly drainTimeout: Duration.Duration
}

/** Opens the spool, sends what an earlier process left there, and then what is written. */
export const make = Effect.fnUntraced(function*(
  options: Options,
  send: Send
): Effect.fn.Return<
  (records: ReadonlyArray<LogRecord>) => Effect.Effect<void, ConnectorError>,
  ConnectorError,
  Scope.Scope
> {
  const { connector } = options
  const spool = yield* LineFiles.make(connector, {
    folder: options.folder,
    maxBytes: 2 ** 20,
    maxLines: 1000,
    maxAgeMillis: Infinity
  })
  const wake = yield* Queue.sliding<void>(1)
  const closing = yield* Deferred.make<void>()
  const isDown = yield* Ref.make(false)

  /** Gives up only when the system shuts down; then `false`. */
  const deliver = (records: ReadonlyArray<Identified>, attempt = 0): Effect.Effect<boolean> =>
    Effect.matchEffect(send(records), {
      onSuccess: ({ refused, retry }) =>
        report(refused).pipe(
          Effect.zipRight(retry.length > 0 ? Effect.void : up),
          Effect.zipRight(retry.length === 0 ? Effect.succeed(true) : again(retry, attempt))
        ),
      onFailure: (error) => {
        if (error.reason !== "InvalidInput") return Effect.zipRight(down(error), again(records, attempt, error))
        // The server refuses a request for one record in it, or for its size: halves find out which.
        const middle = Math.ceil(records.length / 2)
        return records.length <= 1
          ? Effect.as(report(records.map(() => error.detail ?? error.reason)), true)
          : Effect.flatMap(
            deliver(records.slice(0, middle)),
            (done) => done ? deliver(records.slice(middle)) : Effect.succeed(false)
          )
      }
    })

  const again = (records: ReadonlyArray<Identified>, attempt: number, error?: ConnectorError) =>
    Effect.flatMap(
      pause(waitOf(attempt, error)),
      (closed) => closed ? Effect.succeed(false) : deliver(records, attempt + 1)
    )

  /** Ends early, with `true`, when the system shuts down. */
  const pause = (duration: Duration.Duration) =>
    Effect.race(Effect.as(Deferred.await(closing), true), Effect.as(Effect.sleep(duration), false))

  const report = (refused: ReadonlyArray<string>) =>
    refused.length === 0 ? Effect.void : Effect.logWarning(
      `${connector}: ${refused.length} log records were refused: ${Array.from(new Set(refused)).slice(0, 5).join("; ")}`
    )
  const down = (error: ConnectorError) =>
    Effect.flatMap(
      Ref.getAndSet(isDown, true),
      (before) => before ? Effect.void : Effect.logWarning(`${error.message}; log records wait in ${options.folder}`)
    )
  const up = Effect.flatMap(
    Ref.getAndSet(isDown, false),
    (before) => before ? Effect.logInfo(`${connector}: log records are delivered again`) : Effect.void
  )

  /** One file after the other, so that records arrive in their order. */
  const deliverAll = Effect.gen(function*() {
    yield* spool.leave
    for (const name of yield* spool.finished) {
      const lines = yield* spool.read(name)
      const records = lines.flatMap((line, index) => identified(`${name.replace(/\.\w+$/, "")}-${index}`, line))
      if (records.length > 0 && !(yield* deliver(records))) return
      yield* spool.remove(name)
    }
  })

  const run = Effect.gen(function*() {
    while (true) {
      yield* Effect.retry(deliverAll, { schedule: Schedule.spaced("5 seconds") }).pipe(Effect.ignore)
      if (yield* Deferred.isDone(closing)) return
      yield* Effect.raceFirst(Queue.take(wake), Deferred.await(closing))
      yield* pause(options.flushInterval)
    }
  })
  yield* Effect.acquireRelease(
    Effect.forkDaemon(Effect.interruptible(run)),
    (fiber) =>
      Deferred.succeed(closing, undefined).pipe(
        Effect.zipRight(Effect.interruptible(Fiber.await(fiber))),
        Effect.timeoutOption(options.drainTimeout),
        Effect.zipRight(Fiber.interruptFork(fiber))
      )
  )

  return Effect.fnUntraced(function*(records) {
    const lines = records.map((record) => encode(record))
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
    if ((yield* spool.bytes) + bytes > options.maxSpoolBytes) {
      return yield* new ConnectorError({
        connector,
        method: "write",
        reason: "Full",
        detail: `more than ${options.maxSpoolBytes} bytes wait for the server; bring it back, or raise "maxSpoolBytes"`
      })
    }
    yield* spool.append(lines)
    yield* Queue.offer(wake, undefined)
  })
})

const encode = ParseResult.encodeSync(Schema.parseJson(LogRecord))
const decode = ParseResult.decodeUnknownOption(Schema.parseJson(LogRecord))

/** A line that cannot be read is of another version of this program, or damaged: it would stand in the way for ever. */
const identified = (id: string, line: string): ReadonlyArray<Identified> => {
  const record = decode(line)
  return record._tag === "None" ? [] : [{ id, record: record.value }]
}

/** Half a second, doubled up to half a minute; or as long as the server asked for, up to five minutes. */
const waitOf = (attempt: number, error: ConnectorError | undefined): Duration.Duration =>
  error?.retryAfter !== undefined
    ? Duration.min(error.retryAfter, Duration.minutes(5))
    : Duration.min(Duration.times(Duration.millis(500), 2 ** Math.min(attempt, 10)), Duration.seconds(30))
