import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Either, Layer, Redacted, Stream } from "effect"
import { DeepSeekLLM } from "../../../src/connectors/llm/CompatibleLLMs.ts"
import { OpenAILLM, OpenAILLMLive } from "../../../src/connectors/llm/OpenAILLM.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import { LLM, LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import { suite } from "../../conformance/llm.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"
import * as Exchange from "./exchange.ts"

suite("OpenAI", {
  serve: OpenAIServer.make,
  connector: (timeouts) => OpenAILLM.contract({ timeouts }),
  model: "gpt-4o",
  packets: OpenAIServer.chunks,
  lacks: ["signatures"]
})

const request = Exchange.request({ modelId: "gpt-4o", apiKey: Redacted.make("sk-1") })

const exchange = (
  asked: Partial<ProviderRequest>,
  turn: OpenAIServer.Turn = "ok",
  connector: typeof OpenAILLM | typeof DeepSeekLLM = OpenAILLM,
  settings = {}
) =>
  Exchange.make(OpenAIServer.make(turn), (baseURL) => connector.contract({ baseURL, ...settings }), {
    ...request,
    ...asked
  })

const parameters = {
  maxTokens: 100,
  temperature: 0.5,
  topP: 0.9,
  frequencyPenalty: 0.1,
  presencePenalty: 0.2,
  stopSequences: ["END"],
  reasoningEffort: "low",
  verbosity: "high"
} as const

describe("an answer without end", () => {
  it.scopedLive("is refused when it calls more tools than anybody could run, or says more than memory holds", () =>
    Effect.gen(function*() {
      const toolCalls = Array.from({ length: 2000 }, (_, n) => ({ id: `c${n}`, name: "t", arguments: "{}" }))
      const calls = yield* exchange({}, { toolCalls })
      assert.strictEqual(Either.isLeft(calls.answer) && calls.answer.left.reason, "Protocol")
      const words = `data: ${
        JSON.stringify({ choices: [{ index: 0, delta: { content: "x".repeat(5_000_000) } }] })
      }\n\n`
      const packets = Array.from({ length: 8 }, () => words)
      const endless = yield* exchange({}, {
        headers: { "content-type": "text/event-stream" },
        packets,
        then: "silence"
      })
      assert.strictEqual(Either.isLeft(endless.answer) && endless.answer.left.reason, "Protocol")
    }))
})

