/** A model that says what a test tells it to, turn by turn, under every name of the registry; and remembers what it was asked. */
import { Context, type Duration, Effect, Layer, Ref, Schema, Stream } from "effect"
import { JSONModelsLive } from "../connectors/models/JSONModels.ts"
import { NullVault } from "../connectors/vault/NullVault.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import { toText } from "../kernel/Json.ts"
import { builtInModels } from "../subsystems/llm/BuiltInModels.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import type { FinishReason, LLMEvent, Message, Usage } from "../subsystems/llm/Prompt.ts"
import { diff } from "./Diff.ts"

/** Text, parts of an answer, or a failure. A failure that may pass is tried again by the service, and takes a turn a try. */
export type Turn = string | Parts | ConnectorError

export interface Parts {
  readonly reasoning?: string
  readonly text?: string
  readonly toolCalls?: ReadonlyArray<{
    readonly name: string
    /** Text is passed on as it is, be it JSON or not. */
    readonly arguments: Readonly<Record<string, unknown>> | string
    /** By default `call_1`, `call_2`, … over the whole script. */
    readonly id?: string
  }>
  readonly usage?: Usage
  /** By default `tool-calls` with tool calls, else `stop`. */
  readonly reason?: FinishReason
  /** Instead of text, tool calls and the rest: exactly these. */
  readonly events?: ReadonlyArray<LLMEvent>
  /** How the answer ends, instead of its finish: what came before has been said. */
  readonly failure?: ConnectorError
  /** Before the answer begins. */
  readonly delay?: Duration.DurationInput
  /** Before every piece after the first. */
  readonly pause?: Duration.DurationInput
  /** The turn fails, with what differs, unless it is asked for like this. */
  readonly expect?: Expectation
}

/** Of a request; what is left out may be anything. */
export interface Expectation {
  /** The provider's own name of the model. */
  readonly modelId?: string
  readonly messages?: ReadonlyArray<Message>
  /** Text of the last message, be it of a user or what tools gave (JSON, where it is no text); a pattern, or all of it. */
  readonly text?: string | RegExp
  /** Names of the tools, in any order. */
  readonly tools?: ReadonlyArray<string>
}

/** A turn that answers with the value as JSON, in the form the schema gives it. */
export const json = <A, I>(schema: Schema.Schema<A, I>, value: A, more: Omit<Parts, "text"> = {}): Parts => ({
  ...more,
  text: JSON.stringify(Schema.encodeSync(schema)(value))
})

export class TestLLM extends Context.Tag("effect-sre/TestLLM")<TestLLM, {
  /** Every request so far, as the provider got it. */
  readonly requests: Effect.Effect<ReadonlyArray<LLM.ProviderRequest>>
  /** Turns nobody has asked for yet. */
  readonly remaining: Effect.Effect<number>
}>() {}

