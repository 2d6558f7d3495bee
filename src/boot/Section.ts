/** Keys of a configuration that hold settings of the system itself, where other keys choose connectors. */
import { Effect, ParseResult, type Schema } from "effect"
import { BootError } from "../kernel/BootError.ts"
import { issuesOf } from "../kernel/Issues.ts"
import { didYouMean } from "../kernel/Nearest.ts"

/** What the key says, if it is there, and the configuration without it. */
export const split = <A, I>(
  config: unknown,
  key: string,
  schema: Schema.Schema<A, I> & { readonly fields: object }
): Effect.Effect<{ readonly settings: A | undefined; readonly rest: unknown }, BootError> => {
  if (typeof config !== "object" || config === null || !(key in config)) {
    return Effect.succeed({ settings: undefined, rest: config })
  }
  const { [key]: given, ...rest } = config as Readonly<Record<string, unknown>>
  return ParseResult.decodeUnknown(schema, { errors: "all", onExcessProperty: "error" })(given).pipe(
    Effect.mapBoth({
      onFailure: (issue) => refused(key, issue, Object.keys(schema.fields)),
      onSuccess: (settings) => ({ settings, rest })
    })
  )
}

const refused = (key: string, issue: ParseResult.ParseIssue, names: ReadonlyArray<string>): BootError => {
  const issues = issuesOf(issue)
  const isUnknown = ({ _tag, path }: ParseResult.ArrayFormatterIssue) => _tag === "Unexpected" && path.length === 1
  return new BootError({
    service: key,
    path: [key, ...(issues[0]?.path ?? [])].join("."),
    problem: issues.map((one) =>
      `${[key, ...one.path].join(".")}: ${
        isUnknown(one) ? `there is no such setting.${didYouMean(String(one.path[0]), names)}` : one.message
      }`
    ).join("; "),
    ...(issues.some(isUnknown) ? { accepted: names } : {})
  })
}
