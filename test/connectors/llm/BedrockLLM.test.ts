import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Layer, Option, Redacted } from "effect"
import { BedrockLLM } from "../../../src/connectors/llm/BedrockLLM.ts"
import * as ComputerTool from "../../../src/subsystems/llm/ComputerTool.ts"
import { LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite as countSuite } from "../../conformance/llm-count.ts"
import { suite } from "../../conformance/llm.ts"
import * as BedrockServer from "../../fixtures/BedrockServer.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"
import * as Exchange from "./exchange.ts"

const request = Exchange.request({ modelId: "amazon.nova-pro-v1:0", apiKey: Redacted.make("AKIA0000:secret-key") })

const exchange = (asked: Partial<ProviderRequest>, turn: Turn = "ok", settings = {}) =>
  Exchange.make(BedrockServer.make(turn), (endpoint) => BedrockLLM.contract({ endpoint, ...settings }), {
    ...request,
    ...asked
  })

const tool: Prompt.Tool = { name: "add__all-of-it", description: "", parameters: { type: "object", properties: {} } }
const claude = "anthropic.claude-sonnet-4-5-20250929-v1:0"

describe("the request", () => {
  it.scopedLive("carries the parameters in the words of Converse, signed", () =>
    Effect.gen(function*() {
      const { body, headers, url } = yield* exchange({
        messages: [Prompt.system("be brief"), Prompt.user("hello")],
        maxTokens: 100,
        temperature: 0.5,
        topP: 0.9,
        stopSequences: ["END"],
        tools: [tool],
        toolChoice: "required"
      })
      assert.strictEqual(url, "/model/amazon.nova-pro-v1%3A0/converse-stream")
      assert.match(String(headers.authorization), /^AWS4-HMAC-SHA256 Credential=AKIA0000\/\d{8}\/us-east-1\/bedrock\//)
      assert.deepStrictEqual(body, {
        messages: [{ role: "user", content: [{ text: "hello" }] }],
        system: [{ text: "be brief" }],
        inferenceConfig: { maxTokens: 100, temperature: 0.5, topP: 0.9, stopSequences: ["END"] },
        toolConfig: {
          tools: [{ toolSpec: { name: "add__all-of-it", inputSchema: { json: { type: "object", properties: {} } } } }],
          toolChoice: { any: {} }
        }
      })
    }))

  it.scopedLive("makes Claude think, and holds it to a schema", () =>
    Effect.gen(function*() {
      const schema = { type: "object", properties: {}, required: [], additionalProperties: false }
      const { body } = yield* exchange({
        modelId: claude,
        maxTokens: 20_000,
        temperature: 1,
        reasoningEffort: "medium",
        responseSchema: schema
      })
      assert.deepInclude(body, {
        inferenceConfig: { maxTokens: 20_000 },
        additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 8192 } },
        outputConfig: {
          textFormat: {
            type: "json_schema",
            structure: { jsonSchema: { schema: JSON.stringify(schema), name: "answer" } }
          }
        }
      })
    }))

  it.scopedLive("tells other families how much to think in their own words, and those that cannot nothing", () =>
    Effect.gen(function*() {
      const cases = [
        ["us.amazon.nova-2-lite-v1:0", {}, { reasoningConfig: { type: "enabled", maxReasoningEffort: "high" } }],
        ["amazon.nova-2-lite-v1:0", { maxTokens: 99 }, {
          reasoningConfig: { type: "enabled", maxReasoningEffort: "medium" }
        }],
        ["openai.gpt-oss-120b-1:0", { maxTokens: 99 }, { reasoning_effort: "high" }],
        ["meta.llama3-3-70b-instruct-v1:0", {}, undefined],
        ["mistral.mistral-large-3-675b-instruct", {}, undefined]
      ] as const
      for (const [modelId, more, fields] of cases) {
        const { answer, body } = yield* exchange({ modelId, reasoningEffort: "high", ...more })
        assert.strictEqual(Either.getOrThrow(answer).text, "ok")
        assert.deepStrictEqual(body["additionalModelRequestFields"], fields)
      }
      const none = yield* exchange({ modelId: "openai.gpt-oss-20b-1:0", reasoningEffort: "none" })
      assert.notProperty(none.body, "additionalModelRequestFields")
    }))

  it.scopedLive("keeps what will be sent again in the cache of Claude, unless told otherwise", () =>
    Effect.gen(function*() {
      const kept = { cachePoint: { type: "default" } }
      const messages = [Prompt.system("be brief"), Prompt.user("one"), Prompt.assistant("1"), Prompt.user("two")]
      const conversation = yield* exchange({ modelId: claude, messages })
      assert.deepStrictEqual(conversation.body["system"], [{ text: "be brief" }, kept])
      assert.deepStrictEqual(conversation.body["messages"], [
        { role: "user", content: [{ text: "one" }] },
        { role: "assistant", content: [{ text: "1" }] },
        { role: "user", content: [{ text: "two" }, kept] }
      ])
      const tools = yield* exchange({ modelId: claude, tools: [tool] })
      assert.deepNestedInclude(tools.body, { "toolConfig.tools[1]": kept })
      const others = [
        yield* exchange({ modelId: claude }),
        yield* exchange({ messages, tools: [tool] }),
        yield* exchange({ modelId: "anthropic.claude-3-haiku-20240307-v1:0", messages }),
        yield* exchange({ modelId: claude, messages }, "ok", { cache: false })
      ]
      for (const { body } of others) assert.notInclude(JSON.stringify(body), "cachePoint")
    }))

  it.scopedLive("goes to the model and the region its settings name", () =>
    Effect.gen(function*() {
      const { headers, url } = yield* exchange({ settings: { customModel: "my-model", region: "eu-west-1" } })
      assert.strictEqual(url, "/model/my-model/converse-stream")
      assert.include(headers.authorization, "/eu-west-1/bedrock/")
      const { answer, requests } = yield* exchange({ settings: { region: "x.example/" } })
      assert.strictEqual(Either.getOrThrow(Either.flip(answer)).reason, "InvalidInput")
      assert.lengthOf(requests, 0)
    }))

  it.scopedLive("alternates roles and names documents as the service takes them", () =>
    Effect.gen(function*() {
      const csv = { type: "file", mediaType: "text/csv", data: "AAAA", fileName: "my_data (1).csv" } as const
      const { body } = yield* exchange({
        messages: [Prompt.assistant("Yes?"), Prompt.user("one", [csv]), Prompt.user("two")]
      })
      const source = { bytes: "AAAA" }
      assert.deepStrictEqual(body["messages"], [
        { role: "user", content: [{ text: "continue" }] },
        { role: "assistant", content: [{ text: "Yes?" }] },
        {
          role: "user",
          content: [
            { text: "one" },
            { document: { format: "csv", name: "my data (1) csv", source } },
            { text: "two" }
          ]
        }
      ])
    }))

  it.scopedLive("gives Claude a computer, by the name and in the version the model knows", () =>
    Effect.gen(function*() {
      const computer = { width: 800, height: 600 }
      const input = { action: "left_click", coordinate: [10, 20], later: true }
      const asked = yield* exchange(
        { modelId: `us.${claude}`, computer, tools: [tool] },
        {
          toolCalls: [{ name: "computer", arguments: input, id: "c1" }, { name: tool.name, arguments: { action: "x" } }]
        }
      )
      const type = "computer_20250124"
      assert.deepInclude(asked.body["additionalModelRequestFields"] as object, {
        tools: [{ type, name: "computer", display_width_px: 800, display_height_px: 600 }],
        anthropic_beta: ["computer-use-2025-01-24"]
      })
      const [click, other] = Either.getOrThrow(asked.answer).toolCalls
      const params = JSON.parse(click?.arguments ?? "") as Record<string, unknown>
      assert.deepStrictEqual(Option.getOrThrow(ComputerTool.callOf(params)).actions, [
        { type: "click", at: { x: 10, y: 20 }, button: "left", count: 1, held: [] }
      ])
      assert.strictEqual(other?.arguments, `{"action":"x"}`)

      const picture = { type: "file", mediaType: "image/png", data: "aGk=" } as const
      const result = ComputerTool.result({ id: "c1" }, { note: "", screenshot: picture, acknowledged: [] })
      const { body } = yield* exchange(
        {
          modelId: `us.${claude}`,
          computer,
          tools: [tool],
          messages: [
            Prompt.user("click"),
            { role: "assistant", content: [{ type: "tool-call", id: "c1", name: ComputerTool.name, params }] },
            { role: "tool", content: [result] }
          ]
        },
        "ok",
        { cache: false }
      )
      assert.deepStrictEqual((body["messages"] as ReadonlyArray<unknown>).slice(1), [
        { role: "assistant", content: [{ toolUse: { toolUseId: "c1", name: "computer", input } }] },
        {
          role: "user",
          content: [{
            toolResult: {
              toolUseId: "c1",
              content: [{ image: { format: "png", source: { bytes: "aGk=" } } }],
              status: "success"
            }
          }]
        }
      ])
    }))

  it.scopedLive("that gives a computer to a model without a tool for it is refused before anybody is asked", () =>
    Effect.gen(function*() {
      for (const modelId of [request.modelId, "anthropic.claude-3-haiku-20240307-v1:0"]) {
        const { answer, requests } = yield* exchange({ modelId, computer: { width: 800, height: 600 } })
        assert.deepInclude({ ...Either.getOrThrow(Either.flip(answer)) }, { reason: "InvalidInput" })
        assert.lengthOf(requests, 0)
      }
    }))

  it.scopedLive("that asks for a search is refused before anybody is asked", () =>
    Effect.gen(function*() {
      const { answer, requests } = yield* exchange({ webSearch: {} })
      assert.strictEqual(Either.getOrThrow(Either.flip(answer)).reason, "InvalidInput")
      assert.lengthOf(requests, 0)
    }))
})

