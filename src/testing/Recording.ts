/** What a model really said, kept in a file of one line a call, for tests that go without it: see `Replay`. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { Clock, Effect, Layer, Schema, Stream } from "effect"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import * as Json from "../kernel/Json.ts"
import { redact } from "../kernel/Redaction.ts"
import { AccessDenied } from "../security/Access.ts"
import * as Candidate from "../security/Candidate.ts"
import { collect } from "../subsystems/llm/AnswerStream.ts"
import { BudgetExceeded } from "../subsystems/llm/Budgets.ts"
import * as LLM from "../subsystems/llm/LLM.ts"
import { LLMEvent } from "../subsystems/llm/Prompt.ts"

/** One call. Its request is as a caller made it, without keys. */
export const Exchange = Schema.Struct({
  request: Schema.Unknown,
  events: Schema.Array(Schema.Struct({
    /** Milliseconds since the call began. */
    at: Schema.Int,
    event: LLMEvent
  })),
  failure: Schema.optional(
    Schema.Union(
      AccessDenied,
      BudgetExceeded,
      Candidate.NoCandidate,
      ConnectorError,
      LLM.MissingCredentials,
      LLM.ModelNotFound
    )
  )
})
export type Exchange = typeof Exchange.Type

/** One line of the file. */
export const Line = Schema.parseJson(Exchange)

/** `LLM` as it is, with every call that ends added to the file. What looks like a secret is left out. */
export const layer = (file: string): Layer.Layer<LLM.LLM, PlatformError, LLM.LLM> =>
  Layer.effect(
    LLM.LLM,
    Effect.gen(function*() {
      const llm = yield* LLM.LLM
      const files = yield* FileSystem.FileSystem
      const turns = yield* Effect.makeSemaphore(1)
      yield* files.writeFileString(file, "")

      const append = (exchange: Exchange) =>
        Schema.encode(Line)(exchange).pipe(
          Effect.flatMap((line) => turns.withPermits(1)(files.writeFileString(file, `${line}\n`, { flag: "a" }))),
          Effect.mapError((cause) =>
            new ConnectorError({
              connector: "Recording",
              method: "stream",
              reason: "Unavailable",
              detail: `the call cannot be added to ${file}`,
              cause
            })
          )
        )

      const stream = (request: LLM.Request) =>
        Stream.unwrap(Effect.map(Clock.currentTimeMillis, (started) => {
          const events: Array<Exchange["events"][number]> = []
          const end = (failure?: LLM.LLMError) =>
            append({
              request: withoutSecrets(request),
              events,
              ...(failure === undefined ? {} : { failure: withoutCause(failure) })
            })
          return llm.stream(request).pipe(
            Stream.tap((event) =>
              Effect.map(Clock.currentTimeMillis, (now) => {
                events.push({ at: now - started, event: withoutSecrets(event) as LLMEvent })
              })
            ),
            Stream.tapError(end),
            Stream.concat(Stream.drain(Stream.fromEffect(Effect.suspend(() => end()))))
          )
        }))
      return LLM.LLM.of({ stream, generate: (request) => collect(stream(request)), check: llm.check, count: llm.count })
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))

/** A request or an event as the file has it: as JSON, with nothing in it that looks like a secret. */
export const withoutSecrets = (value: unknown): unknown =>
  redacted(
    Json.extract(Json.stringify(isKeyed(value) ? { ...value, model: { ...value.model, apiKey: undefined } } : value))
  )

const isKeyed = (value: unknown): value is { readonly model: object } =>
  typeof value === "object" && value !== null && "model" in value && typeof value.model === "object"

const redacted = (value: unknown): unknown =>
  typeof value === "string"
    ? redact(value)
    : Array.isArray(value)
    ? value.map(redacted)
    : typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, redacted(one)]))
    : value

/** A cause is whatever a vendor's package threw. */
const withoutCause = (failure: LLM.LLMError): LLM.LLMError =>
  failure._tag !== "ConnectorError" ? failure : new ConnectorError({
    connector: failure.connector,
    method: failure.method,
    reason: failure.reason,
    ...(failure.detail === undefined ? {} : { detail: redact(failure.detail) }),
    ...(failure.retryAfter === undefined ? {} : { retryAfter: failure.retryAfter })
  })
