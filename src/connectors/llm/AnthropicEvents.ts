/** Reads the events of a streamed message: https://platform.claude.com/docs/en/build-with-claude/streaming */
import type { Reason } from "../../kernel/ConnectorError.ts"
import * as ComputerTool from "../../subsystems/llm/ComputerTool.ts"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import { type AnswerDraft, isText, type Reader, toReason } from "./AnswerDraft.ts"
import * as AnthropicComputer from "./AnthropicComputer.ts"
import { owner } from "./AnthropicRequest.ts"
import * as Signature from "./Signature.ts"
import * as Sources from "./Sources.ts"

interface Tokens {
  readonly input_tokens?: number | null
  readonly output_tokens?: number | null
  readonly cache_creation_input_tokens?: number | null
  readonly cache_read_input_tokens?: number | null
  readonly output_tokens_details?: { readonly thinking_tokens?: number } | null
}

export interface Event {
  readonly type?: string
  readonly index?: number
  readonly message?: { readonly usage?: Tokens } | null
  readonly content_block?: {
    readonly type?: string
    readonly id?: string
    readonly name?: string
    readonly input?: unknown
    readonly text?: string
    readonly thinking?: string
    readonly data?: string
  }
  readonly delta?: {
    readonly type?: string
    readonly text?: string
    readonly partial_json?: string
    readonly thinking?: string
    readonly signature?: string
    readonly citation?: unknown
    readonly stop_reason?: string | null
  }
  readonly usage?: Tokens
  readonly error?: { readonly type?: string; readonly message?: string } | null
}

interface OpenCall {
  readonly id: string
  readonly name: string
  readonly input: unknown
  text: string
}

export const reader = (draft: AnswerDraft, request: ProviderRequest): Reader<Event> => {
  const calls = new Map<number, OpenCall>()
  const sources = new Map<string, Sources.Source>()
  let tokens: Tokens = {}

  const count = (more: Tokens | undefined) => {
    // What comes later is the sum so far; what it leaves out stays.
    tokens = { ...tokens, ...Object.fromEntries(Object.entries(more ?? {}).filter(([, value]) => value !== null)) }
    draft.counted({
      inputTokens: tokens.input_tokens ?? 0,
      outputTokens: tokens.output_tokens ?? 0,
      cacheReadTokens: tokens.cache_read_input_tokens ?? 0,
      cacheWriteTokens: tokens.cache_creation_input_tokens ?? 0,
      reasoningTokens: tokens.output_tokens_details?.thinking_tokens ?? 0
    })
  }

  const begin = (at: number, block: NonNullable<Event["content_block"]>) => {
    switch (block.type) {
      case "text":
        return draft.text(block.text)
      case "thinking":
        return draft.thought(block.thinking)
      case "redacted_thinking":
        return isText(block.data) ? draft.thought("", Signature.seal(`${owner}-redacted`, block.data)) : undefined
      case "tool_use":
        calls.set(at, { id: block.id ?? `call_${at}`, name: block.name ?? "", input: block.input, text: "" })
    }
  }

  const add = (at: number, delta: NonNullable<Event["delta"]>) => {
    switch (delta.type) {
      case "text_delta":
        return draft.text(delta.text)
      case "thinking_delta":
        return draft.thought(delta.thinking)
      case "signature_delta":
        return isText(delta.signature) ? draft.thought("", Signature.seal(owner, delta.signature)) : undefined
      case "citations_delta":
        return Sources.from([delta.citation]).forEach((source) => sources.set(source.url, source))
      case "input_json_delta": {
        const call = calls.get(at)
        const part = delta.partial_json ?? ""
        if (call !== undefined && draft.spend(part.length)) call.text += part
      }
    }
  }

  const close = (at: number) => {
    const call = calls.get(at)
    if (call === undefined) return
    calls.delete(at)
    // Arguments that come at once stand in the block itself.
    const said = call.text === "" ? JSON.stringify(call.input ?? {}) : call.text
    const isComputer = request.computer !== undefined && call.name === ComputerTool.name
    draft.call({ id: call.id, name: call.name, arguments: isComputer ? AnthropicComputer.read(said) : said })
  }

  return {
    read: (event) => {
      const at = event.index ?? 0
      switch (event.type) {
        case "message_start":
          return count(event.message?.usage)
        case "content_block_start":
          return event.content_block === undefined ? undefined : begin(at, event.content_block)
        case "content_block_delta":
          return event.delta === undefined ? undefined : add(at, event.delta)
        case "content_block_stop":
          return close(at)
        case "message_delta":
          if (event.usage !== undefined) count(event.usage)
          if (isText(event.delta?.stop_reason)) draft.stop(toReason(event.delta.stop_reason))
          return
        case "message_stop":
          return draft.done()
        case "error":
          return draft.fail(
            reasons[event.error?.type ?? ""] ?? "Unavailable",
            event.error?.message ?? "the provider broke the answer off"
          )
      }
    },
    flush: () => {
      Array.from(calls.keys()).forEach(close)
      draft.text(Sources.list(Array.from(sources.values()), request))
    }
  }
}

/** https://platform.claude.com/docs/en/api/errors */
const reasons: Readonly<Record<string, Reason>> = {
  invalid_request_error: "InvalidInput",
  authentication_error: "Unauthorized",
  permission_error: "Unauthorized",
  not_found_error: "NotFound",
  rate_limit_error: "RateLimited",
  timeout_error: "Timeout"
}
