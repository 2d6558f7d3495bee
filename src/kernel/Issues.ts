/** What is wrong with data that a schema refused, a place at a time. */
import { ParseResult } from "effect"

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