describe("the answer", () => {
  it.scopedLive("counts tokens by their class", () =>
    Effect.gen(function*() {
      const usage = {
        inputTokens: 20,
        outputTokens: 50,
        cacheReadInputTokens: 80,
        cacheWriteInputTokens: 7,
        totalTokens: 157
      }
      const { answer } = yield* exchange({}, {
        packets: [BedrockServer.event("messageStop", { stopReason: "end_turn" }), BedrockServer.metadata(usage)]
      })
      assert.deepStrictEqual(Either.getOrThrow(answer).usage, {
        inputTokens: 20,
        outputTokens: 50,
        cacheReadTokens: 80,
        cacheWriteTokens: 7,
        reasoningTokens: 0
      })
    }))

  it.scopedLive("a guardrail stopped was filtered", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [BedrockServer.event("messageStop", { stopReason: "guardrail_intervened" })]
      })
      assert.strictEqual(Either.getOrThrow(answer).reason, "content-filter")
    }))

  for (
    const [exception, reason] of [
      ["throttlingException", "RateLimited"],
      ["modelStreamErrorException", "Unavailable"],
      ["validationException", "InvalidInput"]
    ] as const
  ) {
    it.scopedLive(`broken off by a ${exception} fails as ${reason}`, () =>
      Effect.gen(function*() {
        const { answer } = yield* exchange({}, {
          packets: [
            ...BedrockServer.block(0, undefined, { text: "so" }),
            BedrockServer.event(exception, { message: "m" }, "exception")
          ]
        })
        assert.deepInclude({ ...Either.getOrThrow(Either.flip(answer)) }, { reason, detail: "m" })
      }))
  }
})

