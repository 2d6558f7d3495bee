/** Strict JSON with errors that say where and what was expected: V8 gives no position for most of them. */
import { Either } from "effect"
import { printParseErrorCode, visit } from "jsonc-parser"

/** `expected a comma or } at line 3, column 5, found the end`, or the value. Of the text nothing is shown: it may be secret. */
export const parse = (source: string): Either.Either<unknown, string> => {
  const text = source.charCodeAt(0) === 0xfeff ? source.slice(1) : source
  return Either.try({ try: (): unknown => JSON.parse(text), catch: () => problemOf(text) })
}

const problemOf = (text: string): string => {
  let at = -1
  let expected: string | undefined = undefined
  try {
    visit(text, {
      onError: (error, offset) => {
        if (at < 0) at = offset
        // Of a word that means nothing here, what follows says what should have been in its place.
        const name = printParseErrorCode(error)
        if (name !== "InvalidSymbol") expected ??= expectations[name] ?? "JSON"
      }
    }, { allowEmptyContent: false, disallowComments: true })
  } catch {
    // It recurses, unlike `JSON.parse`.
    return "nested too deep to say where it goes wrong"
  }
  if (at < 0) return "not JSON"
  if (text.slice(0, at).trimEnd().endsWith("{")) expected = key
  const before = text.slice(0, at).split("\n")
  const character = text.charAt(at)
  const found = character === "" ? ", found the end" : /[{}[\]:,"]/.test(character) ? `, found ${character}` : ""
  return `expected ${expected ?? end} at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}${found}`
}

const end = "nothing more"
const key = "a name in double quotes"
const expectations: Readonly<Record<string, string>> = {
  PropertyNameExpected: key,
  ValueExpected: "a value",
  ColonExpected: "a colon",
  CommaExpected: "a comma",
  CloseBraceExpected: "a comma or }",
  CloseBracketExpected: "a comma or ]",
  EndOfFileExpected: end,
  InvalidCommentToken: "no comment",
  UnexpectedEndOfString: "a text that ends in the same line",
  UnexpectedEndOfNumber: "a number with its digits",
  InvalidUnicode: "a text with four hexadecimal digits after \\u",
  InvalidEscapeCharacter: `a text with one of "\\/bfnrtu after a backslash`,
  InvalidCharacter: "a text with control characters written as \\n, \\t or \\u0000"
}
