/** Another implementation of the wires, by people who know nothing of ours. */
import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { AnthropicLLM } from "../../../src/connectors/llm/AnthropicLLM.ts"
import { BedrockLLM } from "../../../src/connectors/llm/BedrockLLM.ts"
import { GoogleAILLM } from "../../../src/connectors/llm/GoogleAILLM.ts"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import type { BootError } from "../../../src/kernel/BootError.ts"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import { LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"

interface Case {
  readonly connector: (url: string) => Layer.Layer<LLMConnector, BootError>
  readonly model: string
  readonly interface?: ProviderRequest["interface"]
}

const cases: Readonly<Record<string, Case>> = {
  "Chat Completions": { connector: (url) => OpenAILLM.contract({ baseURL: `${url}/v1` }), model: "gpt-4o" },
  "Responses": {
    connector: (url) => OpenAILLM.contract({ baseURL: `${url}/v1` }),
    model: "gpt-5",
    interface: "responses"
  },
  "Anthropic": { connector: (url) => AnthropicLLM.contract({ baseURL: url }), model: "claude-sonnet-4-5" },
  "GoogleAI": { connector: (url) => GoogleAILLM.contract({ baseURL: url }), model: "gemini-2.5-pro" },
  "Bedrock": { connector: (url) => BedrockLLM.contract({ endpoint: url }), model: "amazon.nova-pro-v1:0" }
}

const mock = Effect.acquireRelease(
  Effect.promise(async () => {
    const mock = new LLMock({ port: 0 })
    mock.onMessage("greet me", { content: "Hello, you!" })
    mock.onMessage("weather", { toolCalls: [{ id: "c1", name: "weather", arguments: `{"city":"Oslo"}` }] })
    await mock.start()
    return mock
  }),
  (mock) => Effect.promise(() => mock.stop())
)

describe("against another implementation of the wire", () => {
  for (const [name, { connector, interface: spoken, model }] of Object.entries(cases)) {
    it.scopedLive(`${name}: text, tool calls, a failure and a cut come out right`, () =>
      Effect.gen(function*() {
        const server = yield* mock
        const context = yield* Layer.build(connector(server.url))
        const ask = (text: string) =>
          collect(
            Context.get(context, LLMConnector).stream({
              modelId: model,
              baseURL: undefined,
              apiKey: Redacted.make("key-1"),
              outputTokens: undefined,
              interface: spoken,
              messages: [Prompt.user(text)]
            })
          )
        assert.deepInclude(yield* ask("greet me"), { text: "Hello, you!", reason: "stop" })
        const { reason, toolCalls } = yield* ask("weather")
        assert.deepStrictEqual(toolCalls.map(({ arguments: args, name }) => [name, JSON.parse(args)]), [
          ["weather", { city: "Oslo" }]
        ])
        assert.strictEqual(reason, "tool-calls")
        assert.strictEqual((yield* Effect.flip(ask("something else"))).reason, "NotFound")
        server.setChaos({ disconnectRate: 1 })
        assert.include(["Unavailable", "Protocol"], (yield* Effect.flip(ask("greet me"))).reason)
      }))
  }
})