describe("tokens", () => {
  const counting = (modelId: string) =>
    Effect.gen(function*() {
      const { baseURL, requests } = yield* BedrockServer.make(BedrockServer.counted(7))
      const { count } = Context.get(yield* Layer.build(BedrockLLM.contract({ endpoint: baseURL })), LLMConnector)
      const counted = yield* count?.({ ...request, modelId }) ?? Effect.succeedNone
      return { counted, urls: requests.map(({ url }) => decodeURIComponent(url)) }
    })

  it.scopedLive("are counted of Claude by its own name, whatever the inference profile", () =>
    Effect.gen(function*() {
      for (const modelId of ["anthropic.claude-opus-4-6-v1", "us-gov.anthropic.claude-opus-4-6-v1"]) {
        assert.deepStrictEqual(yield* counting(modelId), {
          counted: Option.some(7),
          urls: ["/model/anthropic.claude-opus-4-6-v1/count-tokens"]
        })
      }
    }))

  it.scopedLive("are not counted of other families, nor of models the service does not count", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* counting("amazon.nova-pro-v1:0"), { counted: Option.none(), urls: [] })
      assert.deepStrictEqual((yield* counting("anthropic.claude-uncounted")).counted, Option.none())
    }))
})

suite("Bedrock", {
  serve: BedrockServer.make,
  connector: (timeouts) => BedrockLLM.contract({ timeouts }),
  model: claude,
  packets: BedrockServer.chunks,
  lacks: ["text", "thoughts"]
})

countSuite("Bedrock", {
  serve: BedrockServer.make,
  connector: (timeouts) => BedrockLLM.contract({ timeouts }),
  model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
  counted: BedrockServer.counted
})
