/** A model that says what a `Recording` heard, piece by piece and at its pace; without a network, and nothing else. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { BootError } from "../kernel/BootError.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import { nearest } from "../kernel/Nearest.ts"
import * as Candidate from "../security/Candidate.ts"
import { collect } from "../subsystems/llm/AnswerStream.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import { diff } from "./Diff.ts"
import * as Recording from "./Recording.ts"

export class Replay extends Context.Tag("effect-sre/Replay")<Replay, {
  /** Recorded calls nobody has made yet. */
  readonly remaining: Effect.Effect<number>
}>() {}

export interface Options {
  /** Waits as long as the model did. Default: true. */
  readonly timing?: boolean
}

/**
 * Each recorded call answers one request that is the same as the recorded one; several of the same in the order in which they
 * were recorded. Any other request fails, with what differs from the first that is left.
 */
export const layer = (file: string, { timing = true }: Options = {}): Layer.Layer<LLM.LLM | Replay, BootError> =>
  Layer.effectContext(Effect.gen(function*() {
    const left = (yield* read(file)).map((exchange) => ({ exchange, request: JSON.stringify(exchange.request) }))
    const recorded = left.length
    const models = Array.from(new Set(left.map(({ exchange }) => nameOf(modelIn(exchange.request)))))

    const answer = Effect.fnUntraced(function*(request: LLM.Request) {
      const candidate = yield* asker("stream")
      const asked = Recording.withoutSecrets(request)
      const at = left.findIndex(({ request }) => request === JSON.stringify(asked))
      if (at < 0) return yield* unexpected(file, left[0]?.exchange, asked, recorded)
      const [{ exchange: { events, failure } }] = left.splice(at, 1) as [typeof left[number]]
      const said = Stream.fromIterable(events).pipe(
        Stream.rechunk(1),
        Stream.zipWithPrevious,
        Stream.mapEffect(([before, { at, event }]) =>
          Effect.delay(Effect.succeed(event), timing ? at - (before._tag === "Some" ? before.value.at : 0) : 0)
        )
      )
      return Candidate.streamAs(failure === undefined ? said : Stream.concat(said, Stream.fail(failure)), candidate)
    })

    const stream = (request: LLM.Request) => Stream.unwrap(answer(request))
    return Context.make(
      LLM.LLM,
      LLM.LLM.of({
        stream,
        generate: (request) => collect(stream(request)),
        check: (model) =>
          Effect.flatMap(asker("check"), () =>
            models.includes(nameOf(model))
              ? Effect.void
              : new LLM.ModelNotFound({ model: nameOf(model), near: nearest(nameOf(model), models) })),
        // Nobody is there to count, and a count is no part of a recording.
        count: () => Effect.as(asker("count"), Option.none())
      })
    ).pipe(Context.add(Replay, { remaining: Effect.sync(() => left.length) }))
  })).pipe(Layer.provide(NodeFileSystem.layer))

const read = (file: string) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const text = yield* files.readFileString(file).pipe(
      Effect.mapError((cause) => refused(file, "the recording cannot be read; make one with Recording.layer", cause))
    )
    return yield* Effect.forEach(text.split("\n").filter((line) => line !== ""), (line, at) =>
      Effect.mapError(
        Schema.decode(Recording.Line)(line),
        (cause) => refused(file, `line ${at + 1} is no recorded call; record it again`, cause)
      ))
  })

const refused = (path: string, problem: string, cause: unknown) =>
  new BootError({ service: "Replay", path, problem, cause })

const asker = (operation: string) =>
  Effect.mapError(Candidate.current, () => new Candidate.NoCandidate({ operation: `LLM.${operation}` }))

const modelIn = (request: unknown): LLM.Request["model"] => (request as LLM.Request).model

const nameOf = (model: LLM.Request["model"]) => typeof model === "string" ? model : model.modelId

const unexpected = (file: string, next: Recording.Exchange | undefined, asked: unknown, recorded: number) =>
  new ConnectorError({
    connector: "Replay",
    method: "stream",
    reason: "InvalidInput",
    detail: next === undefined
      ? `${file} has ${recorded} calls, and one more was made`
      : `no call like this is left in ${file}. It differs from the next one:\n${diff(next.request, asked)}`
  })
