/** Models named in code: a registry name, or a provider with its own settings. */
import { Redacted } from "effect"
import type { ModelSpec, Parameters } from "../subsystems/llm/LLM.ts"

/** What `new LLM(provider, …)` and `LLM.OpenAI(…)` take beside the model. */
export interface ModelSettings extends Parameters {
  readonly model: string
  /** Your own key. Never written into `agent.data`. */
  readonly apiKey?: string
  readonly baseURL?: string
  /** Context and output size, when the registry does not know the model. */
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** System message. */
  readonly behavior?: string
}

export const specOf = (provider: string, settings: ModelSettings): ModelSpec => ({
  provider,
  modelId: settings.model,
  baseURL: settings.baseURL,
  apiKey: settings.apiKey === undefined ? undefined : Redacted.make(settings.apiKey),
  contextTokens: settings.inputTokens,
  outputTokens: settings.outputTokens
})

/** The parameters of a call without what describes the model. */
export const parametersOf = (settings: ModelSettings): Parameters => {
  const { apiKey: _1, baseURL: _2, behavior: _3, inputTokens: _4, model: _5, outputTokens: _6, ...parameters } = settings
  return parameters
}
