/** Every provider of models this build ships with; the models registry names which one serves a model. */
import type { Layer } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import { AnthropicLLM } from "./AnthropicLLM.ts"
import { BedrockLLM } from "./BedrockLLM.ts"
import {
  DeepSeekLLM,
  GroqLLM,
  HuggingFaceLLM,
  OllamaLLM,
  PerplexityLLM,
  TogetherAILLM,
  XAILLM
} from "./CompatibleLLMs.ts"
import { EchoLLM } from "./EchoLLM.ts"
import { GoogleAILLM } from "./GoogleAILLM.ts"
import { LlamaCppLLM } from "./LlamaCppLLM.ts"
import { OpenAILLM } from "./OpenAILLM.ts"
import { VertexAILLM } from "./VertexAILLM.ts"

export const llmConnectors = [
  EchoLLM,
  OpenAILLM,
  AnthropicLLM,
  GoogleAILLM,
  VertexAILLM,
  BedrockLLM,
  DeepSeekLLM,
  TogetherAILLM,
  XAILLM,
  GroqLLM,
  PerplexityLLM,
  HuggingFaceLLM,
  OllamaLLM,
  LlamaCppLLM
] as const

/** All of them with their usual addresses, and no key but what the vault or the environment has for the asker. */
export const layer: Layer.Layer<LLM.Providers, BootError> = LLM.providers(
  llmConnectors.map((connector) => connector.contract({}))
)
