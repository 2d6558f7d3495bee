/** What every provider of models must do, over a server that speaks its wire, well and badly. */
import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Context,
  Deferred,
  Duration,
  Effect,
  Either,
  FastCheck,
  Fiber,
  Layer,
  Redacted,
  type Scope,
  Stream
} from "effect"
import type { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import { checked, collect } from "../../src/subsystems/llm/AnswerStream.ts"
import { LLMConnector, type LLMProvider, type ProviderRequest } from "../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../src/subsystems/llm/Prompt.ts"
import type { HttpServer } from "../fixtures/HttpServer.ts"
import type { Raw, Reply } from "../fixtures/OpenAIServer.ts"

export interface Wire<E> {
  /** A server that answers with these turns in the provider's format. */
  readonly serve: (...turns: ReadonlyArray<Reply | Raw>) => Effect.Effect<
    HttpServer & { readonly baseURL: string },
    never,
    Scope.Scope
  >
  /** The connector with short timeouts, in milliseconds. */
  readonly connector: (timeouts: { connect: number; firstByte: number; idle: number }) => Layer.Layer<LLMConnector, E>
  /** A model of the provider that takes every parameter. */
  readonly model: string
  /** What the events of this answer are in the provider's format, in packets. */
  readonly packets: (reply: Reply) => ReadonlyArray<string>
}

export const suite = <E>(name: string, wire: Wire<E>) =>
  describe(`${name} is an LLMConnector`, () => {
    /** The provider, and requests to a server that answers with `turns`. */
    const setup = (turns: ReadonlyArray<Reply | Raw>, idle = 500) =>
      Effect.gen(function*() {
        const server = yield* wire.serve(...turns)
        const context = yield* Layer.build(wire.connector({ connect: 500, firstByte: 500, idle }))
        const provider = Context.get(context, LLMConnector)
        const ask = (request: Partial<ProviderRequest> = {}) =>
          checked(
            provider.stream({
              modelId: wire.model,
              baseURL: server.baseURL,
              apiKey: Redacted.make("sk-secret-1"),
              outputTokens: undefined,
              messages: [Prompt.user("hello")],
              ...request
            }),
            provider.provider
          )
        return { ask, provider, server }
      })

    const test = (
      title: string,
      turns: ReadonlyArray<Reply | Raw>,
      body: (
        given: Effect.Effect.Success<ReturnType<typeof setup>>
      ) => Effect.Effect<void, ConnectorError, Scope.Scope>,
      idle?: number
    ) => it.scopedLive(title, () => Effect.flatMap(setup(turns, idle), body))

    const answers = (
      title: string,
      turn: Reply | Raw,
      expected: Partial<Effect.Effect.Success<ReturnType<typeof collect>>>
    ) =>
      test(title, [turn], ({ ask }) =>
        Effect.gen(function*() {
          const answer = yield* collect(ask())
          for (const [field, value] of Object.entries(expected)) {
            assert.deepStrictEqual(answer[field as keyof typeof answer], value, field)
          }
        }))

    const fails = (title: string, turn: Reply | Raw, reason: ConnectorError["reason"], told: RegExp, more?: object) =>
      test(title, [turn], ({ ask }) =>
        Effect.gen(function*() {
          const { events, result } = yield* observe(ask())
          assert.isTrue(Either.isLeft(result), "it must fail")
          if (Either.isRight(result)) return
          assert.deepInclude({ ...result.left }, { connector: name, reason, ...more })
          assert.match(result.left.message, told)
          assert.notInclude(JSON.stringify(result.left) + String(result.left), "sk-secret-1")
          assert.isFalse(events.some(({ type }) => type === "finish"), "a failure has no finish")
        }))

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
    answers(
      "arguments that are not JSON, as they are",
      { toolCalls: [{ id: "c1", name: "add", arguments: "{a: 1" }] },
      {
        toolCalls: [{ id: "c1", name: "add", arguments: "{a: 1" }]
      }
    )

    const story = "Grüße, 日本語 👩‍👩‍👧‍👦!"
    answers(
      "characters that are split between packets",
      { packets: Array.from(bytesOf(wire.packets({ text: story })), (byte) => Uint8Array.of(byte)) },
      { text: story, reason: "stop" }
    )
    answers("a whole answer in one packet", { packets: [wire.packets({ text: story }).join("")] }, { text: story })
    answers("comments and carriage returns between events", {
      packets: [": keep-alive\r\n\r\n", wire.packets({ text: "still here" }).join("").replaceAll("\n", "\r\n")]
    }, { text: "still here" })

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
    fails("garbage instead of events", { packets: ["hello", "\n\n", "data: {oops\n\n"] }, "Protocol", /JSON/)
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
      /stopped coming/
    )
    answers("a connection held open after the terminal event", { text: "done", then: "silence" }, {
      text: "done",
      reason: "stop"
    })
    answers("a connection held open after the last word", { text: "done", done: false, then: "silence" }, {
      text: "done",
      reason: "stop"
    })
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
      }))

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
        }),
      60_000
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
      }), 60_000)

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
        const keys = Array.from({ length: 40 }, (_, n) => `key-${n}`)
        yield* Effect.forEach(
          keys,
          (key) => collect(ask({ apiKey: Redacted.make(key), messages: [Prompt.user(key)] })),
          {
            concurrency: "unbounded"
          }
        )
        const seen = server.requests.map(({ body, headers }) =>
          [headers.authorization ?? headers["x-api-key"], body] as const
        )
        assert.lengthOf(seen, keys.length)
        for (const [header, body] of seen) assert.include(body, `"${String(header).replace("Bearer ", "")}"`)
      }))
  })

/** What was said before the end, and the end. */
const observe = (stream: ReturnType<LLMProvider["stream"]>) =>
  Effect.gen(function*() {
    const events: Array<Prompt.LLMEvent> = []
    const result = yield* Effect.either(
      Stream.runForEach(stream, (event) => Effect.sync(() => void events.push(event)))
    )
    return { events, result }
  })

const bytesOf = (packets: ReadonlyArray<string>): Uint8Array => new TextEncoder().encode(packets.join(""))
