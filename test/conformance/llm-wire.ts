/** What scenarios of models are made of: a server that speaks a provider's wire, the connector asked, its answer looked at. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Either, Layer, Redacted, Schema, type Scope, Stream } from "effect"
import type { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import { collect } from "../../src/subsystems/llm/AnswerStream.ts"
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
  readonly packets: (reply: Reply) => ReadonlyArray<string | Uint8Array>
  /** What the format cannot say or has no word for; scenarios of it are left out. */
  readonly lacks?: ReadonlyArray<Need>
}

/**
 * `schemas`: the provider holds its models to none, and the service says it in the prompt. `thoughts`: it does not count them
 * apart from the rest of the answer.
 */
type Need = "schemas" | "signatures" | "text" | "text arguments" | "thoughts" | "tools"

/** In milliseconds: longer than a busy machine makes any answer wait, and what a silence lasts until it counts as one. */
const patience = 60_000
export const short = 500

/** The words scenarios of one provider are written with. */
export const make = <E>(name: string, wire: Wire<E>) => {
  /** The provider, and requests to a server that answers with `turns`. */
  const setup = (turns: ReadonlyArray<Reply | Raw>, idle = patience) =>
    Effect.gen(function*() {
      const server = yield* wire.serve(...turns)
      const context = yield* Layer.build(wire.connector({ connect: patience, firstByte: patience, idle }))
      const provider = Context.get(context, LLMConnector)
      const ask = (request: Partial<ProviderRequest> = {}) =>
        keptPromise(
          provider.stream({
            modelId: wire.model,
            baseURL: server.baseURL,
            apiKey: Redacted.make("sk-secret-1"),
            outputTokens: undefined,
            messages: [Prompt.user("hello")],
            ...request
          })
        )
      return { ask, provider, server }
    })

  const can = (need: Need) => wire.lacks?.includes(need) !== true

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
    expected: Partial<Effect.Effect.Success<ReturnType<typeof collect>>>,
    idle?: number
  ) =>
    test(title, [turn], ({ ask }) =>
      Effect.gen(function*() {
        const { events, result } = yield* observe(ask())
        yield* result
        const answer = yield* collect(Stream.fromIterable(events))
        for (const [field, value] of Object.entries(expected)) {
          assert.deepStrictEqual(answer[field as keyof typeof answer], value, field)
        }
      }), idle)

  const fails = (
    title: string,
    turn: Reply | Raw,
    reason: ConnectorError["reason"],
    told: RegExp,
    more?: object,
    idle?: number
  ) =>
    test(title, [turn], ({ ask }) =>
      Effect.gen(function*() {
        const { events, result } = yield* observe(ask())
        assert.isTrue(Either.isLeft(result), "it must fail")
        if (Either.isRight(result)) return
        assert.deepInclude({ ...result.left }, { connector: name, reason, ...more })
        assert.match(result.left.message, told)
        if ("status" in turn) assert.include(result.left.message, wire.model)
        assert.notInclude(JSON.stringify(result.left) + String(result.left), "sk-secret-1")
        if ("text" in turn) assert.strictEqual(textOf(events), turn.text, "what was said before is not lost")
      }), idle)

  return { answers, can, fails, setup, test }
}

/**
 * What every provider promises of the events of an answer, whoever reads them: parts of known forms, then one `finish` and
 * nothing more, or a failure without any. A promise that is broken is a defect.
 */
export const keptPromise = <E, R>(stream: Stream.Stream<Prompt.LLMEvent, E, R>): Stream.Stream<Prompt.LLMEvent, E, R> =>
  Stream.suspend(() => {
    let finished = false
    const seen = (event: Prompt.LLMEvent) => {
      assert.isFalse(finished, `nothing follows the finish, but ${JSON.stringify(event)} did`)
      assert.isTrue(isEvent(event), `${JSON.stringify(event)} is an event`)
      finished = event.type === "finish"
    }
    return stream.pipe(
      Stream.tap((event) => Effect.sync(() => seen(event))),
      Stream.tapError(() => Effect.sync(() => assert.isFalse(finished, "no failure follows the finish"))),
      Stream.concat(Stream.execute(Effect.sync(() => assert.isTrue(finished, "the last event is a finish"))))
    )
  })
const isEvent = Schema.is(Schema.typeSchema(Prompt.LLMEvent))

const textOf = (events: ReadonlyArray<Prompt.LLMEvent>) =>
  events.flatMap((event) => event.type === "text" ? [event.delta] : []).join("")

/** What was said before the end, and the end. */
export const observe = (stream: ReturnType<LLMProvider["stream"]>) =>
  Effect.gen(function*() {
    const events: Array<Prompt.LLMEvent> = []
    const result = yield* Effect.either(
      Stream.runForEach(stream, (event) => Effect.sync(() => void events.push(event)))
    )
    return { events, result }
  })

export const bytesOf = (packets: ReadonlyArray<string | Uint8Array>): Uint8Array =>
  Buffer.concat(packets.map((packet) => Buffer.from(packet)))
