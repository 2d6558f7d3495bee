/** Who may do what with one datum. Stored with the datum, in the same write. */
import { ParseResult, Schema } from "effect"
import xxhash from "xxhash-wasm"
import * as Candidate from "./Candidate.ts"

/** `owner` implies the other two; `write` does not imply `read`. */
export const Level = Schema.Literal("read", "write", "owner")
export type Level = typeof Level.Type

export const Grant = Schema.Struct({ role: Candidate.Role, id: Schema.String, levels: Schema.Array(Level) })
export type Grant = typeof Grant.Type

/** `hash: "xxh3"` marks lists written by older systems, whose ids are stored as XXH64 digests (seed 0). */
export const Acl = Schema.Struct({
  hash: Schema.optional(Schema.Literal("xxh3")),
  grants: Schema.Array(Grant)
})
export type Acl = typeof Acl.Type

/** Grants nothing to anybody: what an unreadable list counts as. */
export const empty: Acl = { grants: [] }

export const ownedBy = (...owners: ReadonlyArray<Candidate.Candidate>): Acl => ({
  grants: owners.map(({ id, role }) => ({ role, id, levels: ["owner"] }))
})

/** `acl` in which `candidate` has exactly `levels`; no levels removes it. Ids of a hashed list stay hashed. */
export const grant = (acl: Acl, candidate: Candidate.Candidate, levels: ReadonlyArray<Level>): Acl => {
  const id = storedId(acl, candidate)
  const others = acl.grants.filter((one) => one.role !== candidate.role || one.id !== id)
  return { ...acl, grants: levels.length === 0 ? others : [...others, { role: candidate.role, id, levels }] }
}

export const owners = (acl: Acl): ReadonlyArray<Grant> => acl.grants.filter(({ levels }) => levels.includes("owner"))

/** Whether the list itself gives `candidate` the level, as owner or literally; teams and the public are the caller's step. */
export const gives = (acl: Acl, candidate: Candidate.Candidate, level: Level): boolean => {
  if (acl.grants.length === 0) return false
  const id = storedId(acl, candidate)
  return acl.grants.some((one) =>
    one.role === candidate.role && one.id === id && (one.levels.includes("owner") || one.levels.includes(level))
  )
}

const storedId = (acl: Acl, candidate: Candidate.Candidate) => acl.hash === "xxh3" ? digest(candidate.id) : candidate.id

/* ------------------------------------------------------------------------------------------------------------------
 * The text form of older systems: `h:xxh3|a:fcf1a5605d79016e/o|t:f623df4e20112b07/r`
 * ---------------------------------------------------------------------------------------------------------------- */

/**
 * Reads and writes the text form. Unknown role letters and the level `n` are skipped, as its writers do. The form has no
 * escapes, so a list with an id that would read back as something else cannot be written in it.
 */
export const FromText: Schema.Schema<Acl, string> = Schema.transformOrFail(Schema.String, Schema.typeSchema(Acl), {
  strict: true,
  decode: (text) => ParseResult.succeed(parse(text)),
  encode: (acl, _, ast) => {
    const unfit = acl.grants.find(({ id }) => id === "" || /[|,]/.test(id))
    return unfit === undefined
      ? ParseResult.succeed(print(acl))
      : ParseResult.fail(new ParseResult.Type(ast, acl, `the id "${unfit.id}" has a "|" or "," or is empty`))
  }
})

const roleLetters = { u: "user", a: "agent", t: "team", p: "public" } as const
const levelLetters = { r: "read", w: "write", o: "owner" } as const

const parse = (text: string): Acl => {
  const [head = "", ...segments] = text.split("|")
  if (head !== "h:none" && head !== "h:xxh3") return empty
  const grants = segments.flatMap((segment): ReadonlyArray<Grant> => {
    const role = roleLetters[segment.charAt(0) as keyof typeof roleLetters]
    if (role === undefined || segment.charAt(1) !== ":") return []
    return segment.slice(2).split(",").flatMap((entry) => {
      const cut = entry.lastIndexOf("/")
      const levels = Array.from(entry.slice(cut + 1), (letter) => levelLetters[letter as keyof typeof levelLetters])
        .filter((level) => level !== undefined)
      return cut <= 0 || levels.length === 0 ? [] : [{ role, id: entry.slice(0, cut), levels }]
    })
  })
  return head === "h:xxh3" ? { hash: "xxh3", grants } : { grants }
}

const print = (acl: Acl): string => {
  const segments = Object.entries(roleLetters).flatMap(([letter, role]) => {
    const entries = acl.grants.filter((one) => one.role === role)
      .map(({ id, levels }) => `${id}/${levels.map((level) => level.charAt(0)).join("")}`)
    return entries.length === 0 ? [] : [`${letter}:${entries.join(",")}`]
  })
  return [`h:${acl.hash ?? "none"}`, ...segments].join("|")
}

/** XXH64, seed 0, hexadecimal without padding: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
const { h64 } = await xxhash()
const digest = (id: string): string => h64(id).toString(16)
