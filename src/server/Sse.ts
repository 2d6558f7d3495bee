/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Chunk, Effect, Option, Schedule, type Scope, Stream } from "effect"
import * as Json from "../kernel/Json.ts"
import { InternalError, type Outside, outside } from "./Failures.ts"

export interface Frame {
  readonly id?: number
  readonly event: string
  /** Sent as JSON, so that no line break of a text can end the frame. */
  readonly data?: unknown
  /** Sent in its place, as it is but for line breaks: those become `\n`, a backslash and a letter. */
  readonly text?: string
}

export const text = ({ data, event, id, text }: Frame): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${
    text === undefined ? Json.stringify(data) : text.replace(/\r\n|\r|\n/g, "\\n")
  }\n\n`

/** Keeps proxies from taking a silent run for a dead one. */
const heartbeat = Stream.as(Stream.fromSchedule(Schedule.spaced("15 seconds")), ": \n\n")

type Told = { readonly _tag: string; readonly message: string }

/**
 * Waits for the first element, so that what is refused is answered with a status; a failure after it is the last event,
 * named `error`. A stream without any element is a 204: browsers do not come back then. The stream ends when the client
 * goes. Pin the stream to its candidate first.
 */
export const response = <A, E extends Told>(
  stream: Stream.Stream<A, E>,
  frame: (element: A) => Frame,
  headers: (first: A) => Readonly<Record<string, string>> = () => ({})
): Effect.Effect<HttpServerResponse.HttpServerResponse, Outside<E>, Scope.Scope> =>
  Effect.gen(function*() {
    const pull = yield* Stream.toPull(
      Stream.catchAll(stream, (error) => Stream.fromEffect(outside(Effect.fail(error))))
    )
    const first = yield* Effect.catchAll(
      pull,
      Option.match({ onNone: () => Effect.succeed(Chunk.empty<A>()), onSome: (error) => Effect.fail(error) })
    )
    if (!Chunk.isNonEmpty(first)) return HttpServerResponse.empty({ status: 204 })
    const all = Stream.concat(Stream.fromChunk(first), Stream.fromPull(Effect.succeed(pull)))
    return open(all, frame, headers(Chunk.headNonEmpty(first)))
  })

/** The same at once, for streams that may be silent for long: whoever asks may have them, that was checked before. */
export const open = <A, E extends Told>(
  stream: Stream.Stream<A, E>,
  frame: (element: A) => Frame,
  headers: Readonly<Record<string, string>> = {}
): HttpServerResponse.HttpServerResponse => {
  const frames = stream.pipe(
    Stream.mapChunks((chunk) => Chunk.of(Chunk.reduce(chunk, "", (sent, element) => sent + text(frame(element))))),
    Stream.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause) ? Stream.empty : Stream.fromEffect(Effect.map(lastWords(cause), text))
    )
  )
  return HttpServerResponse.stream(
    Stream.encodeText(Stream.merge(frames, heartbeat, { haltStrategy: "left" })),
    {
      contentType: "text/event-stream",
      headers: { "cache-control": "no-store", "x-accel-buffering": "no", ...headers }
    }
  )
}

const lastWords = <E extends Told>(
  cause: Cause.Cause<E>
): Effect.Effect<Frame> =>
  Option.match(Cause.failureOption(cause), {
    onSome: ({ _tag, message }) => Effect.succeed({ event: "error", data: { error: _tag, message } }),
    onNone: () => {
      const { _tag, message } = new InternalError()
      return Effect.as(Effect.logError("a stream of events crashed", cause), {
        event: "error",
        data: { error: _tag, message }
      })
    }
  })
