import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import { GoogleAILLM } from "../../../src/connectors/llm/GoogleAILLM.ts"
import type { ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite as countSuite } from "../../conformance/llm-count.ts"
import { suite } from "../../conformance/llm.ts"
import * as GeminiServer from "../../fixtures/GeminiServer.ts"
import type { Turn } from "../../fixtures/OpenAIServer.ts"
import * as Exchange from "./exchange.ts"

const request = Exchange.request({ modelId: "gemini-2.5-pro", apiKey: Redacted.make("key-1") })

const exchange = (asked: Partial<ProviderRequest>, turn: Turn = "ok") =>
  Effect.map(
    Exchange.make(GeminiServer.make(turn), (baseURL) => GoogleAILLM.contract({ baseURL }), { ...request, ...asked }),
    ({ body, ...rest }) => ({ ...rest, body: body as Record<string, Record<string, unknown>> })
  )

const parameters = { type: "object", properties: { a: { type: "number" } } }
const tool: Prompt.Tool = { name: "add", description: "Adds.", parameters }

describe("the request", () => {
  it.scopedLive("carries the parameters in the words of Gemini", () =>
    Effect.gen(function*() {
      const { body, headers, url } = yield* exchange({
        messages: [Prompt.system("be brief"), Prompt.user("hello")],
        maxTokens: 100,
        temperature: 0.5,
        topP: 0.9,
        topK: 5,
        stopSequences: ["END"],
        responseSchema: parameters
      })
      assert.strictEqual(url, "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse")
      assert.strictEqual(headers["x-goog-api-key"], "key-1")
      assert.deepStrictEqual(body["generationConfig"], {
        maxOutputTokens: 100,
        temperature: 0.5,
        topP: 0.9,
        topK: 5,
        stopSequences: ["END"],
        responseMimeType: "application/json",
        responseJsonSchema: parameters
      })
      assert.deepStrictEqual(body["systemInstruction"]?.["parts"], [{ text: "be brief" }])
    }))

  for (
    const [modelId, config] of [
      ["gemini-2.0-flash", undefined],
      ["gemini-2.5-flash", { includeThoughts: true, thinkingBudget: 8192 }],
      ["gemini-3-pro-preview", { includeThoughts: true, thinkingLevel: "MEDIUM" }]
    ] as const
  ) {
    it.scopedLive(`makes ${modelId} think as far as it can`, () =>
      Effect.gen(function*() {
        const { body } = yield* exchange({ modelId, temperature: 1, reasoningEffort: "medium" })
        assert.deepStrictEqual(body["generationConfig"]?.["thinkingConfig"], config)
      }))
  }

  it.scopedLive("gives no more tokens to think with than it is told, where the model takes a number", () =>
    Effect.gen(function*() {
      const thinking = (asked: Partial<ProviderRequest>) =>
        Effect.map(
          exchange({ maxThinkingTokens: 3000, ...asked }),
          ({ body }) => body["generationConfig"]?.["thinkingConfig"]
        )
      const modelId = "gemini-2.5-flash"
      const budgeted = { includeThoughts: true, thinkingBudget: 3000 }
      assert.deepStrictEqual(yield* thinking({ modelId }), budgeted)
      assert.deepStrictEqual(yield* thinking({ modelId, reasoningEffort: "high" }), budgeted)
      assert.deepStrictEqual(yield* thinking({ modelId, reasoningEffort: "none" }), {
        includeThoughts: false,
        thinkingBudget: 0
      })
      assert.deepStrictEqual(yield* thinking({ modelId: "gemini-3-pro-preview" }), { includeThoughts: true })
    }))

  it.scopedLive("gives tools names the wire takes, and gives the answer's calls their own back", () =>
    Effect.gen(function*() {
      const turn = { toolCalls: [{ name: "_2_get_weather_", arguments: { a: 1 } }] }
      const tools = [{ ...tool, name: "2 get weather!" }, {
        name: "now",
        description: "",
        parameters: { type: "object" }
      }]
      const { answer, body } = yield* exchange({ tools, toolChoice: { name: "2 get weather!" } }, turn)
      assert.deepStrictEqual(body["tools"], [{
        functionDeclarations: [
          { name: "_2_get_weather_", description: "Adds.", parametersJsonSchema: parameters },
          { name: "now", description: "" }
        ]
      }] as never)
      assert.deepStrictEqual(body["toolConfig"], {
        functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["_2_get_weather_"] }
      })
      assert.deepInclude(Either.getOrThrow(answer), {
        toolCalls: [{ id: "call:0", name: "2 get weather!", arguments: `{"a":1}` }],
        reason: "tool-calls"
      })
    }))

  it.scopedLive("attaches a signature to the call it stands before, and marks calls nobody signed", () =>
    Effect.gen(function*() {
      const call = (id: string) => ({ type: "tool-call", id, name: "add", params: {} }) as const
      const { body } = yield* exchange({
        modelId: "gemini-3-pro-preview",
        tools: [tool],
        messages: [
          Prompt.user("1"),
          {
            role: "assistant",
            content: [{ type: "reasoning", text: "hm", signature: "Gemini s1" }, call("call:0"), call("x")]
          },
          {
            role: "tool",
            content: ["call:0", "x"].map((id) =>
              ({ type: "tool-result", id, name: "add", result: 1, isFailure: false }) as const
            )
          },
          { role: "assistant", content: [call("y")] },
          {
            role: "assistant",
            content: [{ type: "text", text: "1" }, { type: "reasoning", text: "", signature: "Gemini s2" }]
          }
        ]
      })
      const functionCall = { name: "add", args: {} }
      const functionResponse = { name: "add", response: { result: 1 } }
      assert.deepStrictEqual(body["contents"], [
        { role: "user", parts: [{ text: "1" }] },
        {
          role: "model",
          parts: [{ functionCall, thoughtSignature: "s1" }, { functionCall: { id: "x", ...functionCall } }]
        },
        { role: "user", parts: [{ functionResponse }, { functionResponse: { id: "x", ...functionResponse } }] },
        {
          role: "model",
          parts: [{
            functionCall: { id: "y", ...functionCall },
            thoughtSignature: "skip_thought_signature_validator"
          }]
        },
        { role: "model", parts: [{ text: "1" }, { text: "", thoughtSignature: "s2" }] }
      ] as never)
    }))

  it.scopedLive("carries files by bytes and by address", () =>
    Effect.gen(function*() {
      const video = { type: "file", mediaType: "video/mp4", data: "https://example.com/a.mp4" } as const
      const sound = { type: "file", mediaType: "audio/mp3", data: "data:audio/mp3;base64,AAAA" } as const
      const { body } = yield* exchange({ messages: [Prompt.user("hear", [video, sound])] })
      assert.deepStrictEqual(body["contents"], [{
        role: "user",
        parts: [
          { text: "hear" },
          { fileData: { fileUri: "https://example.com/a.mp4", mimeType: "video/mp4" } },
          { inlineData: { data: "AAAA", mimeType: "audio/mp3" } }
        ]
      }] as never)
    }))

  it.scopedLive("without a key carries none, whatever the environment holds", () =>
    Effect.gen(function*() {
      const names = ["GOOGLE_API_KEY", "GEMINI_API_KEY"]
      names.forEach((name) => process.env[name] = "of-the-operator")
      yield* Effect.addFinalizer(() => Effect.sync(() => names.forEach((name) => delete process.env[name])))
      const { headers } = yield* exchange({ apiKey: undefined })
      assert.doesNotHaveAnyKeys(headers, ["x-goog-api-key", "authorization"])
    }))
})