/** `LLM` as scripted. A request beyond the last turn fails. */
export const layer = (turns: ReadonlyArray<Turn>): Layer.Layer<LLM.LLM | TestLLM> =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const asked = yield* Ref.make<ReadonlyArray<LLM.ProviderRequest>>([])
    const calls = yield* Ref.make(0)

    const answer = (request: LLM.ProviderRequest) =>
      Effect.gen(function*() {
        const position = yield* Ref.modify(asked, (before) => [before.length, [...before, request]])
        const turn = turns[position]
        if (turn === undefined) return Stream.fail(exhausted(turns.length))
        if (turn instanceof ConnectorError) return Stream.fail(turn)
        if (typeof turn === "string") return Stream.fromIterable(yield* events({ text: turn }))
        const unexpected = turn.expect === undefined ? undefined : differing(turn.expect, request, position)
        if (unexpected !== undefined) return Stream.fail(unexpected)
        return played(turn, turn.events ?? (yield* events(turn)))
      })

    const events = ({ reason, reasoning, text, toolCalls = [], usage }: Parts) =>
      Effect.map(
        Effect.forEach(toolCalls, ({ arguments: args, id, name }) =>
          Effect.map(
            Ref.updateAndGet(calls, (count) => count + 1),
            (count): LLMEvent => ({
              type: "toolCall",
              id: id ?? `call_${count}`,
              name,
              arguments: typeof args === "string" ? args : JSON.stringify(args)
            })
          )),
        (called): ReadonlyArray<LLMEvent> => [
          ...words(reasoning).map((delta): LLMEvent => ({ type: "reasoning", delta })),
          ...words(text).map((delta): LLMEvent => ({ type: "text", delta })),
          ...called,
          ...(usage === undefined ? [] : [{ type: "usage" as const, usage }]),
          { type: "finish", reason: reason ?? (called.length > 0 ? "tool-calls" : "stop") }
        ]
      )

    const names = new Set(Array.from(builtInModels.values(), ({ provider = "" }) => provider))
    const providers = new Map(Array.from(names, (provider): [string, LLM.LLMProvider] => [provider.toLowerCase(), {
      provider,
      computer: true,
      credentials: { environment: undefined, required: false },
      stream: (request) => Stream.unwrap(answer(request))
    }]))

    return Layer.merge(
      Layer.provide(LLM.layer, [
        Layer.succeed(LLM.Providers, providers),
        Layer.orDie(JSONModelsLive),
        Layer.orDie(NullVault.layer({}))
      ]),
      Layer.succeed(TestLLM, {
        requests: Ref.get(asked),
        remaining: Effect.map(Ref.get(asked), ({ length }) => Math.max(0, turns.length - length))
      })
    )
  }))

/** With the turn's delays, and its failure at the end. */
const played = ({ delay = 0, failure, pause = 0 }: Parts, events: ReadonlyArray<LLMEvent>) => {
  const said = failure === undefined ? events : events.filter(({ type }) => type !== "finish")
  const pieces = pause === 0 ? Stream.fromIterable(said) : Stream.rechunk(Stream.fromIterable(said), 1).pipe(
    Stream.zipWithIndex,
    Stream.mapEffect(([event, at]) => at === 0 ? Effect.succeed(event) : Effect.delay(Effect.succeed(event), pause))
  )
  const whole = failure === undefined ? pieces : Stream.concat(pieces, Stream.fail(failure))
  return delay === 0 ? whole : Stream.unwrap(Effect.delay(Effect.succeed(whole), delay))
}

const differing = (
  { messages, modelId, text, tools }: Expectation,
  request: LLM.ProviderRequest,
  position: number
): ConnectorError | undefined => {
  const asked = textOf(request.messages.at(-1))
  const names = (request.tools ?? []).map(({ name }) => name).sort()
  const expected = {
    ...(modelId === undefined ? {} : { modelId }),
    ...(messages === undefined ? {} : { messages }),
    ...(text === undefined ? {} : { text: text instanceof RegExp && text.test(asked) ? asked : String(text) }),
    ...(tools === undefined ? {} : { tools: tools.toSorted() })
  }
  const all = { modelId: request.modelId, messages: request.messages, text: asked, tools: names }
  const actual = Object.fromEntries(Object.keys(expected).map((key) => [key, all[key as keyof typeof all]]))
  const difference = diff(expected, actual)
  return difference === "" ? undefined : new ConnectorError({
    connector: "TestLLM",
    method: "stream",
    reason: "InvalidInput",
    detail: `turn ${position + 1} of the script was asked for otherwise than expected:\n${difference}`
  })
}

const textOf = (message: Message | undefined): string =>
  message === undefined
    ? ""
    : message.role === "system"
    ? message.content
    : message.content.map((part) => {
      switch (part.type) {
        case "text":
          return part.text
        case "tool-result":
          return toText(part.result)
        default:
          return ""
      }
    }).join("")

const words = (text = "") => text.split(/(?<= )/).filter((word) => word !== "")

const exhausted = (turns: number) =>
  new ConnectorError({
    connector: "TestLLM",
    method: "stream",
    reason: "InvalidInput",
    detail: `the script has ${turns} turns, and one more was asked for`
  })
