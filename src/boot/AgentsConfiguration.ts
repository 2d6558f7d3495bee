/** The key `Agents` of a configuration: bounds of the process table, where other keys choose connectors. */
import { Effect, ParseResult } from "effect"
import { AgentSettings } from "../agents/AgentSettings.ts"
import { BootError } from "../kernel/BootError.ts"
import { didYouMean } from "../kernel/Nearest.ts"

export const key = "Agents"

/** What it says, and the configuration without it. */
export const split = (
  config: unknown
): Effect.Effect<{ readonly settings: typeof AgentSettings.Type; readonly rest: unknown }, BootError> => {
  if (typeof config !== "object" || config === null || !(key in config)) {
    return Effect.succeed({ settings: {}, rest: config })
  }
  const { [key]: given, ...rest } = config
  return decode(given).pipe(Effect.mapBoth({ onFailure: refused, onSuccess: (settings) => ({ settings, rest }) }))
}

const decode = ParseResult.decodeUnknown(AgentSettings, { errors: "all", onExcessProperty: "error" })

const refused = (issue: ParseResult.ParseIssue): BootError => {
  const issues = ParseResult.ArrayFormatter.formatIssueSync(issue)
  return new BootError({
    service: key,
    path: [key, ...(issues[0]?.path ?? [])].join("."),
    problem: issues.map(({ _tag, message, path }) =>
      `${[key, ...path].join(".")}: ${
        _tag === "Unexpected" ? `there is no such setting.${didYouMean(String(path.at(-1)), names)}` : message
      }`
    ).join("; "),
    accepted: names
  })
}

const names = Object.keys(AgentSettings.fields)
