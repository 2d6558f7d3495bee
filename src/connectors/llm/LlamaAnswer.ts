/** What a chat of node-llama-cpp says, word by word; whatever ends the scope ends the generation. */
import { Effect, Stream } from "effect"
import type { LlamaChatResponseChunk } from "node-llama-cpp"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import type { FinishReason, LLMEvent, Usage } from "../../subsystems/llm/Prompt.ts"
import * as LlamaModels from "../LlamaModels.ts"

/** What is read of an answer at its end. */
interface Response {
  readonly functionCalls?: ReadonlyArray<{ readonly functionName: string; readonly params: unknown }> | undefined
  readonly metadata: { readonly stopReason: string }
}

/** No more is waiting for the consumer than one context holds. */
export const stream = (
  generate: (options: {
    readonly signal: AbortSignal
    readonly onResponseChunk: (chunk: LlamaChatResponseChunk) => void
  }) => Promise<Response>,
  /** What was used so far; `reasoningTokens` are counted here. */
  used: () => Usage
): Stream.Stream<LLMEvent, ConnectorError> =>
  Stream.asyncPush<LLMEvent, ConnectorError>((emit) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const controller = new AbortController()
        let reasoningTokens = 0
        const onResponseChunk = ({ text, tokens, type }: LlamaChatResponseChunk) => {
          if (type === "segment") reasoningTokens += tokens.length
          if (text !== "") emit.single({ type: type === "segment" ? "reasoning" : "text", delta: text })
        }
        const ended = generate({ signal: controller.signal, onResponseChunk }).then(
          (response) => {
            emit.array([
              ...callsOf(response),
              { type: "usage", usage: { ...used(), reasoningTokens } },
              endOf(response)
            ])
            emit.end()
          },
          (cause) => emit.fail(LlamaModels.toError("stream", cause))
        )
        return { controller, ended }
      }),
      // The engine stops at the next word, and only then may its memory serve another call.
      ({ controller, ended }) => {
        controller.abort()
        return Effect.promise(() => ended)
      }
    ), { bufferSize: "unbounded" })

const callsOf = ({ functionCalls = [] }: Response): ReadonlyArray<LLMEvent> =>
  functionCalls.map(({ functionName, params }) => ({
    type: "toolCall",
    id: Ids.unsafeMake("call"),
    name: functionName,
    arguments: JSON.stringify(params ?? {})
  }))

const endOf = ({ functionCalls = [], metadata: { stopReason } }: Response): LLMEvent => {
  const reason: FinishReason = stopReason === "maxTokens" ? "length" : functionCalls.length > 0 ? "tool-calls" : "stop"
  return { type: "finish", reason }
}
