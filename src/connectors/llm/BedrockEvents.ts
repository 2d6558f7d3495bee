/** Reads the events of ConverseStream, which the SDK has decoded and checked. */
import type { ConverseStreamOutput } from "@aws-sdk/client-bedrock-runtime"
import type { Reason } from "../../kernel/ConnectorError.ts"
import * as ComputerTool from "../../subsystems/llm/ComputerTool.ts"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import { type AnswerDraft, isText, type Reader, toReason } from "./AnswerDraft.ts"
import * as AnthropicComputer from "./AnthropicComputer.ts"
import { owner } from "./BedrockRequest.ts"
import * as Signature from "./Signature.ts"

interface OpenCall {
  readonly id: string
  readonly name: string
  text: string
}

export const reader = (draft: AnswerDraft, request: ProviderRequest): Reader<ConverseStreamOutput> => {
  const calls = new Map<number, OpenCall>()

  const close = (at: number) => {
    const call = calls.get(at)
    calls.delete(at)
    if (call === undefined) return
    const said = call.text === "" ? "{}" : call.text
    const isComputer = request.computer !== undefined && call.name === ComputerTool.name
    draft.call({ id: call.id, name: call.name, arguments: isComputer ? AnthropicComputer.read(said) : said })
  }

  return {
    read: ({ contentBlockDelta, contentBlockStart, contentBlockStop, messageStop, metadata }) => {
      if (contentBlockStart?.start?.toolUse !== undefined) {
        const at = contentBlockStart.contentBlockIndex ?? 0
        const { name = "", toolUseId = `call_${at}` } = contentBlockStart.start.toolUse
        calls.set(at, { id: toolUseId, name, text: "" })
      }
      const { reasoningContent, text, toolUse } = contentBlockDelta?.delta ?? {}
      draft.text(text)
      draft.thought(reasoningContent?.text)
      if (isText(reasoningContent?.signature)) draft.thought("", Signature.seal(owner, reasoningContent.signature))
      if (reasoningContent?.redactedContent !== undefined) {
        const data = Buffer.from(reasoningContent.redactedContent).toString("base64")
        draft.thought("", Signature.seal(`${owner}-redacted`, data))
      }
      if (toolUse?.input !== undefined && draft.spend(toolUse.input.length)) {
        const call = calls.get(contentBlockDelta?.contentBlockIndex ?? 0)
        if (call !== undefined) call.text += toolUse.input
      }
      if (contentBlockStop !== undefined) close(contentBlockStop.contentBlockIndex ?? 0)
      if (messageStop !== undefined) draft.stop(toReason(messageStop.stopReason ?? ""))
      if (metadata !== undefined) {
        const { cacheReadInputTokens = 0, cacheWriteInputTokens = 0, inputTokens = 0, outputTokens = 0 } =
          metadata.usage ?? {}
        draft.counted({
          inputTokens,
          outputTokens,
          cacheReadTokens: cacheReadInputTokens,
          cacheWriteTokens: cacheWriteInputTokens,
          reasoningTokens: 0
        })
        // Nothing follows it.
        draft.done()
      }
    },
    flush: () => Array.from(calls.keys()).forEach(close)
  }
}

/** Exceptions in mid-answer, by the names the SDK gives them. */
export const reasonOf = (name: string): Reason | undefined => reasons[name]

const reasons: Readonly<Record<string, Reason>> = {
  InternalServerException: "Unavailable",
  ModelStreamErrorException: "Unavailable",
  ServiceUnavailableException: "Unavailable",
  ThrottlingException: "RateLimited",
  ValidationException: "InvalidInput"
}
