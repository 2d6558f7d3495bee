/** Tokenizer: how many tokens a text is. By its bytes, unless a real one is provided: {@link layer}. */
import { Context, Effect, Layer } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"

export interface Counter {
  /** As near as can be. */
  readonly count: (text: string) => number
  /** No model of any provider counts more. */
  readonly atMost: (text: string) => number
}

/** Four bytes of UTF-8 a token: near for English prose, too high for most other text, so that a window rather is too small. */
export const estimateTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4)

/** A token is a byte at least. */
export const estimate: Counter = { count: estimateTokens, atMost: (text) => Buffer.byteLength(text) }

/** Reading it loads nothing; running it may, once. */
export class Tokenizer extends Context.Reference<Tokenizer>()("effect-sre/Tokenizer", {
  defaultValue: (): Effect.Effect<Counter> => Effect.succeed(estimate)
}) {}

export const counter: Effect.Effect<Counter> = Effect.flatten(Tokenizer)

/**
 * The tokenizer of OpenAI's present models (`o200k_base`). Those of other providers make up to half as many again of the same
 * text. Its tables are loaded with the first text.
 */
export const layer: Layer.Layer<never, BootError> = Layer.scoped(
  Tokenizer,
  Effect.map(
    Connector.lazily(
      "Tokenizer",
      "gpt-tokenizer",
      Effect.map(
        Connector.vendor("Tokenizer", "gpt-tokenizer", () => import("gpt-tokenizer/encoding/o200k_base")),
        ({ countTokens }) => counterOf((text) => countTokens(text, asText))
      )
    ),
    Effect.orElse(() => Effect.as(Effect.logWarning("the tokenizer cannot be loaded: tokens are estimated"), estimate))
  )
)

/** What looks like a special token was written by somebody, and is text. */
const asText = { disallowedSpecial: new Set<string>() }

/** In pieces: what it takes to encode a text without spaces grows with the square of its length. */
const counterOf = (encode: (text: string) => number): Counter => {
  const count = (text: string) => {
    const end = Math.min(text.length, maxCounted)
    let tokens = 0
    for (let at = 0; at < end; at += pieceLength) tokens += encode(text.slice(at, Math.min(end, at + pieceLength)))
    return Math.ceil(tokens * Math.max(1, text.length / maxCounted))
  }
  return {
    count,
    atMost: (text) => {
      const bytes = Buffer.byteLength(text)
      return text.length > maxCounted ? bytes : Math.min(Math.ceil(count(text) * 1.5), bytes)
    }
  }
}
const pieceLength = 1024
/** Characters of a text that are counted, which may take a second; the rest is taken to be like them. */
const maxCounted = 1024 * pieceLength
