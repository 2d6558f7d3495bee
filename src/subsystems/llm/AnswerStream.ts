/** What every provider promises about its events, enforced once: any number of parts, then one `finish` or a failure. */
import { Chunk, Effect, Option, type Scope, type Stream } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Pull from "../../kernel/Pull.ts"
import type { FinishReason, LLMEvent, ToolCall } from "./Prompt.ts"
import * as Usage from "./Usage.ts"

/** `usage` is all zero where the provider counts nothing. */
export interface Answer {
  readonly text: string
  readonly reasoning: string
  readonly toolCalls: ReadonlyArray<ToolCall>
  readonly usage: Usage.Tokens
  readonly reason: FinishReason
}

/** Ends at the first `finish`, whatever comes after it; an end without one is a `Protocol` failure. */
export const checked = <E, R>(
  self: Stream.Stream<LLMEvent, E, R>,
  provider: string
): Stream.Stream<LLMEvent, E | ConnectorError, Exclude<R, Scope.Scope>> =>
  Pull.via((pull: Pull.Pull<LLMEvent, E, R>) => {
    let finished = false
    const next = Effect.mapBoth(pull, {
      onFailure: Option.orElseSome(() => endedEarly(provider)),
      onSuccess: (events) => {
        const last = Chunk.findFirstIndex(events, ({ type }) => type === "finish")
        finished = Option.isSome(last)
        return Option.isSome(last) ? Chunk.take(events, last.value + 1) : events
      }
    })
    return Effect.suspend(() => finished ? Pull.end : next)
  })(self)

export const endedEarly = (provider: string) =>
  new ConnectorError({
    connector: provider,
    method: "stream",
    reason: "Protocol",
    detail: "the answer ended early: the connection was closed before the model had finished"
  })

/** The whole of a checked stream. When it fails, nothing of the answer is returned. */
export const collect = <E, R>(self: Stream.Stream<LLMEvent, E, R>): Effect.Effect<Answer, E, R> =>
  Effect.suspend(() => {
    const text: Array<string> = []
    const reasoning: Array<string> = []
    const toolCalls: Array<ToolCall> = []
    let usage = Usage.zero
    let reason: FinishReason = "unknown"
    const add = (event: LLMEvent) => {
      switch (event.type) {
        case "text":
          text.push(event.delta)
          break
        case "reasoning":
          reasoning.push(event.delta)
          break
        case "toolCall":
          toolCalls.push({ id: event.id, name: event.name, arguments: event.arguments })
          break
        case "usage":
          usage = Usage.sum(usage, event.usage)
          break
        case "finish":
          reason = event.reason
      }
      return event.type === "finish"
    }
    return Effect.map(
      Pull.until(self, add),
      () => ({ text: text.join(""), reasoning: reasoning.join(""), toolCalls, usage, reason })
    )
  })
