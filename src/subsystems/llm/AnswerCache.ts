/**
 * AnswerCache: the answer to a request that was made before, word for word, for those who want it: a request says so, or the
 * operator for all. Each candidate has its own, in the Cache service.
 */
import { Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { createHash } from "node:crypto"
import * as Pull from "../../kernel/Pull.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Cache } from "../memory/Cache.ts"
import { collect } from "./AnswerStream.ts"
import * as LLM from "./LLM.ts"
import * as Models from "./Models.ts"
import { LLMEvent } from "./Prompt.ts"
import * as Usage from "./Usage.ts"

export const Settings = Schema.Struct({
  /** For requests that say nothing themselves; milliseconds. Default: those are not cached. */
  timeToLive: Schema.optional(Schema.DurationFromMillis),
  /** A longer answer is not kept. Default 1 MB. */
  maxBytes: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 1_000_000 })
})
export type Settings = typeof Settings.Type

/** For requests that ask for it, and no others. */
export const defaults = Settings.make({})

const Events = Schema.Array(LLMEvent)

const make = (settings: Settings) =>
  Effect.gen(function*() {
    const llm = yield* LLM.LLM
    const models = yield* Models.Models
    const cache = yield* Cache
    const guard = yield* Access.guard("LLM")

    /** What goes wrong with the cache costs the answer nothing. */
    const found = (key: string) =>
      cache.getJson(key, Events).pipe(
        Effect.catchAll((error) => Effect.as(missed("read", error), Option.none<typeof Events.Type>()))
      )
    const keep = (key: string, events: ReadonlyArray<LLMEvent>, timeToLive: Duration.Duration) =>
      cache.setJson(key, Events, events, { timeToLive }).pipe(Effect.catchAll((error) => missed("kept", error)))

    const open = Effect.fnUntraced(function*(request: LLM.Request, asked: Duration.DurationInput) {
      const candidate = yield* guard.candidate("stream")
      const timeToLive = Duration.decode(asked)
      const key = keyOf(request, yield* LLM.modelOf(models, request.model))
      const before = yield* found(key)
      if (Option.isSome(before)) return Pull.fromIterable(before.value)
      const events: Array<LLMEvent> = []
      let bytes = 0
      return llm.stream(request).pipe(
        Stream.tap((event) =>
          Effect.suspend(() => {
            bytes += sizeOf(event)
            if (bytes <= settings.maxBytes) events.push(event)
            return event.type === "finish" && lasting.has(event.reason) && bytes <= settings.maxBytes
              ? keep(key, free(events), timeToLive)
              : Effect.void
          })
        ),
        Candidate.streamAs(candidate)
      )
    })

    const stream = ({ cache: timeToLive = settings.timeToLive ?? false, ...request }: LLM.Request) =>
      timeToLive === false ? llm.stream(request) : Pull.unwrap(open(request, timeToLive))
    return LLM.LLM.of({ stream, generate: (request) => collect(stream(request)), check: llm.check, count: llm.count })
  })

/** `LLM` with answers kept in the asker's cache. */
export const layer = (settings: Settings): Layer.Layer<LLM.LLM, never, LLM.LLM | Models.Models | Cache> =>
  Layer.effect(LLM.LLM, make(settings))

/** All that decides about the answer, of the request and of the registry; no key. */
const keyOf = ({ model: _, ...request }: LLM.Request, { baseURL, modelId, params, provider, settings }: Models.Model) =>
  `answers/${
    createHash("sha256").update(stable([provider, modelId, baseURL, params, settings, request])).digest("base64url")
  }`

/** JSON with the names of every object in one order. */
const stable = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1))
      : one)

/** What was withheld or went wrong may be better the next time. */
const lasting: ReadonlySet<string> = new Set(["stop", "length", "tool-calls"])

/** The same pieces, free. */
const free = (events: ReadonlyArray<LLMEvent>): ReadonlyArray<LLMEvent> =>
  events.flatMap((event): ReadonlyArray<LLMEvent> =>
    event.type === "usage"
      ? []
      : event.type === "finish"
      ? [{ type: "usage", usage: Usage.zero, cached: true }, event]
      : [event]
  )

const sizeOf = (event: LLMEvent): number =>
  event.type === "text" || event.type === "reasoning"
    ? event.delta.length + overhead
    : event.type === "toolCall"
    ? event.arguments.length + overhead
    : overhead
const overhead = 40

const missed = (what: string, error: { readonly message: string }) =>
  Effect.logWarning(`an answer could not be ${what} in the cache: ${error.message}`)
