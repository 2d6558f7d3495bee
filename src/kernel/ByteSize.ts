/** Sizes in settings: a number of bytes, or text like `64mb` and `10 GB`. Units are powers of 1024. */
import { ParseResult, Schema } from "effect"

const units: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 }

const FromText = Schema.transformOrFail(Schema.String, Schema.Number, {
  strict: true,
  decode: (text, _, ast) => {
    const [, amount, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?b|)\s*$/i.exec(text) ?? []
    return amount === undefined
      ? ParseResult.fail(new ParseResult.Type(ast, text, `expected a size like "64mb" or "10gb", got "${text}"`))
      : ParseResult.succeed(Math.floor(Number(amount) * units[unit.toLowerCase()]!))
  },
  encode: (bytes) => ParseResult.succeed(String(bytes))
})

/** A number of bytes, at least one. */
export const ByteSize = Schema.Union(Schema.Number, FromText).pipe(
  Schema.compose(Schema.Int.pipe(Schema.positive()), { strict: true })
)
