import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Layer, Redacted } from "effect"
import { OpenAILLM } from "../../../src/connectors/llm/OpenAILLM.ts"
import { LLMConnector, type LLMProvider, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite } from "../../conformance/llm.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"
import * as ResponsesServer from "../../fixtures/ResponsesServer.ts"
import * as Exchange from "./exchange.ts"

const request: ProviderRequest = {
  ...Exchange.request({ modelId: "gpt-5", apiKey: Redacted.make("sk-1") }),
  interface: "responses"
}

const exchange = (asked: Partial<ProviderRequest>, turn: Turn = "ok") =>
  Exchange.make(ResponsesServer.make(turn), (baseURL) => OpenAILLM.contract({ baseURL }), { ...request, ...asked })

const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false }

describe("the request", () => {
  it.scopedLive("carries the parameters in the words of Responses, and keeps nothing at the provider", () =>
    Effect.gen(function*() {
      const { body, url } = yield* exchange({
        messages: [Prompt.system("be brief"), Prompt.user("hello")],
        maxTokens: 100,
        temperature: 0.5,
        reasoningEffort: "low",
        verbosity: "high",
        responseSchema: schema
      })
      assert.strictEqual(url, "/v1/responses")
      assert.deepStrictEqual(body, {
        model: "gpt-5",
        input: [
          { role: "system", content: "be brief" },
          { role: "user", content: [{ type: "input_text", text: "hello" }] }
        ],
        stream: true,
        store: false,
        max_output_tokens: 100,
        include: ["reasoning.encrypted_content"],
        reasoning: { summary: "auto", effort: "low" },
        text: { format: { type: "json_schema", name: "answer", schema, strict: true }, verbosity: "high" }
      })
    }))

  it.scopedLive("samples where the model does not reason", () =>
    Effect.gen(function*() {
      const { body } = yield* exchange({ modelId: "gpt-4o", temperature: 0.5, topP: 0.9, responseFormat: "json" })
      assert.deepInclude(body, { temperature: 0.5, top_p: 0.9, text: { format: { type: "json_object" } } })
      assert.doesNotHaveAnyKeys(body, ["include", "reasoning"])
    }))

  it.scopedLive("is made for any model that is to search the web", () =>
    Effect.gen(function*() {
      const webSearch = { contextSize: "low", location: { city: "Oslo", timezone: "Europe/Oslo" } } as const
      const { body, url } = yield* exchange({ modelId: "gpt-4o", interface: undefined, webSearch })
      assert.strictEqual(url, "/v1/responses")
      assert.deepStrictEqual(body["tools"], [{
        type: "web_search",
        search_context_size: "low",
        user_location: { type: "approximate", city: "Oslo", timezone: "Europe/Oslo" }
      }])
    }))

  it.scopedLive("carries calls, results with images, files, and thoughts as they were sealed", () =>
    Effect.gen(function*() {
      const png = { type: "file", mediaType: "image/png", data: "AAAA" } as const
      const pdf = { type: "file", mediaType: "application/pdf", data: "BBBB", fileName: "a.pdf" } as const
      const signature = `OpenAI ${JSON.stringify({ id: "rs_1", content: "sealed" })}`
      const { body } = yield* exchange({
        messages: [
          Prompt.user("look", [pdf]),
          {
            role: "assistant",
            content: [
              { type: "reasoning", text: "hm", signature },
              { type: "tool-call", id: "c1", name: "shot", params: { a: 1 } }
            ]
          },
          {
            role: "tool",
            content: [{ type: "tool-result", id: "c1", name: "shot", result: png, isFailure: false }]
          },
          Prompt.assistant("done")
        ]
      })
      assert.deepStrictEqual(body["input"], [
        {
          role: "user",
          content: [
            { type: "input_text", text: "look" },
            { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,BBBB" }
          ]
        },
        {
          type: "reasoning",
          id: "rs_1",
          encrypted_content: "sealed",
          summary: [{ type: "summary_text", text: "hm" }]
        },
        { type: "function_call", call_id: "c1", name: "shot", arguments: `{"a":1}` },
        {
          type: "function_call_output",
          call_id: "c1",
          output: [
            { type: "input_text", text: "" },
            { type: "input_image", detail: "auto", image_url: "data:image/png;base64,AAAA" }
          ]
        },
        { role: "assistant", content: "done" }
      ])
    }))
})

describe("the answer", () => {
  it.scopedLive("counts tokens by their class", () =>
    Effect.gen(function*() {
      const usage = {
        input_tokens: 100,
        input_tokens_details: { cached_tokens: 80 },
        output_tokens: 50,
        output_tokens_details: { reasoning_tokens: 30 },
        total_tokens: 150
      }
      const { answer } = yield* exchange({}, { packets: [ResponsesServer.ended("completed", { usage })] })
      assert.deepStrictEqual(Either.getOrThrow(answer).usage, {
        inputTokens: 20,
        outputTokens: 50,
        cacheReadTokens: 80,
        cacheWriteTokens: 0,
        reasoningTokens: 30
      })
    }))

  it.scopedLive("lists the pages it cites once each, except within JSON", () =>
    Effect.gen(function*() {
      const cited = (url: string) =>
        ResponsesServer.event({
          type: "response.output_text.annotation.added",
          annotation: { type: "url_citation", url, title: "A", start_index: 0, end_index: 1 }
        })
      const turn = {
        packets: [
          ...[ResponsesServer.text("{}"), cited("https://a.example"), cited("https://a.example")],
          ResponsesServer.ended("completed")
        ]
      }
      const { answer } = yield* exchange({ webSearch: {} }, turn)
      assert.strictEqual(Either.getOrThrow(answer).text, "{}\n\nSources:\n1. A: https://a.example")
      const json = yield* exchange({ webSearch: {}, responseFormat: "json" }, turn)
      assert.strictEqual(Either.getOrThrow(json.answer).text, "{}")
    }))

  it.scopedLive("that is refused says so", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [
          ResponsesServer.event({ type: "response.refusal.delta", delta: "I won't." }),
          ResponsesServer.ended("completed")
        ]
      })
      assert.deepInclude(Either.getOrThrow(answer), { text: "I won't.", reason: "content-filter" })
    }))

  for (
    const [event, reason] of [
      [{ type: "error", code: "rate_limit_exceeded", message: "m" }, "RateLimited"],
      [{ type: "response.failed", response: { error: { code: "server_error", message: "m" } } }, "Unavailable"],
      [{ type: "response.failed", response: { error: { code: "invalid_prompt", message: "m" } } }, "InvalidInput"]
    ] as const
  ) {
    it.scopedLive(`broken off with ${JSON.stringify(event)} fails as ${reason}`, () =>
      Effect.gen(function*() {
        const { answer } = yield* exchange({}, { packets: [ResponsesServer.text("so"), ResponsesServer.event(event)] })
        assert.deepInclude({ ...Either.getOrThrow(Either.flip(answer)) }, { reason, detail: "m" })
      }))
  }
})

suite("OpenAI", {
  serve: ResponsesServer.make,
  connector: (timeouts) =>
    Layer.effect(
      LLMConnector,
      Effect.map(LLMConnector, (provider): LLMProvider => ({
        ...provider,
        stream: (request) => provider.stream({ ...request, interface: "responses" })
      }))
    ).pipe(Layer.provide(OpenAILLM.contract({ timeouts }))),
  model: "gpt-5",
  packets: ResponsesServer.chunks
})