describe("the request", () => {
  it.scopedLive("carries the parameters in OpenAI's words", () =>
    Effect.gen(function*() {
      const { body, headers, url } = yield* exchange({ ...parameters, responseFormat: "json" })
      assert.strictEqual(url, "/v1/chat/completions")
      assert.strictEqual(headers.authorization, "Bearer sk-1")
      assert.deepStrictEqual(body, {
        model: "gpt-4o",
        messages: [{ role: "user", content: "hello" }],
        stream: true,
        stream_options: { include_usage: true },
        max_completion_tokens: 100,
        temperature: 0.5,
        top_p: 0.9,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
        stop: ["END"],
        response_format: { type: "json_object" }
      })
    }))

  for (const modelId of ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini"]) {
    it.scopedLive(`leaves sampling out for ${modelId}, which refuses it`, () =>
      Effect.gen(function*() {
        const { body } = yield* exchange({ ...parameters, modelId })
        assert.hasAllKeys(body, [
          "model",
          "messages",
          "stream",
          "stream_options",
          "max_completion_tokens",
          "reasoning_effort",
          "verbosity"
        ])
      }))
  }

  it.scopedLive("bounds the answer in the words of the server", () =>
    Effect.gen(function*() {
      const { body } = yield* exchange({ maxTokens: 7 }, "ok", DeepSeekLLM)
      assert.strictEqual(body["max_tokens"], 7)
      assert.notProperty(body, "max_completion_tokens")
    }))

  it.scopedLive("carries tools, calls and their results", () =>
    Effect.gen(function*() {
      const { body } = yield* exchange({
        tools: [{ name: "add", description: "Adds.", parameters: { type: "object", properties: {} } }],
        toolChoice: { name: "add" },
        messages: [
          Prompt.user("1+1?"),
          {
            role: "assistant",
            content: [
              { type: "reasoning", text: "hm" },
              { type: "tool-call", id: "c1", name: "add", params: { a: 1 } },
              { type: "tool-call", id: "c2", name: "add", params: { a: 2 } }
            ]
          },
          {
            role: "tool",
            content: [
              { type: "tool-result", id: "c1", name: "add", result: { sum: 2 }, isFailure: false },
              { type: "tool-result", id: "c2", name: "add", result: "three", isFailure: false }
            ]
          }
        ]
      })
      const call = (id: string, args: string) => ({ id, type: "function", function: { name: "add", arguments: args } })
      assert.deepStrictEqual(body["messages"], [
        { role: "user", content: "1+1?" },
        { role: "assistant", content: null, tool_calls: [call("c1", `{"a":1}`), call("c2", `{"a":2}`)] },
        { role: "tool", tool_call_id: "c1", content: `{"sum":2}` },
        { role: "tool", tool_call_id: "c2", content: "three" }
      ])
      assert.deepStrictEqual(body["tools"], [
        {
          type: "function",
          function: { name: "add", description: "Adds.", parameters: { type: "object", properties: {} } }
        }
      ])
      assert.deepStrictEqual(body["tool_choice"], { type: "function", function: { name: "add" } })
    }))

  it.scopedLive("carries images and PDFs, and names what it cannot carry", () =>
    Effect.gen(function*() {
      const files: ReadonlyArray<Prompt.FilePart> = [
        { type: "file", mediaType: "image/png", data: "AAAA" },
        { type: "file", mediaType: "image/png", data: "https://example.com/a.png" },
        { type: "file", mediaType: "application/pdf", data: "BBBB", fileName: "a.pdf" }
      ]
      const { body } = yield* exchange({ messages: [Prompt.user("look", files)] })
      assert.deepStrictEqual(body["messages"], [{
        role: "user",
        content: [
          { type: "text", text: "look" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "image_url", image_url: { url: "https://example.com/a.png" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,BBBB" } }
        ]
      }])
      const { answer, requests } = yield* exchange({
        messages: [Prompt.user("hear", [{ type: "file", mediaType: "audio/ogg", data: "AAAA", fileName: "a.ogg" }])]
      })
      const error = Either.getOrThrow(Either.flip(answer))
      assert.strictEqual(error.reason, "InvalidInput")
      assert.include(error.message, "a.ogg is of type audio/ogg")
      assert.lengthOf(requests, 0)
    }))

  it.scopedLive("without a key carries none, whatever the environment holds", () =>
    Effect.gen(function*() {
      process.env["OPENAI_API_KEY"] = "sk-of-the-operator"
      process.env["OPENAI_ORG_ID"] = "org-of-the-operator"
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          delete process.env["OPENAI_API_KEY"]
          delete process.env["OPENAI_ORG_ID"]
        })
      )
      const { headers } = yield* exchange({ apiKey: undefined })
      assert.notInclude(JSON.stringify(headers), "operator")
      assert.notProperty(headers, "authorization")
    }))

  it.scopedLive("goes to the model's own address rather than to that of the settings", () =>
    Effect.gen(function*() {
      const other = yield* OpenAIServer.make("from the other")
      const { answer, requests } = yield* exchange({ baseURL: other.baseURL }, "ok", OpenAILLM, {
        organization: "org-1"
      })
      assert.strictEqual(Either.getOrThrow(answer).text, "from the other")
      assert.notProperty(other.requests[0]?.headers, "openai-organization")
      assert.lengthOf(requests, 0)
      const address = { baseURL: "https://api.openai.com/v1" }
      const usual = yield* exchange(address, "from the gateway", OpenAILLM, { organization: "org-1" })
      assert.strictEqual(usual.headers["openai-organization"], "org-1")
      assert.strictEqual(Either.getOrThrow(usual.answer).text, "from the gateway")
    }))

  it.scopedLive("is sent over a connection that served before", () =>
    Effect.gen(function*() {
      const server = yield* OpenAIServer.make("ok")
      const context = yield* Layer.build(OpenAILLM.contract({ baseURL: server.baseURL }))
      const provider = Context.get(context, LLMConnector)
      yield* Effect.replicateEffect(collect(provider.stream(request)), 10)
      assert.lengthOf(server.requests, 10)
      // The next may begin before the last has been let go of, but not each time.
      assert.isBelow(server.connections(), 6)
    }))
})

