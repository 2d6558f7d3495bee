/** Reads the events of a streamed answer of Gemini: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse */
import type { Reason } from "../../kernel/ConnectorError.ts"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import { type AnswerDraft, isText, type Reader, toReason } from "./AnswerDraft.ts"
import { owner, ownId, toolName } from "./GeminiRequest.ts"
import * as Signature from "./Signature.ts"
import * as Sources from "./Sources.ts"

export interface Event {
  readonly candidates?: ReadonlyArray<{
    readonly index?: number
    readonly content?: { readonly parts?: ReadonlyArray<Part> | null } | null
    readonly finishReason?: string | null
    readonly groundingMetadata?: { readonly groundingChunks?: ReadonlyArray<{ readonly web?: Web | null }> } | null
  }>
  readonly promptFeedback?: { readonly blockReason?: string } | null
  readonly usageMetadata?: {
    readonly promptTokenCount?: number
    readonly toolUsePromptTokenCount?: number
    readonly cachedContentTokenCount?: number
    readonly candidatesTokenCount?: number
    readonly thoughtsTokenCount?: number
  } | null
  readonly error?: { readonly code?: number; readonly message?: string } | null
}

interface Web {
  readonly uri?: string
  readonly title?: string
}

interface Part {
  readonly text?: string
  readonly thought?: boolean
  readonly thoughtSignature?: string
  readonly functionCall?: { readonly id?: string; readonly name?: string; readonly args?: unknown } | null
}

export const reader = (draft: AnswerDraft, request: ProviderRequest): Reader<Event> => {
  let calls = 0
  let sources: ReadonlyArray<Sources.Source> = []

  const readPart = ({ functionCall: call, text, thought, thoughtSignature }: Part) => {
    // Before what it signs, where it can be found again.
    if (isText(thoughtSignature)) draft.thought("", Signature.seal(owner, thoughtSignature))
    if (thought === true) draft.thought(text)
    else draft.text(text)
    if (call === undefined || call === null) return
    const args = JSON.stringify(call.args ?? {})
    if (!draft.spend(args.length)) return
    draft.call({ id: call.id ?? ownId(calls++), name: toolName(call.name ?? "", request), arguments: args })
  }

  return {
    read: (event) => {
      if (event.error !== undefined && event.error !== null) {
        const { code = 500, message = "the provider broke the answer off" } = event.error
        return draft.fail(reasonOf(code), message)
      }
      const { usageMetadata: usage } = event
      if (usage !== undefined && usage !== null) {
        const cached = usage.cachedContentTokenCount ?? 0
        const thoughts = usage.thoughtsTokenCount ?? 0
        draft.counted({
          inputTokens: Math.max(0, (usage.promptTokenCount ?? 0) - cached) + (usage.toolUsePromptTokenCount ?? 0),
          outputTokens: (usage.candidatesTokenCount ?? 0) + thoughts,
          cacheReadTokens: cached,
          cacheWriteTokens: 0,
          reasoningTokens: thoughts
        })
      }
      // A prompt that is blocked has no candidates.
      if (isText(event.promptFeedback?.blockReason)) draft.stop("content-filter")
      for (const { content, finishReason, groundingMetadata, index = 0 } of event.candidates ?? []) {
        if (index !== 0) continue
        content?.parts?.forEach(readPart)
        const found = Sources.from(
          groundingMetadata?.groundingChunks?.map(({ web }) => ({ url: web?.uri, title: web?.title }))
        )
        if (found.length > 0) sources = found
        if (isText(finishReason)) draft.stop(toReason(finishReason))
      }
    },
    flush: () => draft.text(Sources.list(sources, request))
  }
}

const reasonOf = (code: number): Reason =>
  code === 429 ? "RateLimited" : code >= 500 ? "Unavailable" : code === 403 ? "Unauthorized" : "InvalidInput"
