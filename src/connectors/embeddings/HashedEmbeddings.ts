/**
 * Vectors counted from a text's letters: no model, no key, no network. Texts that share words and parts of words are near each
 * other; nothing is known of what they mean. For trying things out, for tests, and where nothing may leave the machine.
 */
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"

export const HashedEmbeddings = Connector.make({
  name: "Hashed",
  contract: Embeddings.EmbeddingsConnector,
  service: Embeddings.standalone,
  settings: Schema.Struct({
    /** Numbers in a vector, for requests that do not say. */
    dimensions: Schema.optionalWith(Schema.Int.pipe(Schema.between(8, 8192)), { default: () => 512 })
  }),
  make: (settings) =>
    Effect.succeed(Embeddings.EmbeddingsConnector.of({
      provider: "Hashed",
      model: "Hashed",
      credentials: { environment: undefined, required: false },
      limits: { texts: 1000, characters: 1_000_000, concurrency: 1 },
      embed: ({ dimensions = settings.dimensions, texts }) =>
        Effect.forEach(texts, (text) => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => hashed(text, dimensions))))
          .pipe(Effect.map((vectors) => ({ vectors, inputTokens: 0 })))
    }))
})

export const HashedEmbeddingsLive = HashedEmbeddings.layer({})

/**
 * Counts of words and of their runs of 3 to 5 letters, each added to one place of the vector with the sign its hash says, so
 * that those which meet by chance cancel out. A part said often weighs by the square root, and whole words weigh double.
 */
const hashed = (text: string, dimensions: number): Float64Array => {
  const counts = new Map<string, number>()
  const count = (part: string, weight: number) => counts.set(part, (counts.get(part) ?? 0) + weight)
  const words = text.normalize("NFKC").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]
  for (const word of words) {
    const marked = `^${word}$`
    const letters = Array.from(marked)
    // Most letters are one unit of UTF-16, and a part of a text is had for less than one of a list.
    const part = letters.length === marked.length
      ? (start: number, end: number) => marked.slice(start, end)
      : (start: number, end: number) => letters.slice(start, end).join("")
    count(marked, 2)
    for (let length = 3; length <= 5; length++) {
      for (let start = 0; start + length < letters.length; start++) count(part(start, start + length), 1)
    }
  }
  const vector = new Float64Array(dimensions)
  for (const [part, times] of counts) {
    const hash = fnv1a(part)
    const place = (hash >>> 1) % dimensions
    vector[place] = vector[place]! + (hash & 1 ? 1 : -1) * Math.sqrt(times)
  }
  // Everything may have cancelled out, and a text has to be somewhere.
  if (vector.every((one) => one === 0)) vector[fnv1a(text) % dimensions] = 1
  return vector
}

/** FNV-1a, 32 bits, over UTF-16, and mixed once more: http://www.isthe.com/chongo/tech/comp/fnv/ */
const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return (hash ^ (hash >>> 12)) >>> 0
}
