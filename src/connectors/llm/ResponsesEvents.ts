/** Reads the events of a streamed Response: https://platform.openai.com/docs/api-reference/responses-streaming */
import type { Reason } from "../../kernel/ConnectorError.ts"
import * as ComputerTool from "../../subsystems/llm/ComputerTool.ts"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import { type AnswerDraft, isText, type Reader, toReason } from "./AnswerDraft.ts"
import * as ResponsesComputer from "./ResponsesComputer.ts"
import * as ResponsesRequest from "./ResponsesRequest.ts"
import * as Sources from "./Sources.ts"

export interface Event {
  readonly type?: string
  readonly delta?: string
  readonly summary_index?: number
  readonly annotation?: unknown
  readonly item?: {
    readonly type?: string
    readonly id?: string
    readonly call_id?: string
    readonly name?: string
    readonly arguments?: string
    readonly encrypted_content?: string | null
  }
  readonly response?: Response
  /** Of an `error`, whose fields stand beside its type. */
  readonly code?: string | null
  readonly message?: string
  readonly error?: Failure | null
}

interface Response {
  readonly usage?: {
    readonly input_tokens?: number
    readonly output_tokens?: number
    readonly input_tokens_details?: { readonly cached_tokens?: number; readonly cache_write_tokens?: number } | null
    readonly output_tokens_details?: { readonly reasoning_tokens?: number } | null
  } | null
  readonly incomplete_details?: { readonly reason?: string } | null
  readonly error?: Failure | null
}

interface Failure {
  readonly code?: string | null
  readonly message?: string
}

export const reader = (draft: AnswerDraft, request: ProviderRequest): Reader<Event> => {
  const sources = new Map<string, Sources.Source>()

  const count = (usage: Response["usage"]) => {
    if (usage === undefined || usage === null) return
    const { cache_write_tokens: written = 0, cached_tokens: cached = 0 } = usage.input_tokens_details ?? {}
    draft.counted({
      inputTokens: Math.max(0, (usage.input_tokens ?? 0) - cached - written),
      outputTokens: usage.output_tokens ?? 0,
      cacheReadTokens: cached,
      cacheWriteTokens: written,
      reasoningTokens: usage.output_tokens_details?.reasoning_tokens ?? 0
    })
  }

  const item = (
    { arguments: args = "", call_id, encrypted_content, id = "", name = "", type, ...more }: NonNullable<Event["item"]>
  ) => {
    if (type === "computer_call") {
      const said = ResponsesComputer.read({ type, id, call_id, ...more })
      if (draft.spend(said.length)) draft.call({ id: call_id ?? id, name: ComputerTool.name, arguments: said })
    }
    if (type === "function_call" && draft.spend(args.length)) draft.call({ id: call_id ?? id, name, arguments: args })
    if (type === "reasoning" && isText(encrypted_content)) {
      draft.thought("", ResponsesRequest.seal(id, encrypted_content))
    }
  }

  const fail = ({ code, message = "the provider broke the answer off" }: Failure) =>
    draft.fail(reasons[code ?? ""] ?? "Unavailable", message)

  return {
    read: (event) => {
      switch (event.type) {
        case "response.output_text.delta":
          return draft.text(event.delta)
        case "response.refusal.delta":
          draft.refused()
          return draft.text(event.delta)
        case "response.reasoning_summary_text.delta":
        case "response.reasoning_text.delta":
          return draft.thought(event.delta)
        case "response.reasoning_summary_part.added":
          return (event.summary_index ?? 0) > 0 ? draft.thought("\n\n") : undefined
        case "response.output_text.annotation.added":
          return Sources.from([event.annotation]).forEach((source) => sources.set(source.url, source))
        case "response.output_item.done":
          return event.item === undefined ? undefined : item(event.item)
        case "response.completed":
        case "response.incomplete":
          count(event.response?.usage)
          draft.stop(
            event.type === "response.completed"
              ? "stop"
              : toReason(event.response?.incomplete_details?.reason ?? "length")
          )
          return draft.done()
        case "response.failed":
          return fail(event.response?.error ?? {})
        case "error":
          return fail(event.error ?? event)
      }
    },
    flush: () => draft.text(Sources.list(Array.from(sources.values()), request))
  }
}

/** https://platform.openai.com/docs/api-reference/responses/object#responses/object-error */
const reasons: Readonly<Record<string, Reason>> = {
  rate_limit_exceeded: "RateLimited",
  insufficient_quota: "Full",
  invalid_prompt: "InvalidInput",
  invalid_request_error: "InvalidInput",
  context_length_exceeded: "InvalidInput"
}
