/** Every provider of models this build ships with; the models registry names which one serves a model. */
import type { Layer } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import { DeepSeekLLM, GroqLLM, TogetherAILLM, XAILLM } from "./CompatibleLLMs.ts"
import { EchoLLM } from "./EchoLLM.ts"
import { OpenAILLM } from "./OpenAILLM.ts"

export const llmConnectors = [EchoLLM, OpenAILLM, DeepSeekLLM, TogetherAILLM, XAILLM, GroqLLM] as const

/** All of them with their usual addresses, and no key but what the vault or the environment has for the asker. */
export const layer: Layer.Layer<LLM.Providers, BootError> = LLM.providers(
  llmConnectors.map((connector) => connector.contract({}))
)
