/**
 * Inference: models for one task each, such as translating a text or finding the things on a picture. Callers use
 * {@link Inference}, connectors implement {@link InferenceConnector}. The key is the asker's own.
 */
import { Context, Effect, Layer, type Redacted, Schedule, Schema } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Candidate from "../../security/Candidate.ts"

/** As https://huggingface.co/tasks names them; `conversational` is given and gives what a chat completion does. */
export const Task = Schema.Literal(
  "audio-classification",
  "audio-to-audio",
  "automatic-speech-recognition",
  "conversational",
  "document-question-answering",
  "feature-extraction",
  "fill-mask",
  "image-classification",
  "image-segmentation",
  "image-to-image",
  "image-to-text",
  "object-detection",
  "question-answering",
  "sentence-similarity",
  "summarization",
  "table-question-answering",
  "text-classification",
  "text-generation",
  "text-to-image",
  "text-to-speech",
  "token-classification",
  "translation",
  "visual-question-answering",
  "zero-shot-classification",
  "zero-shot-image-classification"
)
export type Task = typeof Task.Type

/** A file among the arguments, or in an answer. */
export class Binary extends Schema.Class<Binary>("InferenceBinary")({
  bytes: Schema.Uint8ArrayFromSelf,
  mediaType: Schema.String
}) {}

export interface Request {
  readonly task: Task
  /** The vendor's name of the model. */
  readonly model: string
  readonly apiKey: Redacted.Redacted
  /** What the task works on, in the vendor's form; a {@link Binary} where it takes a file. */
  readonly args: Readonly<Record<string, unknown>>
}

export class InferenceConnector extends Context.Tag("effect-sre/InferenceConnector")<InferenceConnector, {
  /** What the vendor answers; a {@link Binary} for every file in it. */
  readonly run: (request: Request) => Effect.Effect<unknown, ConnectorError>
}>() {}

export class Inference extends Context.Tag("effect-sre/Inference")<Inference, {
  /** Waits for a model that is about to be loaded. */
  readonly run: (request: Request) => Effect.Effect<unknown, ConnectorError | Candidate.NoCandidate>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* InferenceConnector
  const guard = yield* Access.guard("Inference")

  return Inference.of({
    run: Effect.fnUntraced(function*(request) {
      yield* guard.candidate("run")
      return yield* Effect.retry(connector.run(request), {
        schedule: Schedule.intersect(Schedule.exponential("5 seconds"), Schedule.recurs(2)),
        while: ({ isRetryable }) => isRetryable
      })
    }, traced("Inference.run"))
  })
})

export const layer: Layer.Layer<Inference, never, InferenceConnector> = Layer.effect(Inference, make)
