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

export const XAILLM = openAICompatible("xAI", {
  environment: "XAI_API_KEY",
  baseURL: "https://api.x.ai/v1",
  maxTokens: "max_tokens"
})

export const GroqLLM = openAICompatible("Groq", {
  environment: "GROQ_API_KEY",
  baseURL: "https://api.groq.com/openai/v1",
  maxTokens: "max_completion_tokens"
})
