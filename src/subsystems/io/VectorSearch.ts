/** One search of {@link VectorDB}: by the vector alone, or by words as well. */
import { type Context, Effect } from "effect"
import { type ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import type { Hit, Query, StoredPoint, VectorDBConnector } from "./VectorModels.ts"
import * as Records from "./VectorRecords.ts"
import * as VectorWords from "./VectorWords.ts"

type Connector = Context.Tag.Service<VectorDBConnector>

/** Without words in `text` the nearest first; with them in the order of both searches together. */
export const run = (
  connector: Connector,
  collection: string,
  query: Query,
  text: string | undefined
): Effect.Effect<ReadonlyArray<Hit>, ConnectorError> => {
  const words = text === undefined ? [] : VectorWords.wanted(text)
  return words.length === 0 ? byVector(connector, collection, query) : hybrid(connector, collection, query, words)
}

const byVector = Effect.fnUntraced(function*(connector: Connector, collection: string, query: Query) {
  const matches = yield* retrying(connector.search(collection, query))
  const hits = yield* Effect.forEach(matches, (match) => hitOf(match, match.score, false))
  return hits.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
})

/** Each search is asked for more than is wanted: what both find is better than what one finds. */
const hybrid = Effect.fnUntraced(function*(
  connector: Connector,
  collection: string,
  query: Query,
  words: ReadonlyArray<string>
) {
  const { groups, vector } = query
  const topK = Math.min(1000, Math.max(50, query.topK * 2))
  const [near, worded] = yield* Effect.all([
    byVector(connector, collection, { vector, groups, topK }),
    Effect.flatMap(
      retrying(connector.searchWords(collection, { words, groups, topK })),
      Effect.forEach((point) => hitOf(point, cosine(point.vector, vector), true))
    )
  ], { concurrency: 2 })
  const hits = new Map([...near, ...worded].map((hit) => [hit.id, hit]))
  return VectorWords.fuse([near.map(({ id }) => id), worded.map(({ id }) => id)])
    .slice(0, query.topK).flatMap((id) => hits.get(id) ?? [])
})

const hitOf = (point: StoredPoint, score: number, byWords: boolean) =>
  Effect.map(Records.open(point), (item): Hit => ({ ...item, score: Math.min(1, Math.max(-1, score)), byWords }))

/** Of vectors of length 1. */
const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, element, at) => sum + element * (b[at] ?? 0), 0)
