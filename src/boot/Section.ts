/** Keys of a configuration that hold settings of the system itself, where other keys choose connectors. */
import { Effect, ParseResult, type Schema } from "effect"
import { BootError, refused } from "../kernel/BootError.ts"
import { settingIssuesOf } from "../kernel/Issues.ts"
import { preview } from "../kernel/Json.ts"

/** What the key says, if it is there, and the configuration without it. */
export const split = <A, I>(
  config: unknown,
  key: string,
  schema: Schema.Schema<A, I>
): Effect.Effect<{ readonly settings: A | undefined; readonly rest: unknown }, BootError> => {
  if (typeof config !== "object" || config === null || !(key in config)) {
    return Effect.succeed({ settings: undefined, rest: config })
  }
  const { [key]: given, ...rest } = config as Readonly<Record<string, unknown>>
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return new BootError({ service: key, path: key, problem: `expected an object of settings, got ${preview(given)}` })
  }
  return ParseResult.decodeUnknown(schema, { errors: "all", onExcessProperty: "error" })(given).pipe(
    Effect.mapBoth({
      onFailure: (issue) => refused({ service: key, path: key }, settingIssuesOf(issue)),
      onSuccess: (settings) => ({ settings, rest })
    })
  )
}
