/** An answer while it is read off the wire: what every provider's reader writes into, and what holds for all of them. */
import { Either } from "effect"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import type { FinishReason, LLMEvent, ToolCall, Usage } from "../../subsystems/llm/Prompt.ts"

/** Reads what a provider sends, in pieces of type `A`. */
export interface Decoder<A> {
  /** The events in these pieces. Reads no more once the answer is whole. */
  readonly feed: (pieces: Iterable<A>) => Either.Either<Array<LLMEvent>, ConnectorError>
  /** The model has said why it stops: what follows is usage and the terminal event, and neither is worth a failure. */
  readonly isComplete: () => boolean
  /** The terminal event was read. */
  readonly isDone: () => boolean
  /** What is to be said at the end: usage, the reason, and before them what only then is whole. Empty before {@link isComplete}. */
  readonly end: () => ReadonlyArray<LLMEvent>
}

/** What is special about one provider: `read` takes one parsed event of the wire. */
export interface Reader<Event> {
  readonly read: (event: Event) => void
  /** Says what is known only at the end. */
  readonly flush?: () => void
}

export class AnswerDraft {
  readonly connector: string
  #events: Array<LLMEvent> = []
  #failure: ConnectorError | undefined
  #usage: Usage | undefined
  #reason: FinishReason | undefined
  #refused = false
  #calls = 0
  #isDone = false
  #room = maxChars

  constructor(connector: string) {
    this.connector = connector
  }

  text(delta: unknown): void {
    if (!isText(delta)) return
    this.spend(delta.length)
    this.#events.push({ type: "text", delta })
  }

  /** A signature ends the thought it signs, or signs what the model says next; it may stand alone. */
  thought(delta: unknown, signature?: string): void {
    if (!isText(delta) && signature === undefined) return
    const text = isText(delta) ? delta : ""
    this.spend(text.length + (signature?.length ?? 0))
    this.#events.push({ type: "reasoning", delta: text, ...(signature === undefined ? {} : { signature }) })
  }

  /** One whole call, whose arguments were accounted for while they came. */
  call({ arguments: args, id, name }: ToolCall): void {
    this.#calls += 1
    if (this.#calls > maxCalls) this.protocol(`the answer calls more than ${maxCalls} tools`)
    else this.#events.push({ type: "toolCall", id, name, arguments: args })
  }

  /** Replaces what was counted before: providers count the whole answer each time. */
  counted(usage: Usage): void {
    this.#usage = usage
  }

  /** The model would not answer. */
  refused(): void {
    this.#refused = true
  }

  /** The model has said why it stops. */
  stop(reason: FinishReason): void {
    this.#reason = reason
  }

  /** The provider has said its last word. */
  done(): void {
    this.#isDone = true
  }

  fail(reason: Reason, detail: string): void {
    this.#failure ??= new ConnectorError({
      connector: this.connector,
      method: "stream",
      reason,
      detail: detail.slice(0, 500)
    })
  }

  protocol(detail: string): void {
    this.fail("Protocol", detail)
  }

  /** Accounts for characters that are kept. */
  spend(chars: number): boolean {
    this.#room -= chars
    if (this.#room < 0) this.protocol(`the answer is larger than ${maxChars} characters`)
    return this.#room >= 0
  }

  get isComplete(): boolean {
    return this.#reason !== undefined
  }

  get isDone(): boolean {
    return this.#isDone || (this.#failure !== undefined && this.isComplete)
  }

  get isOver(): boolean {
    return this.#isDone || this.#failure !== undefined
  }

  /** After its last word an answer is whole, whatever the rest of the connection holds. */
  take(): Either.Either<Array<LLMEvent>, ConnectorError> {
    if (this.#failure !== undefined && !this.isComplete) return Either.left(this.#failure)
    const events = this.#events
    this.#events = []
    return Either.right(events)
  }

  end(): ReadonlyArray<LLMEvent> {
    if (this.#reason === undefined) return []
    const reason = this.#refused ? "content-filter" : settled(this.#reason, this.#calls > 0)
    return [
      ...this.#events,
      ...(this.#usage === undefined ? [] : [{ type: "usage" as const, usage: this.#usage }]),
      { type: "finish", reason }
    ]
  }
}

/** A decoder of events that come parsed. */
export const decoder = <Event>(draft: AnswerDraft, reader: Reader<Event>): Decoder<Event> => ({
  feed: (events) => {
    for (const event of events) if (!draft.isOver) reader.read(event)
    return draft.take()
  },
  isComplete: () => draft.isComplete,
  isDone: () => draft.isDone,
  end: () => {
    reader.flush?.()
    return draft.end()
  }
})

export const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

/** Why a model stopped, in the words of all providers; `unknown` for what none of them says. */
export const toReason = (text: string): FinishReason =>
  reasons.find(([, names]) => names.includes(text.toLowerCase()))?.[0] ?? "unknown"

const reasons: ReadonlyArray<readonly [FinishReason, ReadonlyArray<string>]> = [
  ["stop", ["stop", "end_turn", "stop_sequence", "eos", "completed", "pause_turn"]],
  ["length", ["length", "max_tokens", "max_output_tokens", "incomplete", "model_context_window_exceeded"]],
  [
    "content-filter",
    [
      ...["content_filter", "contentfilter", "content_filtered", "guardrail_intervened", "refusal", "safety"],
      ...["recitation", "language", "blocklist", "prohibited_content", "spii", "image_safety"],
      ...["image_prohibited_content", "image_recitation", "jailbreak", "model_armor"]
    ]
  ],
  ["tool-calls", ["tool_calls", "tool_use", "function_call"]],
  [
    "error",
    [
      ...["error", "insufficient_system_resource", "malformed_function_call", "unexpected_tool_call"],
      ...["too_many_tool_calls", "malformed_model_output", "malformed_tool_use", "failed", "cancelled"]
    ]
  ]
]

/** Far beyond the largest answers of models; nobody else bounds what a server may send. */
const maxChars = 32 * 1024 * 1024
const maxCalls = 1000

/** Some servers say `stop` after tool calls; none may say `tool-calls` without any. */
const settled = (reason: FinishReason, called: boolean): FinishReason =>
  reason === "stop" && called ? "tool-calls" : reason === "tool-calls" && !called ? "stop" : reason
