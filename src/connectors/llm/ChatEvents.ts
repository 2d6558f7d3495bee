/** Reads the events of a streamed Chat Completions answer: https://platform.openai.com/docs/api-reference/chat-streaming */
import { Either } from "effect"
import type { CompletionUsage } from "openai/resources/completions"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import type { FinishReason, LLMEvent, ToolCall, Usage } from "../../subsystems/llm/Prompt.ts"
import * as SseData from "./SseData.ts"

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

export interface Decoder {
  /** The events in these bytes. Reads no more once the answer is whole. */
  readonly feed: (bytes: Iterable<Uint8Array>) => Either.Either<Array<LLMEvent>, ConnectorError>
  /** The model has said why it stops: what follows is usage and the terminal event, and neither is worth a failure. */
  readonly isComplete: () => boolean
  /** The terminal event was read. */
  readonly isDone: () => boolean
  /** What is to be said at the end: whole tool calls, usage, the reason. Empty before {@link isComplete}. */
  readonly end: () => ReadonlyArray<LLMEvent>
}

export const make = (connector: string): Decoder => {
  const text = new TextDecoder()
  const calls: Array<ToolCall & { readonly index: number | undefined }> = []
  let events: Array<LLMEvent> = []
  let failure: ConnectorError | undefined
  let usage: Usage | undefined
  let reason: FinishReason | undefined
  let refused = false
  let done = false
  let room = maxChars

  const dataIn = SseData.make()

  const readEvent = (data: string) => {
    if (done || failure !== undefined) return
    if (data.trim() === "[DONE]") {
      done = true
      return
    }
    const chunk = parse(data)
    if (chunk === undefined) {
      failure = protocol(connector, "an event of the answer is not a JSON object")
    } else if (chunk.error !== undefined && chunk.error !== null) {
      failure = midStream(connector, chunk.error)
    } else {
      read(chunk)
    }
  }

  const read = (chunk: Chunk) => {
    if (typeof chunk.usage?.prompt_tokens === "number") usage = toUsage(chunk.usage)
    for (const { delta, finish_reason, index } of chunk.choices ?? []) {
      if (index !== undefined && index !== 0) continue
      if (delta !== undefined && delta !== null) readDelta(delta)
      if (finish_reason !== undefined && finish_reason !== null && finish_reason !== "") {
        reason = toReason(finish_reason)
      }
    }
  }

  const readDelta = (delta: Delta) => {
    const thought = delta.reasoning_content ?? delta.reasoning
    room -= (thought?.length ?? 0) + (delta.content?.length ?? 0)
    if (isText(thought)) events.push({ type: "reasoning", delta: thought })
    if (isText(delta.content)) events.push({ type: "text", delta: delta.content })
    if (isText(delta.refusal)) {
      refused = true
      events.push({ type: "text", delta: delta.refusal })
    }
    for (const { function: part, id, index } of delta.tool_calls ?? []) {
      room -= part?.arguments?.length ?? 0
      if (room < 0 || calls.length > maxCalls) {
        failure ??= protocol(connector, `the answer is larger than ${maxChars} characters, or calls too many tools`)
        return
      }
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
    feed: (chunks) => {
      events = []
      for (const bytes of chunks) {
        const found = dataIn(text.decode(bytes, { stream: true }))
        if (found === undefined) failure ??= protocol(connector, "one event of the answer is larger than 10 MiB")
        else found.forEach(readEvent)
      }
      if (room < 0) failure ??= protocol(connector, `the answer is larger than ${maxChars} characters`)
      // After its last word an answer is whole, whatever the rest of the connection holds.
      return failure !== undefined && reason === undefined ? Either.left(failure) : Either.right(events)
    },
    isComplete: () => reason !== undefined,
    isDone: () => done || (failure !== undefined && reason !== undefined),
    end: () =>
      reason === undefined ? [] : [
        ...calls.map(({ arguments: args, id, name }): LLMEvent => ({ type: "toolCall", id, name, arguments: args })),
        ...(usage === undefined ? [] : [{ type: "usage" as const, usage }]),
        { type: "finish", reason: refused ? "content-filter" : settled(reason, calls.length > 0) }
      ]
  }
}

/** Far beyond the largest answers of models; nobody else bounds what a server may send. */
const maxChars = 32 * 1024 * 1024
const maxCalls = 1000

const isText = (value: string | null | undefined): value is string => typeof value === "string" && value !== ""

const parse = (data: string): Chunk | undefined => {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

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

const reasons: ReadonlyArray<readonly [FinishReason, ReadonlyArray<string>]> = [
  ["stop", ["stop", "end_turn", "stop_sequence", "eos"]],
  ["length", ["length", "max_tokens", "incomplete"]],
  ["content-filter", ["content_filter", "contentfilter", "refusal", "safety"]],
  ["tool-calls", ["tool_calls", "tool_use", "function_call"]],
  ["error", ["error", "insufficient_system_resource"]]
]

const toReason = (text: string): FinishReason =>
  reasons.find(([, names]) => names.includes(text.toLowerCase()))?.[0] ?? "unknown"

/** Some servers say `stop` after tool calls; none may say `tool-calls` without any. */
const settled = (reason: FinishReason, called: boolean): FinishReason =>
  reason === "stop" && called ? "tool-calls" : reason === "tool-calls" && !called ? "stop" : reason

const protocol = (connector: string, detail: string) =>
  new ConnectorError({ connector, method: "stream", reason: "Protocol", detail })

/** An error after the head of the answer has said that all is well. */
const midStream = (connector: string, error: unknown) => {
  const said = typeof error === "object" && error !== null ? error as Readonly<Record<string, unknown>> : {}
  const kind = [said["code"], said["type"]].join(" ")
  const reason: Reason = /429|rate_limit/.test(kind)
    ? "RateLimited"
    : /invalid|context_length/.test(kind)
    ? "InvalidInput"
    : "Unavailable"
  const message = typeof error === "string" ? error : String(said["message"] ?? "the provider broke the answer off")
  return new ConnectorError({ connector, method: "stream", reason, detail: message.slice(0, 500) })
}
