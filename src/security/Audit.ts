/** What was decided about whom: denials and owner operations always, the rest when asked for. */
import { Clock, Context, Effect } from "effect"
import { format } from "./Candidate.ts"
import type { Candidate } from "./Candidate.ts"

export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Absent when nobody was known to be asking. */
  readonly candidate: Candidate | undefined
  readonly service: string
  readonly operation: string
  /** Key, name or id; never contents. */
  readonly resource: string
  readonly verdict: "granted" | "denied"
}

/** Where decisions go. Without a layer of its own: denials and owner operations to the log. */
export class Audit extends Context.Reference<Audit>()("effect-sre/Audit", {
  defaultValue: (): AuditSink => ({ level: "owner", record: (entry) => log(entry) })
}) {}

export interface AuditSink {
  /** `owner`: denials and owner operations. `all`: every decision. */
  readonly level: "owner" | "all"
  readonly record: (entry: AuditEntry) => Effect.Effect<void>
}

/** Entries without their time, which is filled in when they are recorded. */
export const record = (sink: AuditSink, entry: Omit<AuditEntry, "time">): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (time) => sink.record({ time, ...entry }))

const log = ({ candidate, operation, resource, service, verdict }: AuditEntry) => {
  const who = candidate === undefined ? "nobody" : format(candidate)
  const line = `audit: ${who} ${verdict} ${service}.${operation} ${resource}`
  return verdict === "denied" ? Effect.logWarning(line) : Effect.logDebug(line)
}
