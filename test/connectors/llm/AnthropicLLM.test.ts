import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Either, Layer, Redacted } from "effect"
import { AnthropicLLM, AnthropicLLMLive } from "../../../src/connectors/llm/AnthropicLLM.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { LLM, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite as countSuite } from "../../conformance/llm-count.ts"
import { suite } from "../../conformance/llm.ts"
import * as AnthropicServer from "../../fixtures/AnthropicServer.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"
import * as Exchange from "./exchange.ts"

const request = Exchange.request({ modelId: "claude-sonnet-4-5", apiKey: Redacted.make("sk-1") })

const exchange = (asked: Partial<ProviderRequest>, turn: Turn = "ok", settings = {}) =>
  Exchange.make(AnthropicServer.make(turn), (baseURL) => AnthropicLLM.contract({ baseURL, ...settings }), {
    ...request,
    ...asked
  })

const tool: Prompt.Tool = { name: "add", description: "Adds.", parameters: { type: "object", properties: {} } }

describe("the request", () => {
  it.scopedLive("carries the parameters in the words of Messages", () =>
    Effect.gen(function*() {
      const { body, headers, url } = yield* exchange({
        messages: [Prompt.system("be brief"), Prompt.user("hello")],
        maxTokens: 100,
        temperature: 1.5,
        topP: 0.9,
        topK: 5,
        stopSequences: ["END"]
      })
      assert.strictEqual(url, "/v1/messages")
      assert.strictEqual(headers.authorization, "Bearer sk-1")
      assert.deepStrictEqual(body, {
        model: "claude-sonnet-4-5",
        max_tokens: 100,
        messages: [{ role: "user", content: [{ type: "text", text: "hello" }] }],
        stream: true,
        system: [{ type: "text", text: "be brief" }],
        stop_sequences: ["END"],
        temperature: 1,
        top_k: 5
      })
    }))

  it.scopedLive("bounds the answer by the size of the model, which must be given", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* exchange({ outputTokens: 64_000 })).body["max_tokens"], 64_000)
      assert.strictEqual((yield* exchange({})).body["max_tokens"], 4096)
    }))

  it.scopedLive("leaves sampling out for the newest models, which refuse it", () =>
    Effect.gen(function*() {
      const { body } = yield* exchange({ modelId: "claude-opus-4-8", temperature: 0.5, topP: 0.5, topK: 5 })
      assert.doesNotHaveAnyKeys(body, ["temperature", "top_p", "top_k"])
    }))

  for (
    const [modelId, thinking, effort] of [
      ["claude-3-5-haiku-latest", undefined, undefined],
      ["claude-3-7-sonnet-20250219", { type: "enabled", budget_tokens: 8192 }, undefined],
      ["claude-sonnet-4-20250514", { type: "enabled", budget_tokens: 8192 }, undefined],
      ["claude-opus-4-1-20250805", { type: "enabled", budget_tokens: 8192 }, undefined],
      ["claude-haiku-4-5", { type: "enabled", budget_tokens: 8192 }, undefined],
      ["claude-opus-4-6", { type: "adaptive" }, { effort: "medium" }],
      ["claude-sonnet-5", { type: "adaptive" }, { effort: "medium" }]
    ] as const
  ) {
    it.scopedLive(`makes ${modelId} think as far as it can`, () =>
      Effect.gen(function*() {
        const { body } = yield* exchange({ modelId, maxTokens: 20_000, temperature: 1, reasoningEffort: "medium" })
        assert.deepStrictEqual(body["thinking"], thinking)
        assert.deepStrictEqual(body["output_config"], effort)
        if (thinking !== undefined) assert.notProperty(body, "temperature")
      }))
  }

  it.scopedLive("gives no more tokens to think with than it is told, where the model takes a number", () =>
    Effect.gen(function*() {
      const thinking = (asked: Partial<ProviderRequest>) =>
        Effect.map(exchange({ maxTokens: 20_000, ...asked }), ({ body }) => [body["thinking"], body["output_config"]])
      const modelId = "claude-sonnet-4-20250514"
      const enabled = [{ type: "enabled", budget_tokens: 3000 }, undefined]
      assert.deepStrictEqual(yield* thinking({ modelId, maxThinkingTokens: 3000 }), enabled)
      assert.deepStrictEqual(yield* thinking({ modelId, maxThinkingTokens: 3000, reasoningEffort: "high" }), enabled)
      const none = [undefined, undefined]
      assert.deepStrictEqual(yield* thinking({ modelId, maxThinkingTokens: 3000, reasoningEffort: "none" }), none)
      assert.deepStrictEqual(yield* thinking({ modelId, maxThinkingTokens: 500 }), none)
      const adaptive = yield* thinking({ modelId: "claude-opus-4-6", maxThinkingTokens: 3000 })
      assert.deepStrictEqual(adaptive, [{ type: "adaptive" }, undefined])
    }))

  it.scopedLive("leaves thinking out where a tool is forced or the answer too short for it", () =>
    Effect.gen(function*() {
      const forced = yield* exchange({
        reasoningEffort: "high",
        tools: [tool],
        toolChoice: "required",
        maxTokens: 9000
      })
      assert.notProperty(forced.body, "thinking")
      assert.deepStrictEqual(forced.body["tool_choice"], { type: "any" })
      assert.notProperty((yield* exchange({ reasoningEffort: "high", maxTokens: 1000 })).body, "thinking")
    }))

  it.scopedLive("marks for the cache what will be asked again, unless the operator does not want it", () =>
    Effect.gen(function*() {
      const messages = [Prompt.system("be brief"), Prompt.user("hello")]
      const marked = { type: "ephemeral" }
      const { body } = yield* exchange({ messages, tools: [tool] })
      assert.deepStrictEqual(body["cache_control"], marked)
      assert.deepStrictEqual(body["system"], [{ type: "text", text: "be brief", cache_control: marked }])
      assert.notInclude(JSON.stringify((yield* exchange({ messages })).body), "cache_control")
      const off = yield* exchange({ messages, tools: [tool] }, "ok", { cache: false })
      assert.notInclude(JSON.stringify(off.body), "cache_control")
    }))

  it.scopedLive("holds the model to a schema where model and schema allow it", () =>
    Effect.gen(function*() {
      const strict = {
        type: "object",
        properties: { a: { type: "string" } },
        required: ["a"],
        additionalProperties: false
      }
      const { body } = yield* exchange({ responseSchema: strict })
      assert.deepStrictEqual(body["output_config"], { format: { type: "json_schema", schema: strict } })
      assert.notProperty((yield* exchange({ responseSchema: { type: "object" } })).body, "output_config")
      const old = yield* exchange({ modelId: "claude-3-haiku-20240307", responseSchema: strict })
      assert.notProperty(old.body, "output_config")
    }))

  it.scopedLive("carries files by bytes and by address, and results of tools with images", () =>
    Effect.gen(function*() {
      const png = { type: "file", mediaType: "image/png", data: "AAAA" } as const
      const pdf = { type: "file", mediaType: "application/pdf", data: "BBBB", fileName: "a.pdf" } as const
      const { body } = yield* exchange({
        messages: [
          Prompt.user("look", [png, { ...png, data: "https://example.com/a.png" }, pdf]),
          { role: "assistant", content: [{ type: "tool-call", id: "c1", name: "shot", params: {} }] },
          {
            role: "tool",
            content: [{
              type: "tool-result",
              id: "c1",
              name: "shot",
              result: [{ type: "text", text: "here" }, png],
              isFailure: false
            }]
          }
        ]
      })
      const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }
      assert.deepStrictEqual(body["messages"], [
        {
          role: "user",
          content: [
            { type: "text", text: "look" },
            image,
            { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
            {
              type: "document",
              source: { type: "base64", media_type: "application/pdf", data: "BBBB" },
              title: "a.pdf"
            }
          ]
        },
        { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "shot", input: {} }] },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "c1", content: [{ type: "text", text: "here" }, image] }]
        }
      ])
    }))

  it.scopedLive("without a key carries none, whatever the environment holds", () =>
    Effect.gen(function*() {
      const names = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"]
      names.forEach((name) => process.env[name] = "x-of: the-operator")
      yield* Effect.addFinalizer(() => Effect.sync(() => names.forEach((name) => delete process.env[name])))
      const { headers } = yield* exchange({ apiKey: undefined })
      assert.doesNotHaveAnyKeys(headers, ["x-api-key", "authorization", "x-of"])
    }))
})

