import { Clock, Effect, Schema } from "effect"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

const Format = Schema.String.pipe(
  Schema.pattern(/^(?:unix|timestamp|iso|[YMDHhmsSZzAa \-:/.,]+)$/, {
    message: () => "expected unix, timestamp, iso, or a pattern of Y M D H h m s S Z z A a, space and - / : , ."
  })
)

export const FTimestamp = Component.make("FTimestamp", {
  description: "Gives the current time.",
  category: "data",
  config: Schema.Struct({
    /**
     * `unix` and `timestamp` both are milliseconds since 1970, `iso` is ISO 8601; anything else is a pattern such as
     * `YYYY-MM-DD HH:mm:ss`. All are UTC, so that a workflow gives the same on every machine.
     */
    format: Settings.withDefault(Format, "unix")
  }),
  inputs: Schema.Struct({ Trigger: Port.Any }),
  outputs: Schema.Struct({ Timestamp: Port.Any }),
  run: ({ config: { format } }) =>
    Effect.map(Clock.currentTimeMillis, (millis) => ({
      Timestamp: format === "unix" || format === "timestamp" ? millis : inFormat(new Date(millis), format)
    }))
})

const inFormat = (date: Date, format: string): string =>
  format === "iso"
    ? date.toISOString()
    : format.replace(/Y{4}|YY|M{1,4}|DD?|HH?|hh?|mm?|ss?|SSS|ZZ?|z|A|a/g, (token) => fields[token]?.(date) ?? token)

const padded = (value: number, length = 2) => String(value).padStart(length, "0")
const hours = (date: Date) => date.getUTCHours() % 12 || 12
const monthName = (date: Date) => date.toLocaleString("en-US", { month: "long", timeZone: "UTC" })

const fields: Readonly<Record<string, (date: Date) => string>> = {
  YYYY: (date) => padded(date.getUTCFullYear(), 4),
  YY: (date) => padded(date.getUTCFullYear() % 100),
  M: (date) => String(date.getUTCMonth() + 1),
  MM: (date) => padded(date.getUTCMonth() + 1),
  MMM: (date) => monthName(date).slice(0, 3),
  MMMM: monthName,
  D: (date) => String(date.getUTCDate()),
  DD: (date) => padded(date.getUTCDate()),
  H: (date) => String(date.getUTCHours()),
  HH: (date) => padded(date.getUTCHours()),
  h: (date) => String(hours(date)),
  hh: (date) => padded(hours(date)),
  m: (date) => String(date.getUTCMinutes()),
  mm: (date) => padded(date.getUTCMinutes()),
  s: (date) => String(date.getUTCSeconds()),
  ss: (date) => padded(date.getUTCSeconds()),
  SSS: (date) => padded(date.getUTCMilliseconds(), 3),
  Z: () => "+00:00",
  ZZ: () => "+0000",
  z: () => "UTC",
  A: (date) => date.getUTCHours() < 12 ? "AM" : "PM",
  a: (date) => date.getUTCHours() < 12 ? "am" : "pm"
}
