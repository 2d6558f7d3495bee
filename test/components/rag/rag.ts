/** The components for data sources over one vector database, run as agents of two teams. */
import { Effect, Layer } from "effect"
import { DataSourceCleaner } from "../../../src/components/rag/DataSourceCleaner.ts"
import { DataSourceIndexer } from "../../../src/components/rag/DataSourceIndexer.ts"
import { DataSourceLookup } from "../../../src/components/rag/DataSourceLookup.ts"
import { LocalDocuments } from "../../../src/connectors/documents/LocalDocuments.ts"
import { HashedEmbeddings } from "../../../src/connectors/embeddings/HashedEmbeddings.ts"
import { JSONModelsLive } from "../../../src/connectors/models/JSONModels.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { RAMVec } from "../../../src/connectors/vectordb/RAMVec.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as TestLLM from "../../../src/testing/TestLLM.ts"
import { runComponent, type RunOptions } from "../harness.ts"

type Values = Readonly<Record<string, unknown>>

/** `turns`: what a model that reranks says. */
export const services = (allow: ReadonlyArray<string> = [], turns: ReadonlyArray<TestLLM.Turn> = []) =>
  RAMVec.layer({}).pipe(
    Layer.provideMerge(Layer.mergeAll(
      HashedEmbeddings.layer({}),
      JSONModelsLive,
      LocalDocuments.layer({}),
      MemoryStorage.layer({}),
      TestLLM.layer(turns),
      UndiciOutbound.layer({ allow })
    )),
    Layer.orDie
  )

export const agent = (id: string) => Candidate.as(Candidate.agent(id))

export const index = (Source: unknown, settings: Values = {}, inputs: Values = {}) =>
  Effect.map(
    runComponent(DataSourceIndexer, {
      settings: { namespace: "Docs", id: "d1", ...settings },
      inputs: { Source, ...inputs }
    }),
    ({ Success }) => Success
  )

export const lookup = (Query: unknown, settings: Values = {}, step: RunOptions["step"] = {}) =>
  Effect.map(
    runComponent(DataSourceLookup, { settings: { namespace: "docs", ...settings }, inputs: { Query }, step }),
    ({ Results }) => Results as ReadonlyArray<unknown>
  )

export const clean = (settings: Values = {}, inputs: Values = {}) =>
  runComponent(DataSourceCleaner, { settings: { namespaceId: "docs", id: "d1", ...settings }, inputs })
