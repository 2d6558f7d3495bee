/** A record of the log as one line of text. */
import { DateTime } from "effect"
import { format } from "../../security/Candidate.ts"
import type { LogRecord } from "../../subsystems/io/Log.ts"

/** One JSON object, without absent fields. */
export const json = (record: LogRecord): string => oneLine(JSON.stringify(fields(record)))

/** For people: time, level, who, where and what. */
export const pretty = ({ candidate, error, input, output, time, ...record }: LogRecord): string =>
  oneLine(
    [
      isoTime(time),
      record.level.toUpperCase().padEnd(7),
      candidate === undefined ? "-" : format(candidate),
      record.runId,
      record.componentId,
      record.kind === "audit" ? `audit: ${record.message}` : record.message,
      ...Object.entries({ input, output, error })
        .flatMap(([name, text]) => text === undefined ? [] : [`${name}=${text}`])
    ].filter((part) => part !== undefined).join(" ")
  )

/** The record as JSON holds it: an ISO time, `agent:a1` for who. */
export const fields = ({ candidate, time, ...record }: LogRecord) => ({
  time: isoTime(time),
  candidate: candidate === undefined ? undefined : format(candidate),
  ...record
})

export const isoTime = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(millis))

/** What a tenant logs cannot start a line of its own nor steer the terminal. JSON stays JSON of the same value. */
export const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029]/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`)
