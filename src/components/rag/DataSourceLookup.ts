/** Finds the pieces of indexed texts that are most like a query. */
import { Effect, Option, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { type Hit, VectorDB } from "../../subsystems/io/VectorDB.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as DataSource from "./DataSource.ts"
import * as Rerank from "./Rerank.ts"

export const DataSourceLookup = Component.make("DataSourceLookup", {
  description: "Finds the pieces of indexed data sources that are most like the query, the best first.",
  category: "data",
  config: Schema.Struct({
    namespace: Settings.text({ max: 200 }),
    /** How many at most; 0 means 50. */
    topK: Settings.integer({ min: 0, max: 1000, default: 50 }),
    /** What is less like the query is left out: the cosine, up to 1 for the same. */
    scoreThreshold: Settings.number({ min: -1, max: 1, default: 0.001 }),
    /**
     * Also finds pieces that have words of the query (a name, a number), whatever their likeness; what both searches find is
     * first. For VectorDB connectors with full-text search: SQLiteVec, RAMVec, PostgresVec.
     */
    hybrid: Settings.boolean({ default: false }),
    /** A model that puts what was found into the order in which it answers the query. Without one the order is the search's. */
    rerank: Settings.optional(Settings.text({ max: 200 })),
    /** Pieces that model is shown, the first of those found. */
    rerankCount: Settings.integer({ min: 2, max: 50, default: 20 }),
    includeMetadata: Settings.boolean({ default: false }),
    includeScore: Settings.boolean({ default: false }),
    /** Of old, and without effect then as now: connect `Results` to a model instead. */
    postprocess: Settings.boolean({ default: false })
  }),
  inputs: Schema.Struct({ Query: Port.Any }),
  outputs: Schema.Struct({ Results: Port.List }),
  check: ({ postprocess }) =>
    postprocess ? [{ setting: "postprocess", problem: "it does nothing; connect Results to a GenAILLM" }] : [],
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const vectors = yield* VectorDB
    const query = Json.toText(inputs.Query).trim()
    if (query === "") return yield* new Component.ComponentFailed({ message: "Query: there is nothing to look for" })
    const { hybrid, includeMetadata, includeScore, rerank: model, rerankCount: count, scoreThreshold } = config
    const wanted = config.topK === 0 ? 50 : config.topK
    const topK = model === undefined ? wanted : Math.max(wanted, count)
    const found = yield* DataSource.withNamespace(
      config.namespace,
      (namespace) => vectors.search(namespace, query, { topK, includeMetadata, text: hybrid ? query : undefined })
    )
    const passages = found.filter(({ byWords, score }) => byWords || score >= scoreThreshold)
    const hits = model === undefined
      ? passages
      : yield* Rerank.order({ passages, textOf: contentOf, query, model, count, step })
    return {
      Results: hits.slice(0, wanted).map((hit) => {
        const { metadata, score } = hit
        const content = contentOf(hit)
        const { [DataSource.hashKey]: _, ...own } = metadata
        return includeMetadata || includeScore
          ? { content, ...(includeMetadata ? { metadata: own } : {}), ...(includeScore ? { score } : {}) }
          : content
      })
    }
  })
})

const contentOf = ({ text }: Hit) => Option.getOrElse(text, () => "")
