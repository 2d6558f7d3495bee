/** JSON as people and models write it, and text of any value. Nothing here throws. */
import { Either, Option } from "effect"
import { jsonrepair } from "jsonrepair"
import * as vm from "node:vm"

/**
 * The object or list in a text: text in `{}` or `[]` is read, repaired where needed; in any other text the widest `{…}` is,
 * so prose around an object is dropped. What is not text, or holds neither, comes back as it is.
 */
export const extract = (text: unknown): unknown => {
  if (typeof text !== "string") return text
  const trimmed = text.trim()
  const found = isDelimited(trimmed) ? read(trimmed) : Option.flatMap(widestObject(trimmed), read)
  return Option.getOrElse(found, () => text)
}

/** Reads, and repairs where needed, a text that starts with `{` or `[`; any other is refused, even with space before it. */
export const parseFull = (text: string): Either.Either<unknown, string> =>
  /^[{[]/.test(text)
    ? Either.fromOption(read(text), () => `not JSON, and beyond repair: ${preview(text)}`)
    : Either.left(`expected text that starts with { or [, got ${preview(text)}`)

/** JSON text of any value. Cycles and what cannot be read are replaced, functions left out, large integers become text. */
export const stringify = (value: unknown): string =>
  print(value).pipe(
    Option.orElse(() =>
      Option.liftThrowable(() => plain(value, { above: new Set(), left: maxNodes }))().pipe(Option.flatMap(print))
    ),
    Option.getOrElse(() => "\"[too deep]\"")
  )

/** The text a value stands for where text is wanted: nothing for `null`, ISO for dates, JSON for objects. */
export const toText = (value: unknown): string =>
  typeof value === "string"
    ? value
    : value === null || value === undefined
    ? ""
    : typeof value !== "object"
    ? String(value)
    : value instanceof Date && !Number.isNaN(value.getTime())
    ? value.toISOString()
    : stringify(value)

/** Whether objects and lists stand within each other more than `levels` deep: much deeper, and printing them fails. */
export const isDeeper = (value: unknown, levels: number): boolean => {
  let level = [value].filter(isHolder)
  for (let depth = 0; level.length > 0 && depth < levels; depth++) {
    level = level.flatMap((holder) => Object.values(holder).filter(isHolder))
  }
  return level.length > 0
}

/** A value for an error message, cut to `max` characters. */
export const preview = (value: unknown, max = 40): string => {
  const text = value === undefined ? "nothing" : typeof value === "number" ? String(value) : stringify(value)
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`
}

const isHolder = (value: unknown): value is object => typeof value === "object" && value !== null

/** About how many bytes a value takes as JSON; of a large value what its first 10,000 parts take, and two for each other. */
export const sizeOf = (value: unknown): number => {
  let bytes = 0
  let left = 10_000
  const open: Array<unknown> = [value]
  while (open.length > 0 && left-- > 0) {
    const one = open.pop()
    if (typeof one === "string") bytes += one.length + 2
    else if (typeof one !== "object" || one === null) bytes += String(one).length
    else if (ArrayBuffer.isView(one)) bytes += one.byteLength
    else {
      const names = Array.isArray(one) ? undefined : Object.keys(one)
      const parts = names?.length ?? (one as ReadonlyArray<unknown>).length
      const seen = Math.min(parts, Math.max(left, 0))
      left -= seen
      bytes += 2 + 2 * (parts - seen)
      for (let at = 0; at < seen; at++) {
        const name = names?.[at]
        if (name !== undefined) bytes += name.length + 3
        open.push(property(one, name ?? String(at)))
      }
    }
  }
  return bytes + 2 * open.length
}

const isDelimited = (text: string) =>
  (text.startsWith("{") && text.endsWith("}")) || (text.startsWith("[") && text.endsWith("]"))

const widestObject = (text: string): Option.Option<string> => {
  const start = text.indexOf("{")
  const end = text.lastIndexOf("}")
  return start >= 0 && end > start ? Option.some(text.slice(start, end + 1)) : Option.none()
}

/** A repair that turns an object into something else (two adjacent ones into a list, say) is none. */
const read = (text: string): Option.Option<unknown> =>
  Option.orElse(
    strict(text),
    () =>
      Option.filter(
        Option.flatMap(repair(text), strict),
        (value) => typeof value === "object" && value !== null && Array.isArray(value) === text.startsWith("[")
      )
  )

/**
 * Stray quotes make repair take time by the square of the text's length (10 s for 28 KB), and nothing else can run meanwhile.
 * `vm` is here for its clock alone, which stops the call.
 */
const repair = Option.liftThrowable((text: string): string => {
  repairContext["text"] = text
  try {
    return repairScript.runInContext(repairContext, { timeout: maxRepairMillis })
  } finally {
    repairContext["text"] = ""
  }
})
const maxRepairMillis = 250
const repairContext = vm.createContext({ repair: jsonrepair, text: "" })
const repairScript = new vm.Script("repair(text)")

const strict = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const print = Option.liftThrowable((value: unknown): string => JSON.stringify(value) ?? "null")

/** A copy of what can be read of a value, for values JSON cannot print. */
const plain = (value: unknown, walk: Walk): unknown => {
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "function") return undefined
  if (typeof value !== "object" || value === null) return value
  if (walk.above.has(value)) return "[cycle]"
  if (walk.left-- <= 0) return "[too large]"
  walk.above.add(value)
  const copy = Array.isArray(value)
    ? value.map((one) => plain(one, walk))
    : Object.fromEntries(Object.keys(value).map((key) => [key, plain(property(value, key), walk)]))
  walk.above.delete(value)
  return copy
}

interface Walk {
  readonly above: Set<object>
  /** Objects and lists still to be copied: of a value that holds another twice, and so on, there may be 2^30. */
  left: number
}
const maxNodes = 100_000

const property = (value: object, key: string): unknown => {
  try {
    return (value as Record<string, unknown>)[key]
  } catch {
    return null
  }
}
