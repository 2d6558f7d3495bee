/** Where a datum lives: every key is relative to the asker's home; `smythfs://<id>.<role>/<path>` names another home. */
import { Either, Schema } from "effect"
import * as Candidate from "./Candidate.ts"

export class InvalidKey extends Schema.TaggedError<InvalidKey>()("InvalidKey", {
  key: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Invalid key "${this.key}": ${this.problem}`
  }
}

export interface Address {
  /** Whose home the datum is in. */
  readonly home: Candidate.Candidate
  readonly path: string
  /** `agent:a1/reports/today.json`: unique over all homes, what connectors store under. */
  readonly key: string
}

/** `a/b/c`, up to 1024 bytes of UTF-8: no empty, `.` or `..` segment, no control character, no backslash. */
const problemOf = (path: string): string | undefined =>
  path === ""
    ? "it is empty"
    : path.length > 1024 || (path.length > 341 && Buffer.byteLength(path) > 1024)
    ? "it is longer than 1024 bytes"
    : /[\p{Cc}\\]/u.test(path) || !path.isWellFormed()
    ? "control characters, backslashes and lone surrogates are not allowed"
    : /(?:^|\/)\.{0,2}(?:\/|$)/.test(path)
    ? `segments must not be empty, "." or ".."`
    : undefined

export const inHome = (home: Candidate.Candidate, path: string): Address => ({
  home,
  path,
  key: `${Candidate.format(home)}/${path}`
})

/** Resolves what a caller wrote against who is calling. */
export const resolve = (
  key: string,
  candidate: Candidate.Candidate
): Either.Either<Address, InvalidKey> => {
  const parsed = key.startsWith("smythfs://") ? parseUri(key) : { home: candidate, path: key }
  const problem = typeof parsed === "string" ? parsed : problemOf(parsed.path)
  return problem !== undefined || typeof parsed === "string"
    ? Either.left(new InvalidKey({ key: key.slice(0, 200), problem: problem ?? "" }))
    : Either.right(inHome(parsed.home, parsed.path))
}

/** The absolute form of an address, percent-encoded where a URI demands it. */
export const toUri = ({ home, path }: Pick<Address, "home" | "path">): string =>
  `smythfs://${encodeURIComponent(home.id)}.${home.role}/${path.split("/").map(encodeURIComponent).join("/")}`

const parseUri = (uri: string): { readonly home: Candidate.Candidate; readonly path: string } | string => {
  const match = /^smythfs:\/\/([^/]+)\.(user|agent|team)\/(.+)$/s.exec(uri)
  if (match === null) return "expected smythfs://<id>.<user|agent|team>/<path>"
  try {
    const home = { role: match[2] as Candidate.Role, id: decodeURIComponent(match[1]!) }
    return Schema.is(Candidate.Candidate)(home)
      ? { home, path: decodeURIComponent(match[3]!) }
      : "the id before the role is not a valid candidate id"
  } catch {
    return "a percent sign is not followed by two hexadecimal digits of UTF-8"
  }
}
