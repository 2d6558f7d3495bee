/** Reads the events of a streamed Chat Completions answer: https://platform.openai.com/docs/api-reference/chat-streaming */
import type { CompletionUsage } from "openai/resources/completions"
import type { Reason } from "../../kernel/ConnectorError.ts"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import type { ToolCall, Usage } from "../../subsystems/llm/Prompt.ts"
import { type AnswerDraft, isText, type Reader, toReason } from "./AnswerDraft.ts"
import * as Sources from "./Sources.ts"

/** A chunk as servers really send it: anything may be missing. */
interface Chunk {
  readonly choices?:
    | ReadonlyArray<{
      readonly index?: number
      readonly delta?: Delta | null
      readonly finish_reason?: string | null
    }>
    | null
  readonly usage?: Partial<CompletionUsage> | null
  readonly error?: unknown
  /** Of Perplexity and xAI: where the answer comes from, each time the whole list. */
  readonly citations?: unknown
  readonly search_results?: unknown
}

interface Delta {
  readonly content?: string | null
  readonly refusal?: string | null
  /** DeepSeek and xAI call it by the first name, Groq and Together by the second. */
  readonly reasoning_content?: string | null
  readonly reasoning?: string | null
  readonly tool_calls?:
    | ReadonlyArray<{
      readonly index?: number
      readonly id?: string | null
      readonly function?: { readonly name?: string | null; readonly arguments?: string | null } | null
    }>
    | null
}

export const reader = (draft: AnswerDraft, request: ProviderRequest): Reader<Chunk> => {
  const calls: Array<ToolCall & { readonly index: number | undefined }> = []
  let sources: ReadonlyArray<Sources.Source> = []

  const readDelta = (delta: Delta) => {
    draft.thought(delta.reasoning_content ?? delta.reasoning)
    draft.text(delta.content)
    if (isText(delta.refusal)) {
      draft.refused()
      draft.text(delta.refusal)
    }
    for (const { function: part, id, index } of delta.tool_calls ?? []) {
      if (!draft.spend(part?.arguments?.length ?? 0)) return
      if (calls.length > maxCalls) return draft.protocol(`the answer calls more than ${maxCalls} tools`)
      const at = calls.findLastIndex((call) => index === undefined ? true : call.index === index)
      const call = at < 0 ? undefined : calls[at]
      const name = part?.name ?? ""
      // Some servers give every call the index 0 and tell them apart by id alone.
      if (call === undefined || (isText(id) && id !== call.id) || (index === undefined && name !== "" && !isText(id))) {
        calls.push({ index, id: isText(id) ? id : `call_${calls.length}`, name, arguments: part?.arguments ?? "" })
      } else {
        calls[at] = {
          ...call,
          name: call.name === "" ? name : call.name,
          arguments: call.arguments + (part?.arguments ?? "")
        }
      }
    }
  }

  return {
    read: (chunk) => {
      if (chunk.error !== undefined && chunk.error !== null) return midStream(draft, chunk.error)
      if (typeof chunk.usage?.prompt_tokens === "number") draft.counted(toUsage(chunk.usage))
      const cited = Sources.from(chunk.search_results ?? chunk.citations)
      if (cited.length > 0) sources = cited
      for (const { delta, finish_reason, index } of chunk.choices ?? []) {
        if (index !== undefined && index !== 0) continue
        if (delta !== undefined && delta !== null) readDelta(delta)
        if (isText(finish_reason)) draft.stop(toReason(finish_reason))
      }
    },
    flush: () => {
      draft.text(Sources.list(sources, request))
      calls.forEach((call) => draft.call(call))
    }
  }
}

const maxCalls = 1000

/** Servers count cached tokens within the prompt's, and some count reasoning tokens in nothing but the total. */
const toUsage = (usage: Partial<CompletionUsage>): Usage => {
  const { completion_tokens: output = 0, prompt_tokens: input = 0, total_tokens: total = 0 } = usage
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0
  return {
    inputTokens: Math.max(0, input - cached),
    outputTokens: Math.max(output, total - input),
    cacheReadTokens: cached,
    cacheWriteTokens: 0,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? 0
  }
}

/** An error after the head of the answer has said that all is well. */
const midStream = (draft: AnswerDraft, error: unknown) => {
  const said = typeof error === "object" && error !== null ? error as Readonly<Record<string, unknown>> : {}
  const kind = [said["code"], said["type"]].join(" ")
  const reason: Reason = /429|rate_limit/.test(kind)
    ? "RateLimited"
    : /invalid|context_length/.test(kind)
    ? "InvalidInput"
    : "Unavailable"
  draft.fail(
    reason,
    typeof error === "string" ? error : String(said["message"] ?? "the provider broke the answer off")
  )
}
