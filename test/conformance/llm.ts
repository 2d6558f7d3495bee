/** What every provider of models must do, over a server that speaks its wire, well and badly. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Duration, Effect, Either, FastCheck, Fiber, Redacted, Stream } from "effect"
import { collect } from "../../src/subsystems/llm/AnswerStream.ts"
import * as Prompt from "../../src/subsystems/llm/Prompt.ts"
import { bytesOf, make, observe, short, type Wire } from "./llm-wire.ts"

export const suite = <E>(name: string, wire: Wire<E>) =>
  describe(`${name} is an LLMConnector`, () => {
    const { answers, can, fails, setup, test } = make(name, wire)

    answers("a short answer", { text: "Hello you there" }, { text: "Hello you there", reason: "stop", toolCalls: [] })
    answers("an empty answer", { text: "" }, { text: "", reason: "stop" })
    answers("reasoning beside text", { reasoning: "Let me think", text: "42" }, {
      reasoning: "Let me think",
      text: "42"
    })
    answers("an answer cut at the bound", { text: "Once upon", finish: "length" }, {
      text: "Once upon",
      reason: "length"
    })
    answers("an answer the provider filtered", { text: "", finish: "content_filter" }, { reason: "content-filter" })
    answers("a refusal", { refusal: "I won't." }, { reason: "content-filter", toolCalls: [] })
    answers(
      "an answer that is counted",
      { text: "42", counts: { input: 100, cached: 80, output: 50, thoughts: 30 } },
      {
        usage: {
          inputTokens: 20,
          outputTokens: 50,
          cacheReadTokens: 80,
          cacheWriteTokens: 0,
          reasoningTokens: can("thoughts") ? 30 : 0
        }
      }
    )
    answers("one tool call", { toolCalls: [{ id: "c1", name: "add", arguments: { a: 1, b: 2 } }] }, {
      toolCalls: [{ id: "c1", name: "add", arguments: `{"a":1,"b":2}` }],
      reason: "tool-calls"
    })
    answers(
      "text and several tool calls at once",
      {
        text: "Both:",
        toolCalls: [{ id: "c1", name: "add", arguments: { a: 1 } }, { id: "c2", name: "add", arguments: { a: 2 } }]
      },
      {
        text: "Both:",
        toolCalls: [{ id: "c1", name: "add", arguments: `{"a":1}` }, { id: "c2", name: "add", arguments: `{"a":2}` }],
        reason: "tool-calls"
      }
    )
    if (can("text arguments")) {
      answers(
        "arguments that are not JSON, as they are",
        { toolCalls: [{ id: "c1", name: "add", arguments: "{a: 1" }] },
        {
          toolCalls: [{ id: "c1", name: "add", arguments: "{a: 1" }]
        }
      )
    }

    const story = "Grüße, 日本語 👩‍👩‍👧‍👦!"
    answers(
      "characters that are split between packets",
      { packets: Array.from(bytesOf(wire.packets({ text: story })), (byte) => Uint8Array.of(byte)) },
      { text: story, reason: "stop" }
    )
    answers("a whole answer in one packet", { packets: [bytesOf(wire.packets({ text: story }))] }, { text: story })
    if (can("text")) {
      answers("comments and carriage returns between events", {
        packets: [": keep-alive\r\n\r\n", wire.packets({ text: "still here" }).join("").replaceAll("\n", "\r\n")]
      }, { text: "still here" })
    }

    it.live.prop(
      "an answer is the same however the wire cuts it",
      [FastCheck.array(FastCheck.nat(2000), { maxLength: 20 })],
      ([cuts]) => {
        const whole = bytesOf(
          wire.packets({ text: story, toolCalls: [{ id: "c1", name: "f", arguments: { x: "é" } }] })
        )
        const at = [
          0,
          ...Array.from(new Set(cuts.map((cut) => cut % whole.length))).sort((a, b) => a - b),
          whole.length
        ]
        const packets = at.slice(1).map((to, index) => whole.subarray(at[index], to)).filter(({ length }) => length > 0)
        return Effect.scoped(Effect.gen(function*() {
          const { ask } = yield* setup([{ packets }])
          const answer = yield* collect(ask())
          assert.deepStrictEqual([answer.text, answer.toolCalls], [story, [{
            id: "c1",
            name: "f",
            arguments: `{"x":"é"}`
          }]])
        }))
      },
      { fastCheck: { numRuns: 25 } }
    )

    fails(
      "a refused key",
      { status: 401, body: { error: { message: "Incorrect API key provided: sk-secret-1" } } },
      "Unauthorized",
      /refused the key/
    )
    fails(
      "an unknown model",
      { status: 404, body: { error: { message: "no such model" } } },
      "NotFound",
      new RegExp(wire.model)
    )
    fails(
      "a request the provider does not take",
      { status: 400, body: { error: { message: "max_tokens is too large" } } },
      "InvalidInput",
      /max_tokens is too large/
    )
    fails(
      "too many requests",
      { status: 429, headers: { "retry-after": "7" }, body: { error: { message: "slow down" } } },
      "RateLimited",
      /slow down/,
      { retryAfter: Duration.seconds(7) }
    )
    fails("a broken provider", { status: 500, body: { error: { message: "oops" } } }, "Unavailable", /oops/)
    fails("an overloaded provider", { status: 529, body: "overloaded" }, "Unavailable", /529/)
    fails(
      "a redirect, which would carry the key elsewhere",
      { status: 302, headers: { location: "/elsewhere" }, body: "" },
      "Protocol",
      /302/
    )
    fails(
      "a page instead of an answer",
      { headers: { "content-type": "text/html" }, body: "<html>Sign in</html>" },
      "Protocol",
      /text\/html/
    )
    fails("an error body with status 200", { body: { error: { message: "quota" } } }, "Protocol", /quota/)
    fails(
      "garbage instead of events",
      { packets: ["hello", "\n\n", "data: {oops\n\n"] },
      "Protocol",
      can("text") ? /JSON/ : /stream of events/
    )
    fails("no event at all", { packets: [] }, "Protocol", /ended early/)
    fails("a clean end in mid-answer", { text: "I was about to", finish: null, done: false }, "Protocol", /ended early/)
    fails("a terminal event in mid-answer", { text: "I was about to", finish: null }, "Protocol", /ended early/)
    fails(
      "a cut in mid-answer",
      { text: "I was about to", finish: null, done: false, then: "cut" },
      "Unavailable",
      /lost/
    )
    fails(
      "a stall in mid-answer",
      { text: "I was about to", finish: null, done: false, then: "silence" },
      "Timeout",
      /stopped coming/,
      {},
      short
    )
    answers("a connection held open after the terminal event", { text: "done", then: "silence" }, {
      text: "done",
      reason: "stop"
    }, short)
    answers("a connection held open after the last word", { text: "done", done: false, then: "silence" }, {
      text: "done",
      reason: "stop"
    }, short)
    answers("a connection lost after the last word", { text: "done", done: false, then: "cut" }, {
      text: "done",
      reason: "stop"
    })

    test("nobody there", [], ({ ask, server }) =>
      Effect.gen(function*() {
        const { result } = yield* observe(ask({ baseURL: "http://127.0.0.1:1/v1" }))
        assert.deepInclude({ ...Either.getOrThrow(Either.flip(result)) }, { reason: "Unavailable" })
        assert.lengthOf(server.requests, 0)
      }))

    test("no answer at all", [{ status: 200, packets: [], then: "silence" }], ({ ask }) =>
      Effect.gen(function*() {
        const { result } = yield* observe(ask())
        assert.deepInclude({ ...Either.getOrThrow(Either.flip(result)) }, { reason: "Timeout" })
      }), short)

    test(
      "interruption closes the connection",
      [{ text: "and so on and so on", finish: null, done: false, then: "silence" }],
      ({ ask, server }) =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const fiber = yield* Effect.fork(Stream.runForEach(ask(), () => Deferred.succeed(begun, undefined)))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(fiber)
          yield* Effect.promise(() => server.aborted)
        })
    )

    test("one who stops listening closes the connection", [{
      text: "and so on",
      finish: null,
      done: false,
      then: "silence"
    }], ({ ask, server }) =>
      Effect.gen(function*() {
        const [first] = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(ask(), 1)))
        assert.strictEqual(first?.type, "text")
        yield* Effect.promise(() => server.aborted)
      }))

    test(
      "a key that no header can hold, without showing it",
      [{ text: "never sent" }],
      ({ ask }) =>
        Effect.gen(function*() {
          const { result } = yield* observe(ask({ apiKey: Redacted.make("sk-secret\n-2") }))
          const error = Either.getOrThrow(Either.flip(result))
          assert.strictEqual(error.reason, "InvalidInput")
          assert.notInclude(JSON.stringify(error) + String(error), "secret")
        })
    )

    test("what the operator says goes along", [{ text: "ok" }], ({ ask, server }) =>
      Effect.gen(function*() {
        yield* collect(ask({ messages: [Prompt.system("be brief"), Prompt.user("hello")] }))
        assert.match(server.requests[0]?.body ?? "", /be brief/)
      }))

    test("an answer that is to follow a schema", [{ text: `{"kind":"a"}` }], ({ ask, server }) =>
      Effect.gen(function*() {
        const answer = yield* collect(ask({ responseSchema: answerSchema }))
        assert.strictEqual(answer.text, `{"kind":"a"}`)
        assert.strictEqual(
          server.requests[0]?.body.includes("the kind it is of") === true,
          can("schemas"),
          "the provider is told the schema"
        )
      }))

    test("tools, calls of them and their results", [{ text: "ok" }], ({ ask, server }) =>
      Effect.gen(function*() {
        const { result } = yield* observe(ask({ tools: [add], messages: called({ sum: 42 }) }))
        if (!can("tools")) {
          assert.include(Either.getOrThrow(Either.flip(result)).message, "leave the tools out")
          return assert.lengthOf(server.requests, 0)
        }
        yield* result
        const body = server.requests[0]?.body ?? ""
        for (const said of ["Adds numbers.", "first summand", "111", "222", "sum", "went wrong"]) {
          assert.include(body, said)
        }
      }))

    test("a conversation with calls, and no tools any more", [{ text: "ok" }], ({ ask, server }) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* collect(ask({ messages: called("42") }))).text, "ok")
        assert.include(server.requests[0]?.body, "add")
      }))

    test("an image, and one that a tool gave", [{ text: "ok" }], ({ ask, server }) =>
      Effect.gen(function*() {
        const image = (data: string): Prompt.FilePart => ({ type: "file", mediaType: "image/png", data })
        yield* collect(ask({ messages: [Prompt.user("look", [image("QUFB")]), ...called(image("QkJC"))] }))
        const body = server.requests[0]?.body ?? ""
        assert.isTrue(body.includes("QUFB") && body.includes("QkJC"))
      }))

    test(
      "a file of a kind the provider does not take is named, and nobody asked",
      [{ text: "ok" }],
      ({ ask, server }) =>
        Effect.gen(function*() {
          const file: Prompt.FilePart = { type: "file", mediaType: "model/gltf", data: "AAAA", fileName: "a.gltf" }
          const { result } = yield* observe(ask({ messages: [Prompt.user("see", [file])] }))
          const error = Either.getOrThrow(Either.flip(result))
          assert.strictEqual(error.reason, "InvalidInput")
          assert.include(error.message, "a.gltf is of type model/gltf")
          assert.lengthOf(server.requests, 0)
        })
    )

    if (can("signatures")) {
      test(
        "thoughts go back as they were signed, but not those of another provider",
        [{ reasoning: "Let me add", toolCalls: [{ id: "c1", name: "add", arguments: { a: 1 } }] }, { text: "ok" }],
        ({ ask, server }) =>
          Effect.gen(function*() {
            const { events } = yield* observe(ask({ tools: [add] }))
            const content = events.flatMap(toPart)
            const result = { type: "tool-result", id: "c1", name: "add", result: 1, isFailure: false } as const
            const foreign = { type: "reasoning", text: "hm", signature: "Elsewhere foreign-proof" } as const
            yield* collect(ask({
              tools: [add],
              messages: [
                Prompt.user("1"),
                { role: "assistant", content },
                { role: "tool", content: [result] },
                { role: "assistant", content: [foreign, { type: "text", text: "It is 1." }] },
                Prompt.user("and 2?")
              ]
            }))
            assert.include(server.requests[1]?.body, "proof")
            assert.notInclude(server.requests[1]?.body, "foreign-proof")
          })
      )
    }

    test("a long conversation", [{ text: "ok" }], ({ ask, server }) =>
      Effect.gen(function*() {
        const turns = Array.from(
          { length: 500 },
          (_, n) => [Prompt.user(`question ${n}`), Prompt.assistant(`answer ${n}`)]
        )
        yield* collect(ask({ messages: [Prompt.system("be brief"), ...turns.flat(), Prompt.user("last")] }))
        const body = server.requests[0]?.body ?? ""
        assert.include(body, "be brief")
        assert.isTrue(
          body.indexOf("question 0") < body.indexOf("answer 499") && body.indexOf("answer 499") < body.indexOf("last")
        )
      }))

    test("many at once, each with its own key", [{ text: "ok" }], ({ ask, server }) =>
      Effect.gen(function*() {
        const keys = Array.from({ length: 40 }, (_, n) =>
          `key-${n}`)
        yield* Effect.forEach(
          keys,
          (key) =>
            collect(ask({ apiKey: Redacted.make(key), messages: [Prompt.user(key)] })),
          {
            concurrency: "unbounded"
          }
        )
        const seen = server.requests.map(({ body, headers }) =>
          [headers.authorization ?? headers["x-api-key"] ?? headers["x-goog-api-key"], body] as const
        )
        assert.lengthOf(seen, keys.length)
        for (const [header, body] of seen) {
          assert.include(body, `"${String(header).replace("Bearer ", "")}"`)
        }
      }))
  })

const answerSchema = {
  type: "object",
  properties: { kind: { enum: ["a", "b"], description: "the kind it is of" } },
  required: ["kind"],
  additionalProperties: false
}

const add: Prompt.Tool = {
  name: "add",
  description: "Adds numbers.",
  parameters: { type: "object", properties: { a: { type: "number", description: "first summand" } } }
}

/** Two calls at once, of which one failed. */
const called = (result: unknown): ReadonlyArray<Prompt.Message> => [
  Prompt.user("1+1?"),
  {
    role: "assistant",
    content: [
      { type: "tool-call", id: "c1", name: "add", params: { a: 111 } },
      { type: "tool-call", id: "c2", name: "add", params: { a: 222 } }
    ]
  },
  {
    role: "tool",
    content: [
      { type: "tool-result", id: "c1", name: "add", result, isFailure: false },
      { type: "tool-result", id: "c2", name: "add", result: "went wrong", isFailure: true }
    ]
  }
]

/** Events as parts of a message; each piece may stand alone. */
const toPart = (event: Prompt.LLMEvent): Extract<Prompt.Message, { readonly role: "assistant" }>["content"] => {
  switch (event.type) {
    case "text":
      return [{ type: "text", text: event.delta }]
    case "reasoning":
      return [{
        type: "reasoning",
        text: event.delta,
        ...(event.signature === undefined ? {} : { signature: event.signature })
      }]
    case "toolCall":
      return [{ type: "tool-call", id: event.id, name: event.name, params: JSON.parse(event.arguments) }]
    default:
      return []
  }
}
