/** What every provider must do that counts the tokens of a request, over a server that speaks its wire, well and badly. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option, Redacted, type Scope } from "effect"
import type { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as NetworkPolicy from "../../src/subsystems/io/NetworkPolicy.ts"
import { LLMConnector, type ProviderRequest } from "../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../src/subsystems/llm/Prompt.ts"
import type { HttpServer } from "../fixtures/HttpServer.ts"
import type { Raw, Turn } from "../fixtures/OpenAIServer.ts"
import { short } from "./llm-wire.ts"

export interface CountWire<E> {
  readonly serve: (...turns: ReadonlyArray<Turn>) => Effect.Effect<
    HttpServer & { readonly baseURL: string },
    never,
    Scope.Scope
  >
  /** The connector with such timeouts, in milliseconds. */
  readonly connector: (timeouts: { idle: number }) => Layer.Layer<LLMConnector, E>
  readonly model: string
  /** The answer of the vendor's endpoint, and its refusal where it is not asked as published. */
  readonly counted: (tokens: number) => Turn
}

/** A conversation with all that is counted in it, and parameters that are not. */
const everything: Omit<ProviderRequest, "apiKey" | "baseURL" | "modelId" | "outputTokens"> = {
  messages: [
    Prompt.system("be brief"),
    Prompt.user("add one and two"),
    { role: "assistant", content: [{ type: "tool-call", id: "c1", name: "add", params: { a: 1, b: 2 } }] },
    { role: "tool", content: [{ type: "tool-result", id: "c1", name: "add", result: { sum: 3 }, isFailure: false }] }
  ],
  tools: [{ name: "add", description: "Adds.", parameters: { type: "object", properties: { a: { type: "number" } } } }],
  maxTokens: 5000,
  temperature: 0.5,
  topP: 0.5,
  stopSequences: ["END"]
}

export const suite = <E>(name: string, wire: CountWire<E>) =>
  describe(`${name} counts tokens`, () => {
    const setup = (turn: Turn, idle = 60_000) =>
      Effect.gen(function*() {
        const server = yield* wire.serve(turn)
        const provider = Context.get(yield* Layer.build(wire.connector({ idle })), LLMConnector)
        const count = (request: Partial<ProviderRequest> = {}) =>
          Effect.suspend(() =>
            provider.count?.({
              modelId: wire.model,
              baseURL: server.baseURL,
              apiKey: Redacted.make("sk-secret-1"),
              outputTokens: undefined,
              ...everything,
              ...request
            }) ?? Effect.succeedNone
          )
        return { count, server }
      })

    const fails = (title: string, turn: Turn, reason: ConnectorError["reason"], told: RegExp, idle?: number) =>
      it.scopedLive(title, () =>
        Effect.gen(function*() {
          const { count } = yield* setup(turn, idle)
          const error = yield* Effect.flip(count())
          assert.deepInclude({ ...error }, { connector: name, method: "count", reason })
          assert.match(error.message, told)
          assert.notInclude(JSON.stringify(error) + String(error), "sk-secret-1")
        }))

    it.scopedLive("of a whole request, in one that has nothing else", () =>
      Effect.gen(function*() {
        const { count, server } = yield* setup(wire.counted(1234))
        assert.deepStrictEqual(yield* count(), Option.some(1234))
        assert.deepStrictEqual(yield* count({ reasoningEffort: "high" }), Option.some(1234))
        assert.lengthOf(server.requests, 2)
        for (const counted of ["be brief", "add one and two", "Adds."]) {
          assert.include(server.requests[0]?.body, counted)
        }
        assert.notInclude(server.requests[0]?.body, "END")
      }))

    it.scopedLive("and says what cannot be said to the model, asking nobody", () =>
      Effect.gen(function*() {
        const { count, server } = yield* setup(wire.counted(1))
        const film: Prompt.FilePart = { type: "file", mediaType: "application/x-unheard-of", data: "AA==" }
        const error = yield* Effect.flip(count({ messages: [Prompt.user("look", [film])] }))
        assert.strictEqual(error.reason, "InvalidInput")
        assert.lengthOf(server.requests, 0)
      }))

    fails(
      "or fails with a refused key, without showing it",
      { status: 401, body: { error: { message: "Incorrect API key provided: sk-secret-1" } } },
      "Unauthorized",
      /refused the key/
    )
    fails(
      "or fails with what the vendor does not take",
      {
        status: 400,
        body: { error: { message: "too many messages for sk-secret-1" } }
      },
      "InvalidInput",
      /too many messages/
    )
    fails("or fails with a broken vendor", { status: 500, body: { error: { message: "oops" } } }, "Unavailable", /oops/)
    fails(
      "or fails with a page instead of a number",
      {
        headers: { "content-type": "text/html" },
        body: "<html>Sign in</html>"
      },
      "Protocol",
      /./
    )
    fails("or fails with an answer of another kind", { body: { hello: "you" } }, "Protocol", /number of tokens/)
    fails("or fails with nothing at all", { packets: [] }, "Protocol", /./)

    const silent: Raw = { headers: { "content-type": "application/json" }, packets: [], then: "silence" }

    fails("or fails with silence", silent, "Timeout", /stopped coming/, short)

    it.scopedLive("and closes the connection when nobody waits for the number any more", () =>
      Effect.gen(function*() {
        const arrived = yield* Deferred.make<void>()
        const { count, server } = yield* setup(() => {
          Deferred.unsafeDone(arrived, Effect.void)
          return silent
        })
        const fiber = yield* Effect.fork(count())
        yield* Deferred.await(arrived)
        yield* Fiber.interrupt(fiber)
        yield* Effect.promise(() => server.aborted)
      }))

    it.scopedLive("only where the policy lets the request go", () =>
      Effect.gen(function*() {
        const { count, server } = yield* setup(wire.counted(1))
        const policy = NetworkPolicy.make({ allow: [], deny: [] })
        const error = yield* Effect.flip(count({ policy }))
        assert.strictEqual(error.reason, "InvalidInput")
        assert.lengthOf(server.requests, 0)
      }))
  })
