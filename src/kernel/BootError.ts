/** Why the system did not start: one error for wrong names, wrong settings, missing packages and unreachable backends. */
import { type Array, Schema } from "effect"
import type { SettingIssue } from "./Issues.ts"

export class BootError extends Schema.TaggedError<BootError>()("BootError", {
  /** Service as in the configuration, e.g. `Storage`. */
  service: Schema.String,
  connector: Schema.optional(Schema.String),
  /** Where in the configuration, e.g. `Storage.Settings.bucket`. */
  path: Schema.optional(Schema.String),
  /** What is wrong and what to do about it. */
  problem: Schema.String,
  /** What would be accepted here. */
  accepted: Schema.optional(Schema.Array(Schema.String)),
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    const where = this.path ?? [this.service, this.connector].filter((part) => part !== undefined).join(" / ")
    const end = /[.?!]$/.test(this.problem) ? "" : "."
    const accepted = this.accepted === undefined ? "" : `${end} Accepted: ${this.accepted.join(", ")}.`
    return `Cannot start ${where}: ${this.problem}${accepted}`
  }
}

/**
 * Of what is at `path` a schema refused something: the error names the place all of it is in. That a setting is missing is no
 * news beside one that is misspelt.
 */
export const refused = (
  at: { readonly service: string; readonly connector?: string; readonly path: string },
  issues: Array.NonEmptyReadonlyArray<SettingIssue>
): BootError => {
  const [{ accepted, path }, ...others] = issues
  const told = [issues[0], ...others.filter(({ message }) => accepted === undefined || message !== "is missing")]
  const differs = path.findIndex((key, position) => told.some((one) => one.path[position] !== key))
  const shared = differs < 0 ? path.length : differs
  return new BootError({
    ...at,
    path: [at.path, ...path.slice(0, shared)].join("."),
    problem: told.map((one) => {
      const place = one.path.slice(shared).join(".")
      return place === "" ? one.message : `${place}: ${one.message}`
    }).join("; "),
    ...(accepted === undefined ? {} : { accepted })
  })
}
