/** Why the system did not start: one error for wrong names, wrong settings, missing packages and unreachable backends. */
import { Schema } from "effect"

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
    const accepted = this.accepted === undefined ? "" : ` Accepted: ${this.accepted.join(", ")}.`
    return `Cannot start ${where}: ${this.problem}${accepted}`
  }
}
