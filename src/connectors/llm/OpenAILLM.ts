/**
 * Models of OpenAI, and of any server that speaks its Chat Completions at a `baseURL`. Models whose registry entry has the
 * interface `responses` are asked through the Responses API, and so is every model that is to search the web.
 */
import { Config } from "effect"
import { openAICompatible } from "./OpenAICompatible.ts"
import { defaultTimeouts } from "./PooledFetch.ts"

export const OpenAILLM = openAICompatible("OpenAI", {
  environment: "OPENAI_API_KEY",
  baseURL: "https://api.openai.com/v1",
  maxTokens: "max_completion_tokens",
  jsonSchema: true,
  responses: { computer: true, tunedSearch: true, searchPlaces: false }
})

/** `LLM` with the key `OPENAI_API_KEY` at `OPENAI_BASE_URL`, each where it is set. */
export const OpenAILLMLive = OpenAILLM.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("OPENAI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("OPENAI_BASE_URL"), undefined),
  organization: Config.withDefault(Config.nonEmptyString("OPENAI_ORG_ID"), undefined),
  timeouts: Config.succeed(defaultTimeouts)
})
