/** Models named in code: what a provider is asked with, beside the names of the registry. */
import { Redacted } from "effect"
import type { ModelSpec } from "../subsystems/llm/LLM.ts"
import { Parameters } from "../subsystems/llm/Prompt.ts"
import { refuseMisspelt, requireText } from "./Errors.ts"

/** A model of one's own. */
export interface ModelSettings {
  /** The provider's own name of it, or one of the registry. */
  readonly model: string
  /** Your own key; never written into a document. */
  readonly apiKey?: string | undefined
  readonly baseURL?: string | undefined
  /** Sizes of context and answer, where the registry does not know the model. */
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

/** What `new LLM(provider, …)` takes. */
export interface LLMSettings extends ModelSettings, Parameters {
  /** System message. */
  readonly behavior?: string | undefined
}

export const specOf = (provider: string, settings: ModelSettings): ModelSpec => ({
  provider,
  modelId: settings.model,
  baseURL: settings.baseURL,
  apiKey: settings.apiKey === undefined ? undefined : Redacted.make(settings.apiKey),
  contextTokens: settings.inputTokens,
  outputTokens: settings.outputTokens
})

const modelNames = Object.keys(
  {
    model: true,
    apiKey: true,
    baseURL: true,
    inputTokens: true,
    outputTokens: true,
    behavior: true
  } satisfies Record<Exclude<keyof LLMSettings, keyof Parameters>, true>
)
const settingNames = [...modelNames, ...Object.keys(Parameters.fields)]

/** Settings of other systems are passed over, misspelt ones are not. */
export const check = (settings: LLMSettings): void => {
  refuseMisspelt("model", settings, settingNames)
  requireText("model", settings, "model", settingNames)
}

/** The parameters of a call without what describes the model. */
export const parametersOf = (settings: LLMSettings): Parameters => {
  const { apiKey: _1, baseURL: _2, behavior: _3, inputTokens: _4, model: _5, outputTokens: _6, ...parameters } =
    settings
  return parameters
}

/** A model as a document names it: without keys. */
export const documented = (model: unknown): unknown => {
  if (typeof model !== "object" || model === null) return model
  const { apiKey: _1, credentials: _2, ...rest } = model as Readonly<Record<string, unknown>>
  return rest
}
