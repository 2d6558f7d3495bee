/** Settings of connectors of models that make one thing a call: pictures, speech. */
import { Duration, Schema } from "effect"

export const settings = {
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway or compatible server, for the models that name no other. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Of one call, in milliseconds. Default: 3 minutes. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(3) })
}
