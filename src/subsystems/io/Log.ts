/** Log: what agents did, record by record. Callers use {@link Log}, sinks implement {@link LogConnector}. */
import { Clock, Context, Effect, Fiber, Layer, Mailbox, Ref, Schema, type Scope } from "effect"
import { inspect } from "node:util"
import { type ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { redact } from "../../kernel/Redaction.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Audit from "../../security/Audit.ts"
import { Candidate, type NoCandidate } from "../../security/Candidate.ts"

/** In rising order. */
export const levels = ["debug", "info", "warning", "error"] as const
export type Level = (typeof levels)[number]

/** What a caller tells. `input`, `output` and `error` may be anything: only a preview of each is kept. */
export interface Entry {
  readonly level: Level
  readonly message: string
  readonly componentId?: string | undefined
  readonly runId?: string | undefined
  readonly input?: unknown
  readonly output?: unknown
  readonly error?: unknown
}

/** What a sink gets. Texts hold at most {@link maxPreview} characters; secrets in them are already `<redacted>`. */
export const LogRecord = Schema.Struct({
  /** `activity`: a component or run. `task`: billable work done. `audit`: an access decision. */
  kind: Schema.Literal("activity", "task", "audit"),
  /** Milliseconds since 1970. */
  time: Schema.Number,
  /** Absent only in audit records of a refusal for want of an identity. */
  candidate: Schema.optional(Candidate),
  /** The agent that acted: from the candidate, so that no agent can write into another's log. */
  agentId: Schema.optional(Schema.String),
  componentId: Schema.optional(Schema.String),
  runId: Schema.optional(Schema.String),
  level: Schema.Literal(...levels),
  message: Schema.String,
  input: Schema.optional(Schema.String),
  output: Schema.optional(Schema.String),
  error: Schema.optional(Schema.String),
  /** Tasks done, in records of kind `task`. */
  count: Schema.optional(Schema.Number)
})
export interface LogRecord extends Schema.Schema.Type<typeof LogRecord> {}

export const maxPreview = 1000

/** A sink. Slow or failing ones are the service's concern: records wait in a bounded queue and callers never do. */
export class LogConnector extends Context.Tag("effect-sre/LogConnector")<LogConnector, {
  /** The lowest level it keeps; records below it are not even made. Absent: all. */
  readonly level?: Level
  /** Records in the order they were made; at least one. */
  readonly write: (records: ReadonlyArray<LogRecord>) => Effect.Effect<void, ConnectorError>
}>() {}

export class Log extends Context.Tag("effect-sre/Log")<Log, {
  /** Records under the current candidate; returns before the record is written. */
  readonly record: (entry: Entry) => Effect.Effect<void, NoCandidate>
  /** Counts finished tasks of the current candidate. */
  readonly task: (count: number, runId?: string) => Effect.Effect<void, NoCandidate>
}>() {}

const make = Effect.gen(function*() {
  const guard = yield* Access.guard("Log")
  const connector = yield* LogConnector
  const lowest = levels.indexOf(connector.level ?? "debug")
  const offer = yield* openSink(connector)

  return Log.of({
    record: (entry) =>
      Effect.flatMap(
        guard.candidate("record"),
        (candidate) =>
          levels.indexOf(entry.level) < lowest ? Effect.void : Effect.flatMap(Clock.currentTimeMillis, (time) =>
            offer({
              kind: "activity",
              time,
              candidate,
              agentId: candidate.role === "agent" ? candidate.id : undefined,
              componentId: entry.componentId,
              runId: entry.runId,
              level: entry.level,
              message: preview(entry.message),
              input: optionalPreview(entry.input),
              output: optionalPreview(entry.output),
              error: optionalPreview(entry.error)
            })).pipe(traced("Log.record"))
      ),
    task: Effect.fnUntraced(function*(count, runId) {
      const candidate = yield* guard.candidate("task")
      yield* offer({
        kind: "task",
        time: yield* Clock.currentTimeMillis,
        candidate,
        agentId: candidate.role === "agent" ? candidate.id : undefined,
        runId,
        level: "info",
        message: `${count} ${count === 1 ? "task" : "tasks"}`,
        count
      })
    }, traced("Log.task"))
  })
})

/** Sends access decisions to the sink of the log: denials as warnings, the rest as `info`. */
export const auditLayer = (level: Audit.AuditSink["level"] = "owner"): Layer.Layer<Audit.Audit, never, LogConnector> =>
  Layer.scoped(
    Audit.Audit,
    Effect.map(Effect.flatMap(LogConnector, (connector) => openSink(connector)), (offer) => ({
      level,
      record: ({ candidate, operation, resource, service, time, verdict }) =>
        offer({
          kind: "audit",
          time,
          candidate,
          agentId: candidate?.role === "agent" ? candidate.id : undefined,
          level: verdict === "denied" ? "warning" : "info",
          message: preview(`${verdict} ${service}.${operation}${resource === "" ? "" : ` ${resource}`}`)
        })
    }))
  )

/** The guarded service, and with it the audit of all other services. */
export const layer: Layer.Layer<Log | Audit.Audit, never, LogConnector> = Layer.merge(
  Layer.scoped(Log, make),
  auditLayer()
)

/** A value as one bounded text without secrets. Arrays, long texts and deep objects are cut before they are rendered. */
export const preview = (value: unknown): string => {
  const text = redact(typeof value === "string" ? value.slice(0, 2 * maxPreview) : inspected(value))
  return text.length <= maxPreview ? text : `${text.slice(0, maxPreview - 1).toWellFormed()}…`
}

const optionalPreview = (value: unknown) => value === undefined ? undefined : preview(value)

const inspected = (value: unknown): string => {
  try {
    return inspect(value, { depth: 6, maxArrayLength: 50, maxStringLength: maxPreview, breakLength: Infinity })
  } catch {
    return "<cannot be shown>"
  }
}

/** Records that may wait for a slow sink; later ones are dropped and counted. */
const capacity = 10_000
/** Between two writes; of real time, also where a test stands still. */
const pause = Effect.withClock(Effect.sleep("20 millis"), Clock.make())

/** The bounded queue in front of a sink. What waits when the scope closes is written, for at most three seconds. */
const openSink = (
  connector: typeof LogConnector.Service
): Effect.Effect<(record: LogRecord) => Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const mailbox = yield* Mailbox.make<LogRecord>({ capacity, strategy: "dropping" })
    const dropped = yield* Ref.make(0)

    const write = (records: ReadonlyArray<LogRecord>) =>
      retrying(connector.write(records)).pipe(
        Effect.timeout("10 seconds"),
        Effect.catchAll((error) =>
          Effect.zipRight(
            Ref.update(dropped, (count) => count + records.length),
            Effect.logWarning(`log sink: ${error.message}`)
          )
        )
      )
    const writeNext = Effect.gen(function*() {
      const [records, done] = yield* mailbox.takeAll
      const lost = yield* Ref.getAndSet(dropped, 0)
      const report = lost === 0 ? [] : [yield* droppedRecord(lost)]
      const batch = [...records, ...report]
      if (batch.length > 0) yield* write(batch)
      return done
    })
    // Records of a busy time are written together: a write costs more than all that is in it.
    const drain = Effect.repeat(Effect.tap(writeNext, (done) => done ? Effect.void : pause), { until: (done) => done })
    yield* Effect.acquireRelease(
      Effect.forkDaemon(Effect.interruptible(drain)),
      (fiber) =>
        Effect.zipRight(mailbox.end, Effect.interruptible(Fiber.await(fiber))).pipe(
          Effect.timeoutOption("3 seconds"),
          Effect.zipRight(Fiber.interruptFork(fiber))
        )
    )
    return (record) =>
      Effect.flatMap(
        mailbox.offer(record),
        (accepted) => accepted ? Effect.void : Ref.update(dropped, (count) => count + 1)
      )
  })

const droppedRecord = (count: number): Effect.Effect<LogRecord> =>
  Effect.map(Clock.currentTimeMillis, (time) => ({
    kind: "activity",
    time,
    level: "warning",
    message: `${count} log records dropped: the sink is too slow or failing`,
    count
  }))
