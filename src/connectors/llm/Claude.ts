/**
 * What the generations of Claude differ in, wherever they are served:
 * https://platform.claude.com/docs/en/build-with-claude/thinking#configuring-thinking
 */
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"

export const isClaude = (modelId: string) => modelId.includes("claude")

/** Before 3.7 they did not think; to 4.5 they are given a budget of tokens; since 4.6 they decide, and are told the effort. */
const generationOf = (modelId: string): "unthinking" | "budgeted" | "adaptive" =>
  /claude-(v?[12]|instant|3-(5|opus|sonnet|haiku))/.test(modelId)
    ? "unthinking"
    : /claude-(3-7|(opus|sonnet|haiku)-4(-(0|1|5|20\d{6})(?!\d)|@|$))/.test(modelId)
    ? "budgeted"
    : "adaptive"

/** The newest refuse temperature and its like. */
export const samples = (modelId: string): boolean =>
  generationOf(modelId) !== "adaptive" || /claude-(opus|sonnet)-4-6/.test(modelId)

/** Since Opus 4.1 and the others of 4.5: https://platform.claude.com/docs/en/build-with-claude/structured-outputs */
export const holdsToSchemas = (modelId: string): boolean =>
  isClaude(modelId) && generationOf(modelId) !== "unthinking" &&
  !/claude-(3-7|(opus|sonnet)-4(-(0|20\d{6})|@|$))/.test(modelId)

/** Caching is charged for when it is written: worth it where the same beginning will be sent again. */
export const isAskedAgain = ({ computer, messages, tools = [] }: ProviderRequest): boolean =>
  tools.length > 0 || computer !== undefined || messages.some(({ role }) => role === "assistant")

/** https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html */
export const caches = (modelId: string): boolean => isClaude(modelId) && generationOf(modelId) !== "unthinking"

interface Thinking {
  readonly thinking?: { readonly type: "enabled"; readonly budget_tokens: number } | { readonly type: "adaptive" }
  readonly effort?: "low" | "medium" | "high" | "xhigh"
}

/** A forced tool leaves no room for thoughts. */
export const thinkingOf = (
  { maxThinkingTokens, modelId, reasoningEffort: effort, toolChoice }: ProviderRequest,
  maxTokens: number
): Thinking => {
  const forced = typeof toolChoice === "object" || toolChoice === "required"
  const isAsked = (effort ?? maxThinkingTokens) !== undefined && effort !== "none"
  if (!isAsked || forced || !isClaude(modelId)) return {}
  switch (generationOf(modelId)) {
    case "unthinking":
      return {}
    case "budgeted": {
      const budget = Math.min(maxThinkingTokens ?? budgets[effort ?? "medium"], Math.floor(maxTokens * 0.8))
      return budget < 1024 ? {} : { thinking: { type: "enabled", budget_tokens: budget } }
    }
    case "adaptive":
      return {
        thinking: { type: "adaptive" },
        ...(effort === undefined ? {} : { effort: effort === "minimal" ? "low" : effort })
      }
  }
}

const budgets = { minimal: 1024, low: 2048, medium: 8192, high: 16_384, xhigh: 32_768 }