describe("the answer", () => {
  it.scopedLive("counts tokens by their class, thoughts within the output", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [GeminiServer.event({
          candidates: [{ content: { parts: [{ text: "ok" }] }, finishReason: "STOP" }],
          usageMetadata: {
            promptTokenCount: 100,
            cachedContentTokenCount: 80,
            candidatesTokenCount: 20,
            thoughtsTokenCount: 30
          }
        })]
      })
      assert.deepStrictEqual(Either.getOrThrow(answer).usage, {
        inputTokens: 20,
        outputTokens: 50,
        cacheReadTokens: 80,
        cacheWriteTokens: 0,
        reasoningTokens: 30
      })
    }))

  for (const finishReason of ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII"]) {
    it.scopedLive(`that ends for ${finishReason} was filtered`, () =>
      Effect.gen(function*() {
        const { answer } = yield* exchange({}, { packets: [GeminiServer.parts([], { finishReason })] })
        assert.strictEqual(Either.getOrThrow(answer).reason, "content-filter")
      }))
  }

  it.scopedLive("to a blocked prompt was filtered", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [GeminiServer.event({ promptFeedback: { blockReason: "SAFETY" } })]
      })
      assert.deepInclude(Either.getOrThrow(answer), { text: "", reason: "content-filter" })
    }))

  it.scopedLive("lists the pages it is grounded on", () =>
    Effect.gen(function*() {
      const { answer, body } = yield* exchange({ webSearch: {} }, {
        packets: [GeminiServer.parts([{ text: "So it is." }], {
          finishReason: "STOP",
          groundingMetadata: { groundingChunks: [{ web: { uri: "https://a.example", title: "A" } }, {}] }
        })]
      })
      assert.strictEqual(Either.getOrThrow(answer).text, "So it is.\n\nSources:\n1. A: https://a.example")
      assert.deepStrictEqual(body["tools"], [{ googleSearch: {} }] as never)
    }))

  it.scopedLive("to a wrong key says so, and to a full quota when to come back", () =>
    Effect.gen(function*() {
      const refused = (status: number, details: object) =>
        exchange({}, { status, body: { error: { code: status, message: "m", details: [details] } } })
      const key = yield* refused(400, { reason: "API_KEY_INVALID" })
      assert.strictEqual(Either.getOrThrow(Either.flip(key.answer)).reason, "Unauthorized")
      const quota = yield* refused(429, { retryDelay: "7s" })
      assert.strictEqual(String(Either.getOrThrow(Either.flip(quota.answer)).retryAfter), "Duration(7s)")
    }))

  it.scopedLive("broken off by an error fails with it", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [
          GeminiServer.parts([{ text: "so" }]),
          GeminiServer.event({ error: { code: 503, message: "overloaded" } })
        ]
      })
      assert.deepInclude({ ...Either.getOrThrow(Either.flip(answer)) }, { reason: "Unavailable", detail: "overloaded" })
    }))
})

suite("GoogleAI", {
  serve: GeminiServer.make,
  connector: (timeouts) => GoogleAILLM.contract({ timeouts }),
  model: "gemini-2.5-pro",
  packets: GeminiServer.chunks,
  lacks: ["text arguments"]
})

countSuite("GoogleAI", {
  serve: GeminiServer.make,
  connector: (timeouts) => GoogleAILLM.contract({ timeouts }),
  model: "gemini-2.5-pro",
  counted: GeminiServer.counted
})
