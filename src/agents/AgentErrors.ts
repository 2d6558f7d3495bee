/** Why an agent could not be asked, or did not answer. Failures of components are part of an answer instead. */
import { Duration, Schema } from "effect"
import { didYouMean } from "../kernel/Nearest.ts"

export class EndpointNotFound extends Schema.TaggedError<EndpointNotFound>()("EndpointNotFound", {
  agent: Schema.String,
  endpoint: Schema.String,
  method: Schema.String,
  /** As `POST digest`. */
  available: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const near = didYouMean(this.endpoint, this.available.map((key) => key.slice(key.indexOf(" ") + 1)))
    return `Agent "${this.agent}" has no endpoint ${this.method} ${this.endpoint}.${near} It has: ${
      this.available.join(", ") || "none"
    }`
  }
}

export class RunTimedOut extends Schema.TaggedError<RunTimedOut>()("RunTimedOut", {
  agent: Schema.String,
  endpoint: Schema.String,
  after: Schema.DurationFromMillis
}) {
  override get message(): string {
    return `${this.endpoint} of agent "${this.agent}" was stopped after ${Duration.format(this.after)}`
  }
}

/** The agent names no model of its own, and the request none either. */
export class NoModel extends Schema.TaggedError<NoModel>()("NoModel", { agent: Schema.String }) {
  override get message(): string {
    return `Agent "${this.agent}" has no default model: name one with the request, or set "defaultModel" in its document`
  }
}
