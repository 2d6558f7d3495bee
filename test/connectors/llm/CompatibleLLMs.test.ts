import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Compatible from "../../../src/connectors/llm/CompatibleLLMs.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { LLM } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"

const cases = [
  [Compatible.DeepSeekLLM, "deepseek-v2.5", "deepseek-chat"],
  [Compatible.TogetherAILLM, "Qwen/QwQ-32B-Preview", "Qwen/QwQ-32B-Preview"],
  [Compatible.XAILLM, "grok", "grok-2-latest"],
  [Compatible.GroqLLM, "llama-3.3-70b", "llama-3.3-70b-versatile"]
] as const

describe("the providers that speak OpenAI's format", () => {
  for (const [connector, model, modelId] of cases) {
    it.scopedLive(`${connector.name} answers for its models of the registry`, () =>
      Effect.gen(function*() {
        const server = yield* OpenAIServer.make({ text: "hello", reasoning: "hm" })
        const answer = yield* Effect.flatMap(LLM, (llm) => llm.generate({ model, messages: [Prompt.user("hi")] })).pipe(
          Effect.provide(connector.layer({ baseURL: server.baseURL, apiKey: "sk-1" })),
          Candidate.as(Candidate.user("u1"))
        )
        assert.deepInclude(answer, { text: "hello", reasoning: "hm", reason: "stop" })
        assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-1")
        assert.include(server.requests[0]?.body, `"model":"${modelId}"`)
      }))
  }
})
