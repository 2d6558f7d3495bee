/** What a driver of a database says went wrong, in terms a caller can branch on. */
import type { SqlError } from "@effect/sql/SqlError"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"

export const isSqlError = (error: unknown): error is SqlError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError"

/** The database's own words stay out where they quote the data. */
export const fromSqlError = (connector: string, method: string) => (error: unknown): ConnectorError => {
  const cause = isSqlError(error) ? error.cause : error
  const { code, message } = told(cause)
  const reason = reasons.find(([pattern]) => pattern.test(code))?.[1] ?? byMessage(message)
  const words = quoting.has(reason) ? "" : `: ${message.slice(0, 200)}`
  return new ConnectorError({ connector, method, reason, detail: `${code || "the database"}${words}` })
}

/** A connection that was refused for several addresses tells it in a list. */
const told = (cause: unknown): { readonly code: string; readonly message: string } => {
  if (typeof cause !== "object" || cause === null) return { code: "", message: "" }
  const { code, errors, message } = cause as { code?: unknown; message?: unknown; errors?: ReadonlyArray<unknown> }
  const first = Array.isArray(errors) && errors.length > 0 ? told(errors[0]) : { code: "", message: "" }
  return {
    code: typeof code === "string" ? code : first.code,
    message: typeof message === "string" && message !== "" ? message : first.message
  }
}

const quoting: ReadonlySet<Reason> = new Set(["InvalidInput", "Conflict"])

const byMessage = (message: string): Reason =>
  /no such table/.test(message) ? "NotFound" : /time(d )?out/i.test(message) ? "Timeout" : "Unavailable"

/**
 * SQLSTATE of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html), symbols of MySQL and MariaDB
 * (https://mariadb.com/kb/en/mariadb-error-code-reference/), of SQLite (https://www.sqlite.org/rescode.html) and of Node.
 */
const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/^23505$|^ER_DUP_ENTRY$|^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE|ROWID)$/, "Conflict"],
  // Two that stand in each other's way: the same again, a moment later, goes well.
  [/^40001$|^40P01$|^55P03$|^ER_LOCK_(DEADLOCK|WAIT_TIMEOUT)$|^SQLITE_(BUSY|LOCKED)/, "Locked"],
  [/^28...$|^42501$|^ER_\w*ACCESS_DENIED|^SQLITE_(READONLY|PERM|AUTH)/, "Unauthorized"],
  [/^3D000$|^3F000$|^42P01$|^ER_BAD_DB_ERROR$|^ER_NO_SUCH_TABLE$|^ENOTFOUND$|^SQLITE_CANTOPEN/, "NotFound"],
  [/^57014$|^ETIMEDOUT$|^ER_(QUERY|STATEMENT)_TIMEOUT$|^SQLITE_INTERRUPT$/, "Timeout"],
  [/^53100$|^ER_DISK_FULL$|^ER_RECORD_FILE_FULL$|^SQLITE_FULL$/, "Full"],
  [/^(22|23|54)...$|^ERR_INVALID_URL$|^SQLITE_(TOOBIG|MISMATCH|CONSTRAINT)/, "InvalidInput"],
  [/^ER_(DATA_TOO_LONG|NET_PACKET_TOO_LARGE|TRUNCATED_WRONG_VALUE|WARN_DATA_OUT_OF_RANGE)/, "InvalidInput"],
  [/^ER_(BAD_NULL_ERROR|NO_DEFAULT_FOR_FIELD|NO_REFERENCED_ROW|ROW_IS_REFERENCED)/, "InvalidInput"],
  [/^XX00[12]$|^SQLITE_(CORRUPT|NOTADB)/, "Corrupted"],
  [/^42...$|^ER_(PARSE_ERROR|BAD_FIELD_ERROR)$|^SQLITE_(MISUSE|RANGE|FORMAT)/, "Protocol"]
]