describe("the answer", () => {
  it.scopedLive("counts tokens by their class", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [
          AnthropicServer.started({
            input_tokens: 20,
            cache_creation_input_tokens: 7,
            cache_read_input_tokens: 80,
            output_tokens: 1
          }),
          AnthropicServer.stopped("end_turn", {
            input_tokens: null,
            output_tokens: 50,
            output_tokens_details: { thinking_tokens: 30 }
          }),
          AnthropicServer.event({ type: "message_stop" })
        ]
      })
      assert.deepStrictEqual(Either.getOrThrow(answer).usage, {
        inputTokens: 20,
        outputTokens: 50,
        cacheReadTokens: 80,
        cacheWriteTokens: 7,
        reasoningTokens: 30
      })
    }))

  it.scopedLive("keeps blocks apart that come at the same time, and takes arguments that come at once", () =>
    Effect.gen(function*() {
      const begin = (index: number, name: string, input: object = {}) =>
        AnthropicServer.event({
          type: "content_block_start",
          index,
          content_block: { type: "tool_use", id: `t${index}`, name, input }
        })
      const part = (index: number, partial_json: string) =>
        AnthropicServer.event({ type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json } })
      const end = (index: number) => AnthropicServer.event({ type: "content_block_stop", index })
      const { answer } = yield* exchange({}, {
        packets: [
          ...[AnthropicServer.started(), begin(0, "f"), begin(1, "g"), part(1, `{"b":`), part(0, `{"a":1}`)],
          ...[part(1, "2}"), end(0), end(1), begin(2, "h", { c: 3 }), end(2), AnthropicServer.stopped("tool_use")]
        ]
      })
      assert.deepStrictEqual(Either.getOrThrow(answer).toolCalls, [
        { id: "t0", name: "f", arguments: `{"a":1}` },
        { id: "t1", name: "g", arguments: `{"b":2}` },
        { id: "t2", name: "h", arguments: `{"c":3}` }
      ])
    }))

  it.scopedLive("lists the pages it cites", () =>
    Effect.gen(function*() {
      const cited = (url: string) => ({
        type: "citations_delta",
        citation: { type: "web_search_result_location", url, title: "A", cited_text: "a" }
      })
      const { answer, body } = yield* exchange({ webSearch: { location: { city: "Oslo" } } }, {
        packets: [
          AnthropicServer.started(),
          ...AnthropicServer.block(
            0,
            { type: "text", text: "" },
            { type: "text_delta", text: "So it is." },
            cited("https://a.example"),
            cited("https://a.example")
          ),
          AnthropicServer.stopped("end_turn")
        ]
      })
      assert.strictEqual(Either.getOrThrow(answer).text, "So it is.\n\nSources:\n1. A: https://a.example")
      assert.deepStrictEqual(body["tools"], [
        { type: "web_search_20250305", name: "web_search", user_location: { type: "approximate", city: "Oslo" } }
      ])
    }))

  for (
    const [type, reason] of [
      ["overloaded_error", "Unavailable"],
      ["rate_limit_error", "RateLimited"],
      ["invalid_request_error", "InvalidInput"]
    ] as const
  ) {
    it.scopedLive(`broken off with ${type} fails as ${reason}`, () =>
      Effect.gen(function*() {
        const { answer } = yield* exchange({}, {
          packets: [AnthropicServer.started(), AnthropicServer.event({ type: "error", error: { type, message: "m" } })]
        })
        assert.deepInclude({ ...Either.getOrThrow(Either.flip(answer)) }, { reason, detail: "m" })
      }))
  }
})

