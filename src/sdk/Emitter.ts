/** What a prompt says while it is answered: events for listeners or for `for await`, and in the end its text. */
import { EventEmitter } from "node:events"
import { ReadableStream, type ReadableStreamDefaultController } from "node:stream/web"
import type { ConversationEvent } from "../subsystems/llm/Conversation.ts"
import type { Usage } from "../subsystems/llm/Prompt.ts"

/** One event, as `for await` gives it. A prompt that was stopped is `interrupted` by `stopped`. */
export type PromptEvent = ConversationEvent | { readonly type: "interrupted"; readonly reason: "stopped" }

/** What listeners get. A prompt has `start` first, and last either `end` or `error`. */
export interface Events {
  start: []
  content: [text: string]
  thinking: [text: string]
  toolCall: [call: { readonly tool: Tool & { readonly arguments: Record<string, unknown> }; readonly status: string }]
  toolResult: [call: { readonly tool: Tool; readonly result: unknown; readonly isFailure: boolean }]
  usage: [usage: Usage]
  /** The answer is less than it could be: `length`, `content-filter`, `error`, `max_tool_calls`, or `stopped`. */
  interrupted: [reason: string]
  end: [reason: string]
  error: [error: unknown]
}

interface Tool {
  readonly id: string
  readonly name: string
}

export class Emitter extends EventEmitter<Events> implements AsyncIterable<PromptEvent> {
  /** The text, once there is no more to come; of a stopped prompt what there is. Rejects with what went wrong. */
  readonly finished: Promise<string>
  readonly #stopping = new AbortController()
  readonly #events: ReadableStream<PromptEvent>
  #controller: ReadableStreamDefaultController<PromptEvent> | undefined = undefined
  #text = ""

  /** Sends the prompt at once; `send` tells of every event and settles when there are no more. */
  constructor(send: (deliver: (event: PromptEvent) => void, stopping: AbortSignal) => Promise<void>) {
    super()
    this.#events = new ReadableStream({
      start: (controller) => {
        this.#controller = controller
      },
      cancel: () => {
        this.#controller = undefined
        this.stop()
      }
    })
    this.finished = send((event) => this.#deliver(event), this.#stopping.signal).then(
      () => this.#end(),
      (error: unknown) => this.#stopping.signal.aborted ? this.#stopped() : this.#fail(error)
    )
    // Whoever does not look at it hears of a failure by the `error` event.
    this.finished.catch(() => {})
  }

  /** Stops the model, the tools and everything else the prompt started. */
  stop(): void {
    this.#stopping.abort()
  }

  /** All events from the first, once. Leaving the loop stops the prompt; what went wrong is thrown in it. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PromptEvent> {
    return this.#events.values()
  }

  #deliver(event: PromptEvent): void {
    this.#controller?.enqueue(event)
    switch (event.type) {
      case "start":
        return void this.emit("start")
      case "content":
        this.#text += event.text
        return void this.emit("content", event.text)
      case "thinking":
        return void this.emit("thinking", event.text)
      case "toolCall": {
        const { id, name, params, status } = event
        return void this.emit("toolCall", { tool: { id, name, arguments: params }, status })
      }
      case "toolResult": {
        const { id, isFailure, name, result } = event
        return void this.emit("toolResult", { tool: { id, name }, result, isFailure })
      }
      case "usage":
        return void this.emit("usage", event.usage)
      case "interrupted":
      case "end":
        return void this.emit(event.type, event.reason)
    }
  }

  #end(): string {
    this.#controller?.close()
    return this.#text
  }

  #stopped(): string {
    this.#deliver({ type: "interrupted", reason: "stopped" })
    this.#deliver({ type: "end", text: this.#text, reason: "unknown" })
    return this.#end()
  }

  #fail(error: unknown): never {
    this.#controller?.error(error)
    if (this.listenerCount("error") > 0) this.emit("error", error)
    throw error
  }
}
