/** What differs between two values, as lines of their JSON: `-` was expected, `+` is there instead. */
import * as Json from "../kernel/Json.ts"

/** Unchanged lines are left out but for the one before and after a change. */
export const diff = (expected: unknown, actual: unknown): string => {
  const before = linesOf(expected)
  const after = linesOf(actual)
  const marked = align(before, after)
  return marked.filter((line, at) =>
    !isSame(line) || [marked[at - 1], marked[at + 1]].some((near) => near !== undefined && !isSame(near))
  ).join("\n")
}

const isSame = (line: string) => line.startsWith(" ")

const maxLines = 1000
const linesOf = (value: unknown) =>
  JSON.stringify(Json.extract(Json.stringify(value)), undefined, 2).split("\n").slice(0, maxLines)

/** By their longest common subsequence. */
const align = (before: ReadonlyArray<string>, after: ReadonlyArray<string>): ReadonlyArray<string> => {
  const common = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1))
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i]![j] = before[i] === after[j]
        ? common[i + 1]![j + 1]! + 1
        : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
    }
  }
  const marked: Array<string> = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      marked.push(`  ${before[i++]}`)
      j++
    } else if (j >= after.length || (i < before.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      marked.push(`- ${before[i++]}`)
    } else marked.push(`+ ${after[j++]}`)
  }
  return marked
}