describe("AnthropicLLMLive", () => {
  it.scopedLive("is an LLM with the key and address of the environment", () =>
    Effect.gen(function*() {
      const server = yield* AnthropicServer.make("hi there")
      const environment = ConfigProvider.fromMap(
        new Map([["ANTHROPIC_API_KEY", "sk-env"], ["ANTHROPIC_BASE_URL", server.baseURL]])
      )
      const answer = yield* Effect.flatMap(LLM, (llm) =>
        llm.generate({ model: "claude-4-sonnet", messages: [Prompt.user("hi")] })).pipe(
          Effect.provide(Layer.provide(AnthropicLLMLive, Layer.setConfigProvider(environment))),
          Candidate.as(Candidate.user("u1"))
        )
      assert.strictEqual(answer.text, "hi there")
      assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-env")
    }))
})

suite("Anthropic", {
  serve: AnthropicServer.make,
  connector: (timeouts) => AnthropicLLM.contract({ timeouts }),
  model: "claude-sonnet-4-5",
  packets: AnthropicServer.chunks
})

countSuite("Anthropic", {
  serve: AnthropicServer.make,
  connector: (timeouts) => AnthropicLLM.contract({ timeouts }),
  model: "claude-sonnet-4-5",
  counted: AnthropicServer.counted
})
