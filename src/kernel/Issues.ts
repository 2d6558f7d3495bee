/** What is wrong with data that a schema refused, a place at a time. */
import { Array as Arr, ParseResult } from "effect"
import { didYouMean } from "./Nearest.ts"

const alternative = /^Expected (.+), actual (.*)$/s

/**
 * A value that may be one of several fails as each of them: said in one sentence. That a setting could have been left out,
 * which the schema says as well, helps nobody who has written it.
 */
export const issuesOf = (issue: ParseResult.ParseIssue): ReadonlyArray<ParseResult.ArrayFormatterIssue> => {
  const all = ParseResult.ArrayFormatter.formatIssueSync(issue)
  const telling = all.filter(({ message }) => !message.startsWith("Expected undefined, "))
  return (telling.length === 0 ? all : telling).reduce<ReadonlyArray<ParseResult.ArrayFormatterIssue>>((said, one) => {
    const last = said.at(-1)
    const [, expected, actual] = alternative.exec(one.message) ?? []
    const [, before, same] = alternative.exec(last?.message ?? "") ?? []
    const joins = last !== undefined && expected !== undefined && actual === same &&
      last.path.join("\n") === one.path.join("\n")
    return joins
      ? [...said.slice(0, -1), { ...last, message: `Expected ${before} or ${expected}, actual ${actual}` }]
      : [...said, one]
  }, [])
}

/** What is wrong with one setting; `accepted` are the names that would do in place of one that does not. */
export interface SettingIssue {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
  readonly accepted?: ReadonlyArray<string>
}

/**
 * The same of settings that were decoded with `onExcessProperty: "error"`: keys that are no settings come first, at any depth,
 * each with the one that was meant.
 */
export const settingIssuesOf = (issue: ParseResult.ParseIssue): Arr.NonEmptyReadonlyArray<SettingIssue> => {
  const strays = straysIn(issue, [])
  const others: ReadonlyArray<SettingIssue> = issuesOf(issue).filter(({ path }) =>
    !strays.some((stray) => stray.path.join("\n") === path.join("\n"))
  )
  const all = [...strays, ...others]
  return Arr.isNonEmptyReadonlyArray(all) ? all : [{ path: [], message: "malformed" }]
}

const straysIn = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<PropertyKey>,
  accepted: ReadonlyArray<string> = []
): ReadonlyArray<SettingIssue> => {
  switch (issue._tag) {
    case "Unexpected": {
      const message = `there is no such setting.${didYouMean(String(path.at(-1)), accepted)}`
      return accepted.length === 0 ? [] : [{ path, message, accepted }]
    }
    case "Pointer":
      return straysIn(issue.issue, [...path, ...Arr.ensure(issue.path)], accepted)
    case "Composite": {
      const names = issue.ast._tag === "TypeLiteral" ? issue.ast.propertySignatures.map(({ name }) => String(name)) : []
      return Arr.ensure(issue.issues).flatMap((one) => straysIn(one, path, names))
    }
    case "Refinement":
    case "Transformation":
      return straysIn(issue.issue, path)
    default:
      return []
  }
}
