/** A model that says what a test tells it to, turn by turn, under every name of the registry; and remembers what it was asked. */
import { Context, Effect, Layer, Ref, Stream } from "effect"
import { JSONModelsLive } from "../connectors/models/JSONModels.ts"
import { NullVault } from "../connectors/vault/NullVault.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import { builtInModels } from "../subsystems/llm/BuiltInModels.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import type { FinishReason, LLMEvent, Usage } from "../subsystems/llm/Prompt.ts"

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
}

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
        return Stream.fromIterable(yield* events(typeof turn === "string" ? { text: turn } : turn))
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

const words = (text = "") => text.split(/(?<= )/).filter((word) => word !== "")

const exhausted = (turns: number) =>
  new ConnectorError({
    connector: "TestLLM",
    method: "stream",
    reason: "InvalidInput",
    detail: `the script has ${turns} turns, and one more was asked for`
  })
