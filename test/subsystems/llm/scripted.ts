/** `LLM` over a registry of a test's own and one provider that does what the test says; for what stands above providers. */
import { Effect, Layer, type Stream } from "effect"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import type { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import type * as Models from "../../../src/subsystems/llm/Models.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"

export type Answer = Stream.Stream<Prompt.LLMEvent, ConnectorError>

export const text = (delta: string): Prompt.LLMEvent => ({ type: "text", delta })
export const finish: Prompt.LLMEvent = { type: "finish", reason: "stop" }
export const used = (inputTokens: number, outputTokens: number): Prompt.LLMEvent => ({
  type: "usage",
  usage: { inputTokens, outputTokens, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
})

/** A request is as many tokens as the name of the model has letters, where this provider is asked. */
export const layer = (
  models: Readonly<Record<string, Models.ModelEntry>>,
  stream: (request: LLM.ProviderRequest) => Answer
): Layer.Layer<LLM.LLM | Models.Models | LLM.Providers> => {
  const provider = LLM.LLMConnector.of({
    provider: "Test",
    credentials: { environment: undefined, required: false },
    stream,
    count: ({ modelId }) => Effect.succeedSome(modelId.length)
  })
  return LLM.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(
      Layer.orDie(JSONModels.layer({ models })),
      Layer.succeed(LLM.Providers, new Map([["test", provider]]))
    )),
    Layer.provide(Layer.orDie(NullVault.layer({})))
  )
}

/** Of `Test`, 1000 tokens in and 100 out, a dollar for a thousand in and ten for a thousand out. */
export const model = (more: Partial<Models.ModelEntry> = {}): Models.ModelEntry => ({
  provider: "Test",
  tokens: 1000,
  completionTokens: 100,
  credentials: "none",
  prices: { input: 1000, output: 10_000 },
  ...more
})

export const ask = (
  content: string,
  more: Partial<LLM.Request> = {}
): Effect.Effect<LLM.Answer, LLM.LLMError, LLM.LLM> =>
  Effect.flatMap(LLM.LLM, (llm) => llm.generate({ model: "m", messages: [Prompt.user(content)], ...more }))
