/** Strict JSON with errors that say where: V8 gives no position for most of them. */
import { Either } from "effect"
import { type ParseErrorCode, printParseErrorCode, visit } from "jsonc-parser"

/** `PropertyNameExpected at line 3, column 5`, or the value. */
export const parse = (source: string): Either.Either<unknown, string> => {
  const text = source.charCodeAt(0) === 0xfeff ? source.slice(1) : source
  return Either.try({
    try: (): unknown => JSON.parse(text),
    catch: () => {
      let first: { readonly error: ParseErrorCode; readonly offset: number } | undefined
      try {
        visit(text, {
          onError: (error, offset) => {
            first ??= { error, offset }
          }
        }, { allowEmptyContent: false, disallowComments: true })
      } catch {
        // It recurses, unlike `JSON.parse`.
        return "nested too deep to say where it goes wrong"
      }
      if (first === undefined) return "not JSON"
      const before = text.slice(0, first.offset).split("\n")
      return `${printParseErrorCode(first.error)} at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
    }
  })
}