describe("the answer", () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 80 },
    completion_tokens_details: { reasoning_tokens: 30 }
  }

  it.scopedLive("counts cached tokens once, and reasoning within the output", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, { text: "ok", usage })
      assert.deepStrictEqual(Either.getOrThrow(answer).usage, {
        inputTokens: 20,
        outputTokens: 50,
        cacheReadTokens: 80,
        cacheWriteTokens: 0,
        reasoningTokens: 30
      })
    }))

  it.scopedLive("counts reasoning also where a server counts it in the total only", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, { text: "ok", usage: { ...usage, total_tokens: 180 } })
      assert.strictEqual(Either.getOrThrow(answer).usage.outputTokens, 80)
    }))

  it.scopedLive("may bring several parts of several calls in one chunk", () =>
    Effect.gen(function*() {
      const part = (index: number, more: object) => ({ index, ...more })
      const { answer } = yield* exchange({}, {
        packets: [
          OpenAIServer.delta({
            content: "two",
            tool_calls: [
              part(0, { id: "a", function: { name: "f", arguments: "{" } }),
              part(1, { id: "b", function: { name: "g", arguments: "{}" } }),
              part(0, { function: { arguments: "}" } })
            ]
          }),
          OpenAIServer.delta({}, "tool_calls"),
          OpenAIServer.event("[DONE]")
        ]
      })
      assert.deepStrictEqual(Either.getOrThrow(answer).toolCalls, [
        { id: "a", name: "f", arguments: "{}" },
        { id: "b", name: "g", arguments: "{}" }
      ])
    }))

  it.scopedLive("keeps calls apart that all bear the index 0, or none", () =>
    Effect.gen(function*() {
      for (const index of [0, undefined]) {
        const call = (id: string) => ({ index, id, function: { name: "f", arguments: `{"id":"${id}"}` } })
        const { answer } = yield* exchange({}, {
          packets: [OpenAIServer.delta({ tool_calls: [call("a"), call("b")] }), OpenAIServer.delta({}, "stop")]
        })
        const { reason, toolCalls } = Either.getOrThrow(answer)
        assert.deepStrictEqual(toolCalls.map((one) => [one.id, one.arguments]), [["a", `{"id":"a"}`], [
          "b",
          `{"id":"b"}`
        ]])
        assert.strictEqual(reason, "tool-calls")
      }
    }))

  it.scopedLive("that is refused says so", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        packets: [OpenAIServer.delta({ refusal: "I won't." }), OpenAIServer.delta({}, "stop")]
      })
      assert.deepInclude(Either.getOrThrow(answer), { text: "I won't.", reason: "content-filter" })
    }))

  for (
    const [error, reason] of [
      [{ message: "m", code: "rate_limit_exceeded" }, "RateLimited"],
      [{ message: "m", type: "invalid_request_error" }, "InvalidInput"],
      [{ message: "m", type: "server_error" }, "Unavailable"]
    ] as const
  ) {
    it.scopedLive(`broken off with ${JSON.stringify(error)} fails as ${reason}`, () =>
      Effect.gen(function*() {
        const { answer } = yield* exchange({}, {
          packets: [OpenAIServer.delta({ content: "so far" }), OpenAIServer.event({ error })]
        })
        assert.strictEqual(Either.getOrThrow(Either.flip(answer)).reason, reason)
      }))
  }

  it.scopedLive("of an exhausted account is not worth another try", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        status: 429,
        body: { error: { message: "pay first", code: "insufficient_quota" } }
      })
      assert.deepInclude({ ...Either.getOrThrow(Either.flip(answer)) }, {
        reason: "Full",
        detail: `model "gpt-4o": pay first`
      })
    }))

  it.scopedLive("says when to come back as a date, too", () =>
    Effect.gen(function*() {
      const { answer } = yield* exchange({}, {
        status: 503,
        headers: { "retry-after": new Date(Date.now() + 60_000).toUTCString() },
        body: {}
      })
      const { retryAfter = Duration.zero } = Either.getOrThrow(Either.flip(answer))
      assert.isTrue(Duration.between(retryAfter, { minimum: "50 seconds", maximum: "60 seconds" }))
    }))
})

describe("against another implementation of the wire", () => {
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

  it.scopedLive("text, tool calls, and a failure come out right", () =>
    Effect.gen(function*() {
      const server = yield* mock
      const context = yield* Layer.build(OpenAILLM.contract({ baseURL: `${server.url}/v1` }))
      const ask = (text: string) =>
        collect(Context.get(context, LLMConnector).stream({ ...request, messages: [Prompt.user(text)] }))
      assert.deepInclude(yield* ask("greet me"), { text: "Hello, you!", reason: "stop" })
      assert.deepInclude(yield* ask("weather"), {
        toolCalls: [{ id: "c1", name: "weather", arguments: `{"city":"Oslo"}` }],
        reason: "tool-calls"
      })
      assert.strictEqual((yield* Effect.flip(ask("something else"))).reason, "NotFound")
    }))

  it.scopedLive("a disconnection in mid-answer is a failure", () =>
    Effect.gen(function*() {
      const server = yield* mock
      server.setChaos({ disconnectRate: 1 })
      const context = yield* Layer.build(OpenAILLM.contract({ baseURL: `${server.url}/v1` }))
      const error = yield* Effect.flip(
        collect(Context.get(context, LLMConnector).stream({ ...request, messages: [Prompt.user("greet me")] }))
      )
      assert.include(["Unavailable", "Protocol"], error.reason)
    }))
})

describe("OpenAILLMLive", () => {
  it.scopedLive("is an LLM with the key and address of the environment", () =>
    Effect.gen(function*() {
      const server = yield* OpenAIServer.make("hi there")
      const environment = ConfigProvider.fromMap(
        new Map([["OPENAI_API_KEY", "sk-env"], ["OPENAI_BASE_URL", server.baseURL]])
      )
      const text = yield* Effect.gen(function*() {
        const llm = yield* LLM
        return yield* Stream.runFold(
          llm.stream({ model: "gpt-4o-mini", messages: [Prompt.user("hi")] }),
          "",
          (text, event) => event.type === "text" ? text + event.delta : text
        )
      }).pipe(
        Effect.provide(Layer.provide(OpenAILLMLive, Layer.setConfigProvider(environment))),
        Candidate.as(Candidate.user("u1"))
      )
      assert.strictEqual(text, "hi there")
      assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-env")
    }))
})
