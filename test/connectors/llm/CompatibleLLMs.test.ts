import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Layer } from "effect"
import * as Compatible from "../../../src/connectors/llm/CompatibleLLMs.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import { LLM, LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite } from "../../conformance/llm.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"
import * as ResponsesServer from "../../fixtures/ResponsesServer.ts"
import * as Exchange from "./exchange.ts"

const cases = [
  [Compatible.DeepSeekLLM, "deepseek-v2.5", "deepseek-chat"],
  [Compatible.TogetherAILLM, "Qwen/QwQ-32B-Preview", "Qwen/QwQ-32B-Preview"],
  [Compatible.XAILLM, "grok", "grok-2-latest"],
  [Compatible.GroqLLM, "llama-3.3-70b", "llama-3.3-70b-versatile"],
  [Compatible.PerplexityLLM, "sonar-pro", "sonar-pro"]
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

/** The answer of a provider, and what it was asked. */
const exchange = (
  connector: (typeof cases)[number][0] | typeof Compatible.HuggingFaceLLM | typeof Compatible.OllamaLLM,
  asked: Partial<ProviderRequest>,
  turn: OpenAIServer.Turn = "ok"
) =>
  Effect.gen(function*() {
    const server = yield* OpenAIServer.make(turn)
    const context = yield* Layer.build(connector.contract({ baseURL: server.baseURL }))
    const answer = yield* Effect.either(collect(
      Context.get(context, LLMConnector).stream({
        modelId: "m",
        baseURL: undefined,
        apiKey: undefined,
        outputTokens: undefined,
        messages: [Prompt.user("hello")],
        ...asked
      })
    ))
    const received = server.requests[0]
    const body = received === undefined ? undefined : JSON.parse(received.body) as Record<string, unknown>
    return { answer, body, headers: received?.headers }
  })

const schema = { type: "object", properties: {}, required: [], additionalProperties: false }
const tools = [{ name: "add", description: "Adds.", parameters: { type: "object", properties: {} } }]

describe("Perplexity", () => {
  const cited = (more: object) => ({
    packets: [
      OpenAIServer.event({ choices: [{ index: 0, delta: { content: "So it is [1]." } }], ...more }),
      OpenAIServer.delta({}, "stop"),
      OpenAIServer.event("[DONE]")
    ]
  })

  it.scopedLive("lists the pages its marks mean", () =>
    Effect.gen(function*() {
      const named = yield* exchange(
        Compatible.PerplexityLLM,
        {},
        cited({
          citations: ["https://a.example"],
          search_results: [{ title: "A", url: "https://a.example", date: null }]
        })
      )
      assert.strictEqual(Either.getOrThrow(named.answer).text, "So it is [1].\n\nSources:\n1. A: https://a.example")
      const bare = yield* exchange(Compatible.PerplexityLLM, {}, cited({ citations: ["https://a.example"] }))
      assert.strictEqual(Either.getOrThrow(bare.answer).text, "So it is [1].\n\nSources:\n1. https://a.example")
    }))

  it.scopedLive("is told how to search, and held to a schema, but not to JSON alone", () =>
    Effect.gen(function*() {
      const { body } = yield* exchange(Compatible.PerplexityLLM, {
        topK: 5,
        webSearch: { contextSize: "low" },
        responseSchema: schema
      })
      assert.deepInclude(body, {
        top_k: 5,
        web_search_options: { search_context_size: "low" },
        response_format: { type: "json_schema", json_schema: { name: "answer", schema, strict: true } }
      })
      const json = yield* exchange(Compatible.PerplexityLLM, { responseFormat: "json" })
      assert.notProperty(json.body, "response_format")
    }))

  it.scopedLive("is given no tools, which its models would not call", () =>
    Effect.gen(function*() {
      const { answer, body } = yield* exchange(Compatible.PerplexityLLM, { tools })
      assert.strictEqual(Either.getOrThrow(Either.flip(answer)).reason, "InvalidInput")
      assert.isUndefined(body)
    }))
})

describe("xAI", () => {
  it.scopedLive("searches the web where it can, and lists what it cites", () =>
    Effect.gen(function*() {
      const cited = ResponsesServer.event({
        type: "response.output_text.annotation.added",
        annotation: { type: "url_citation", url: "https://a.example", title: "A", start_index: 0, end_index: 1 }
      })
      const server = ResponsesServer.make({
        packets: [ResponsesServer.text("So it is."), cited, ResponsesServer.ended("completed")]
      })
      const asked = { webSearch: { contextSize: "low", location: { country: "FR" } } } as const
      const { answer, body, url } = yield* Exchange.make(
        server,
        (baseURL) => Compatible.XAILLM.contract({ baseURL }),
        { ...Exchange.request({ modelId: "grok-4", apiKey: undefined }), ...asked }
      )
      assert.strictEqual(Either.getOrThrow(answer).text, "So it is.\n\nSources:\n1. A: https://a.example")
      assert.strictEqual(url, "/v1/responses")
      assert.deepStrictEqual(body["tools"], [{ type: "web_search" }])
    }))

  it.scopedLive("searches where it is told, posts on X among that", () =>
    Effect.gen(function*() {
      const places = {
        web: { allowedDomains: [], excludedDomains: ["a.example"] },
        posts: { allowedAccounts: ["ada"], excludedAccounts: ["bob"], from: "2025-01-31", to: "2025-02-28" }
      }
      const { body } = yield* Exchange.make(
        ResponsesServer.make({ packets: [ResponsesServer.text("so"), ResponsesServer.ended("completed")] }),
        (baseURL) => Compatible.XAILLM.contract({ baseURL }),
        { ...Exchange.request({ modelId: "grok-4", apiKey: undefined }), webSearch: { places } }
      )
      assert.deepStrictEqual(body["tools"], [
        { type: "web_search", filters: { excluded_domains: ["a.example"] } },
        { type: "x_search", allowed_x_handles: ["ada"], from_date: "2025-01-31", to_date: "2025-02-28" }
      ])
    }))
})

describe("HuggingFace and Ollama", () => {
  for (const connector of [Compatible.HuggingFaceLLM, Compatible.OllamaLLM]) {
    it.scopedLive(`${connector.name} calls tools and is held to schemas`, () =>
      Effect.gen(function*() {
        const { answer, body, headers } = yield* exchange(
          connector,
          { tools, responseSchema: schema },
          { toolCalls: [{ id: "c1", name: "add", arguments: {} }, { id: "c2", name: "add", arguments: {} }] }
        )
        assert.deepStrictEqual(Either.getOrThrow(answer).toolCalls.map(({ id }) => id), ["c1", "c2"])
        assert.nestedPropertyVal(body, "response_format.type", "json_schema")
        assert.notProperty(headers, "authorization")
      }))
  }

  it.scoped("Ollama needs no key, and is nearby until the operator says where it is", () =>
    Effect.gen(function*() {
      const usual = Context.get(yield* Layer.build(Compatible.OllamaLLM.contract({})), LLMConnector)
      assert.isFalse(usual.credentials.required)
      assert.strictEqual(usual.nearby, "http://localhost:11434/v1")
      const baseURL = "http://models.internal:11434/v1"
      const chosen = Context.get(yield* Layer.build(Compatible.OllamaLLM.contract({ baseURL })), LLMConnector)
      assert.isUndefined(chosen.nearby)
    }))
})

it.scopedLive("models that can be told how much to think are, and no others", () =>
  Effect.gen(function*() {
    const cases = [
      [Compatible.GroqLLM, "openai/gpt-oss-120b", "medium", "medium"],
      [Compatible.HuggingFaceLLM, "openai/gpt-oss-20b", "xhigh", "high"],
      [Compatible.XAILLM, "grok-3-mini", "medium", "high"],
      [Compatible.PerplexityLLM, "sonar-deep-research", "minimal", "low"],
      [Compatible.GroqLLM, "openai/gpt-oss-120b", "none", undefined],
      [Compatible.GroqLLM, "llama-3.3-70b-versatile", "high", undefined],
      [Compatible.XAILLM, "grok-4", "high", undefined]
    ] as const
    for (const [connector, modelId, reasoningEffort, told] of cases) {
      const { body } = yield* exchange(connector, { modelId, reasoningEffort, temperature: 0.5 })
      assert.deepInclude(body, { temperature: 0.5 })
      assert.strictEqual(body?.["reasoning_effort"], told, `${connector.name} ${modelId}`)
    }
  }))

it.scopedLive("a search is refused by a provider that has none", () =>
  Effect.gen(function*() {
    const { answer, body } = yield* exchange(Compatible.GroqLLM, { webSearch: {} })
    assert.include(Either.getOrThrow(Either.flip(answer)).message, "leave webSearch out")
    assert.isUndefined(body)
  }))

/** None signs thoughts in this format; what else one lacks, its documentation says or it is not held to. */
const lacking = [
  [Compatible.DeepSeekLLM, ["schemas"]],
  [Compatible.GroqLLM, ["schemas"]],
  [Compatible.HuggingFaceLLM, []],
  [Compatible.OllamaLLM, []],
  [Compatible.PerplexityLLM, ["tools"]],
  [Compatible.TogetherAILLM, ["schemas"]],
  [Compatible.XAILLM, []]
] as const

for (const [connector, lacks] of lacking) {
  suite(connector.name, {
    serve: OpenAIServer.make,
    connector: (timeouts) => connector.contract({ timeouts }),
    model: "m",
    packets: OpenAIServer.chunks,
    lacks: ["signatures", ...lacks]
  })
}
