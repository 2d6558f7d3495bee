/** Finds the pieces of indexed texts that are most like a query. */
import { Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { VectorDB } from "../../subsystems/io/VectorDB.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as DataSource from "./DataSource.ts"

export const DataSourceLookup = Component.make("DataSourceLookup", {
  description: "Finds the pieces of indexed data sources that are most like the query, the best first.",
  category: "data",
  config: Schema.Struct({
    namespace: Settings.text({ max: 200 }),
    /** How many at most; 0 means 50. */
    topK: Settings.integer({ min: 0, max: 1000, default: 50 }),
    /** What is less like the query is left out: the cosine, up to 1 for the same. */
    scoreThreshold: Settings.number({ min: -1, max: 1, default: 0.001 }),
    includeMetadata: Settings.boolean({ default: false }),
    includeScore: Settings.boolean({ default: false }),
    /** Of old, and without effect then as now: connect `Results` to a model instead. */
    postprocess: Settings.boolean({ default: false })
  }),
  inputs: Schema.Struct({ Query: Port.Any }),
  outputs: Schema.Struct({ Results: Port.List }),
  check: ({ postprocess }) =>
    postprocess ? [{ setting: "postprocess", problem: "it does nothing; connect Results to a GenAILLM" }] : [],
  run: Effect.fnUntraced(function*({ config, inputs }) {
    const vectors = yield* VectorDB
    const query = Json.toText(inputs.Query).trim()
    if (query === "") return yield* new Component.ComponentFailed({ message: "Query: there is nothing to look for" })
    const { includeMetadata, includeScore, scoreThreshold, topK } = config
    const hits = yield* DataSource.withNamespace(
      config.namespace,
      (namespace) => vectors.search(namespace, query, { topK: topK === 0 ? 50 : topK, includeMetadata })
    )
    return {
      Results: hits.filter(({ score }) => score >= scoreThreshold).map(({ metadata, score, text }) => {
        const content = text._tag === "Some" ? text.value : ""
        const { [DataSource.hashKey]: _, ...own } = metadata
        return includeMetadata || includeScore
          ? { content, ...(includeMetadata ? { metadata: own } : {}), ...(includeScore ? { score } : {}) }
          : content
      })
    }
  })
})
