/** One answer of a model while it arrives: what a watcher is told of each event, and the message it becomes. */
import { Option } from "effect"
import type { ConversationEvent } from "./Conversation.ts"
import type * as Prompt from "./Prompt.ts"
import * as ToolCalls from "./ToolCalls.ts"

type Part = Extract<Prompt.Message, { readonly role: "assistant" }>["content"][number]

export class ModelAnswer {
  reason: Prompt.FinishReason = "unknown"
  text = ""
  readonly calls: Array<ToolCalls.Call> = []
  readonly #parts: Array<Part> = []

  /** Calls are announced when they are run, not when they arrive. */
  add(event: Prompt.LLMEvent): Option.Option<ConversationEvent> {
    switch (event.type) {
      case "text":
        this.#addText(event.delta)
        return event.delta === "" ? Option.none() : Option.some({ type: "content", text: event.delta })
      case "reasoning":
        this.#addReasoning(event.delta, event.signature)
        return event.delta === "" ? Option.none() : Option.some({ type: "thinking", text: event.delta })
      case "toolCall": {
        const call = ToolCalls.read(event)
        this.calls.push(call)
        this.#parts.push(call.part)
        return Option.none()
      }
      case "usage":
        return Option.some(event)
      case "finish":
        this.reason = event.reason
        return Option.none()
    }
  }

  /** Without its calls, when they are not to be run: a call must not stay without a result. */
  content(withCalls: boolean): ReadonlyArray<Part> {
    return withCalls ? this.#parts : this.#parts.filter(({ type }) => type !== "tool-call")
  }

  #addText(delta: string) {
    this.text += delta
    const last = this.#parts.at(-1)
    if (last?.type === "text") this.#parts[this.#parts.length - 1] = { type: "text", text: last.text + delta }
    else if (delta !== "") this.#parts.push({ type: "text", text: delta })
  }

  /** A signature ends what it signs. */
  #addReasoning(delta: string, signature: string | undefined) {
    const last = this.#parts.at(-1)
    const open = last?.type === "reasoning" && last.signature === undefined ? last : undefined
    const part: Part = {
      type: "reasoning",
      text: (open?.text ?? "") + delta,
      ...(signature === undefined ? {} : { signature })
    }
    if (open === undefined) this.#parts.push(part)
    else this.#parts[this.#parts.length - 1] = part
  }
}
