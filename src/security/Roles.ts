/**
 * Roles: what a member of a team may do with what the team may. A role never gives more than its team has: in a team that
 * has roles, a member's share of the team's rights is what its roles name, and nothing without a role.
 */
import { ParseResult, Schema } from "effect"
import * as Acl from "./Acl.ts"

/** Levels on the resources of one service, or of all (`*`). */
export const Permission = Schema.Struct({
  /** As in the configuration: `Storage`. */
  service: Schema.NonEmptyString,
  /** As in an access list: `owner` implies the other two. */
  levels: Schema.NonEmptyArray(Acl.Level),
  /**
   * A key in the team's home, an absolute one (`user:bob/…`), or a name where the service has names. `*` stands for any
   * characters, also slashes and none.
   */
  resource: Schema.NonEmptyString
})
export type Permission = typeof Permission.Type

/** Reads `Storage: read, write on reports/*`; without `on`, all resources are meant: `NKV: owner`. */
export const FromString: Schema.Schema<Permission, string> = Schema.transformOrFail(
  Schema.String,
  Schema.typeSchema(Permission),
  {
    strict: true,
    decode: (text, _, ast) => {
      const [, service, levels, resource = "*"] =
        /^\s*(\*|\w+)\s*:([\s\w,]*?)(?:\s+on\s+(\S|\S.*\S))?\s*$/s.exec(text) ??
          []
      const [first, ...others] = (levels ?? "").split(",").map((level) => level.trim())
      return service !== undefined && isLevel(first) && others.every(isLevel)
        ? ParseResult.succeed<Permission>({ service, levels: [first, ...others], resource })
        : ParseResult.fail(
          new ParseResult.Type(
            ast,
            text,
            "expected \"<Service>: <read|write|owner>, … on <resource>\", or \"*: owner\""
          )
        )
    },
    encode: ({ levels, resource, service }) => ParseResult.succeed(`${service}: ${levels.join(", ")} on ${resource}`)
  }
)

/** What is asked for: `resource` as the service names it, with the home in front where it has homes. */
export interface Asked {
  readonly service: string
  readonly level: Acl.Level
  /** Absent where all resources are meant; then only `*` gives it. */
  readonly resource: string | undefined
}

/** Whether one of the permissions, which a member has in `team`, gives what is asked for. */
export const give = (
  permissions: ReadonlyArray<Permission>,
  team: string,
  { level, resource, service }: Asked
): boolean =>
  permissions.some((one) =>
    (one.service === "*" || one.service === service) &&
    (one.levels.includes(level) || one.levels.includes("owner")) &&
    (one.resource === "*" || resource !== undefined && matches(one.resource, team, resource))
  )

const matches = (pattern: string, team: string, resource: string): boolean => {
  const home = `team:${team}/`
  return fits(pattern, resource) || resource.startsWith(home) && fits(pattern, resource.slice(home.length))
}

/** Looks for the pieces between the stars one after the other: no pattern makes it slow. */
const fits = (pattern: string, text: string): boolean => {
  const [first = "", ...rest] = pattern.split("*")
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false
  const end = text.length - last.length
  let at = first.length
  for (const piece of rest) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}

const isLevel = Schema.is(Acl.Level)
