/** Other providers whose models answer in the format of OpenAI's Chat Completions. */
import { openAICompatible } from "./OpenAICompatible.ts"

export const DeepSeekLLM = openAICompatible("DeepSeek", {
  environment: "DEEPSEEK_API_KEY",
  baseURL: "https://api.deepseek.com/beta",
  maxTokens: "max_tokens"
})

export const TogetherAILLM = openAICompatible("TogetherAI", {
  environment: "TOGETHER_AI_API_KEY",
  baseURL: "https://api.together.xyz/v1",
  maxTokens: "max_tokens"
})

/** Its models search the web through the Responses API alone: https://docs.x.ai/docs/guides/tools/search-tools */
export const XAILLM = openAICompatible("xAI", {
  environment: "XAI_API_KEY",
  baseURL: "https://api.x.ai/v1",
  maxTokens: "max_tokens",
  jsonSchema: true,
  responses: { computer: false, tunedSearch: false, searchPlaces: true }
})

export const GroqLLM = openAICompatible("Groq", {
  environment: "GROQ_API_KEY",
  baseURL: "https://api.groq.com/openai/v1",
  maxTokens: "max_completion_tokens"
})

/** Its models search the web by themselves, and call no tools: https://docs.perplexity.ai/api-reference/chat-completions-post */
export const PerplexityLLM = openAICompatible("Perplexity", {
  environment: "PERPLEXITY_API_KEY",
  baseURL: "https://api.perplexity.ai",
  maxTokens: "max_tokens",
  jsonObject: false,
  jsonSchema: true,
  tools: false,
  topK: true,
  searches: true
})

/** The router to whoever serves a model: https://huggingface.co/docs/inference-providers */
export const HuggingFaceLLM = openAICompatible("HuggingFace", {
  environment: "HF_TOKEN",
  baseURL: "https://router.huggingface.co/v1",
  maxTokens: "max_tokens",
  jsonSchema: true
})

/** A server of one's own, which needs no key: https://docs.ollama.com/api/openai-compatibility */
export const OllamaLLM = openAICompatible("Ollama", {
  environment: undefined,
  baseURL: "http://localhost:11434/v1",
  maxTokens: "max_tokens",
  jsonSchema: true
})
