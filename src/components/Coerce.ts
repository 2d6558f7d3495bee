/**
 * How a value is made to fit a port.
 *
 * | type | fits as it is | is turned into it | never |
 * | --- | --- | --- | --- |
 * | Any, Binary, Image, Audio, Video, File | everything | | |
 * | Text | text, also `""` | numbers, booleans; `null` to `""`; dates to ISO; objects and lists to JSON | |
 * | Number | finite numbers | text that is one: `"42"`, `" 1e3 "`, `"0x1f"` | `"12abc"`, `"1,234"`, `""`, booleans |
 * | Integer | whole numbers up to 2^53 | text that is one: `"1e3"`, `"12.0"` | `3.7`, `"12.9"` |
 * | Boolean | booleans | `1`, `0`, and `"true"`, `"false"`, `"1"`, `"0"` in any case | `"yes"`, `""` |
 * | Array | lists | `"[…]"` by permissive JSON; other text split at commas, items trimmed; `""` to `[]` | objects |
 * | Object | objects | text that holds one, by permissive JSON | lists |
 * | Date | | to ISO text in UTC: see `dateOf` | `""`, booleans |
 *
 * `null` fits where everything does and is an error for all others but Text. A type nobody knows is Any.
 */
import { Either } from "effect"
import * as Json from "../kernel/Json.ts"
import type { Coerce, PortType } from "./Port.ts"

/** The rule of a port type, matched without regard to case. */
export const coercer = (type: string): Coerce => rules.get(type.toLowerCase()) ?? Either.right

/** A finite number, or text that is one as a whole. */
export const numberOf = (value: unknown): number | undefined => {
  const read = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  return typeof read === "number" && Number.isFinite(read) ? read : undefined
}

export const booleanOf = (value: unknown): boolean | undefined => {
  if (typeof value === "boolean") return value
  if (typeof value !== "string" && typeof value !== "number") return undefined
  const word = String(value).trim().toLowerCase()
  return word === "true" || word === "1" ? true : word === "false" || word === "0" ? false : undefined
}

const integerOf = (value: unknown): number | undefined => {
  const read = numberOf(value)
  return Number.isSafeInteger(read) ? read : undefined
}

const arrayOf = (value: unknown): ReadonlyArray<unknown> | undefined => {
  if (Array.isArray(value)) return value
  if (typeof value !== "string") return undefined
  const text = value.trim()
  if (!text.startsWith("[")) return text === "" ? [] : text.split(",").map((item) => item.trim())
  return Either.getOrUndefined(Json.parseFull(text)) as ReadonlyArray<unknown> | undefined
}

const objectOf = (value: unknown): object | undefined => {
  const read = Json.extract(value)
  return Object.prototype.toString.call(read) === "[object Object]" ? read as object : undefined
}

/**
 * Numbers, also as text, are seconds since 1970, or milliseconds from 1e11 on (which as seconds would be the year 5138).
 * Text is ISO 8601, `month/day/year`, or names the month in English, with or without a time; without a zone it is UTC.
 * The years 1000 to 9999 fit.
 */
const dateOf = (value: unknown): string | undefined => {
  const number = numberOf(value)
  const millis = number !== undefined
    ? Math.abs(number) >= 1e11 ? number : number * 1000
    : value instanceof Date
    ? value.getTime()
    : typeof value === "string"
    ? parseDate(value.trim())
    : NaN
  const date = new Date(millis)
  const year = date.getUTCFullYear()
  return year >= 1000 && year <= 9999 ? date.toISOString() : undefined
}

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December"
]
const weekday = "(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?"
const month = `(?<month>${months.map((name) => `${name.slice(0, 3)}(?:${name.slice(3)})?`).join("|")})\\.?`
const day = String.raw`(?<day>\d{1,2})`
const year = String.raw`(?<year>[1-9]\d{3})`
const time = String.raw`(?:(?:T|,? +)(?<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)(?<half> ?[AP]M)?)?`
const zone = String.raw`(?<zone> ?(?:Z|UTC|GMT|(?:GMT|UTC)?[+-]\d{2}:?\d{2})(?: \([^)]*\))?)?`

const dateForms = [
  String.raw`${year}-(?<month>\d{1,2})-${day}`,
  String.raw`(?<month>\d{1,2})/${day}/${year}`,
  `${weekday}${month} ${day},? ${year}`,
  `${weekday}${day} ${month},? ${year}`
].map((form) => new RegExp(`^${form}${time}${zone}$`, "i"))

/** `Date.parse` alone finds a date in nearly any text, turns the 30th of February into March and takes local time. */
const parseDate = (text: string): number => {
  const groups = dateForms.map((form) => form.exec(text)?.groups).find((found) => found !== undefined)
  if (groups === undefined) return NaN
  const { day, half = "", month = "", time = "", year, zone = " UTC" } = groups
  const named = months.findIndex((name) => name.slice(0, 3).toLowerCase() === month.slice(0, 3).toLowerCase())
  const index = named >= 0 ? named : Number(month) - 1
  const date = new Date(Date.UTC(Number(year), index, Number(day)))
  return date.getUTCMonth() === index && date.getUTCDate() === Number(day)
    ? Date.parse(`${index + 1}/${day}/${year} ${time.replace(",", ".")} ${half.trim()} ${zone.trim().toUpperCase()}`)
    : NaN
}

const rule = (type: PortType, read: (value: unknown) => unknown): readonly [string, Coerce] => [
  type.toLowerCase(),
  (value) => {
    const fitting = read(value)
    return fitting === undefined
      ? Either.left(`expected ${type}, got ${Json.preview(value)}`)
      : Either.right(fitting)
  }
]

const text = rule("Text", Json.toText)

const rules: ReadonlyMap<string, Coerce> = new Map([
  text,
  ["string", text[1]],
  rule("Number", numberOf),
  rule("Integer", integerOf),
  rule("Boolean", booleanOf),
  rule("Array", arrayOf),
  rule("Object", objectOf),
  rule("Date", dateOf)
])
