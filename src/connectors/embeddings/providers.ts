/** Every provider of embeddings this build ships with; a model's name says which one serves it. */
import type { Layer } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Embeddings from "../../subsystems/llm/Embeddings.ts"
import { BedrockEmbeddings } from "./BedrockEmbeddings.ts"
import { GoogleEmbeddings } from "./GoogleEmbeddings.ts"
import { HashedEmbeddings } from "./HashedEmbeddings.ts"
import { LlamaCppEmbeddings } from "./LlamaCppEmbeddings.ts"
import { OpenAICompatibleEmbeddings } from "./OpenAICompatibleEmbeddings.ts"

/** The first needs no key and no network, and serves requests that name no model. */
export const embeddingsConnectors = [
  HashedEmbeddings,
  OpenAICompatibleEmbeddings,
  GoogleEmbeddings,
  BedrockEmbeddings,
  LlamaCppEmbeddings
] as const

/** All of them with their usual addresses, and no key but what the vault or the environment has for the asker. */
export const layer: Layer.Layer<Embeddings.Providers, BootError> = Embeddings.providers(
  embeddingsConnectors.map((connector) => connector.contract({}))
)
