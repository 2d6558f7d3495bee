/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Chunk, Effect, Option, Schedule, type Scope, Stream } from "effect"
import * as Json from "../kernel/Json.ts"
import { InternalError, type Outside, outside } from "./Failures.ts"

export interface Frame {
  readonly id?: number
  readonly event: string
  /** Sent as JSON, so that no line break of a text can end the frame. */
  readonly data: unknown
}

export const text = ({ data, event, id }: Frame): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${Json.stringify(data)}\n\n`

/** Keeps proxies from taking a silent run for a dead one. */
const heartbeat = Stream.as(Stream.fromSchedule(Schedule.spaced("15 seconds")), ": \n\n")

/**
 * Waits for the first element, so that what is refused is answered with a status; a failure after it is the last event,
 * named `error`. The stream ends when the client goes. Pin the stream to its candidate first.
 */
export const response = <A, E extends { readonly _tag: string; readonly message: string }>(
  stream: Stream.Stream<A, E>,
  frame: (element: A) => Frame
): Effect.Effect<HttpServerResponse.HttpServerResponse, Outside<E>, Scope.Scope> =>
  Effect.gen(function*() {
    const pull = yield* Stream.toPull(
      Stream.catchAll(stream, (error) => Stream.fromEffect(outside(Effect.fail(error))))
    )
    const first = yield* Effect.catchAll(
      pull,
      Option.match({ onNone: () => Effect.succeed(Chunk.empty<A>()), onSome: (error) => Effect.fail(error) })
    )
    const frames = Stream.concat(Stream.fromChunk(first), Stream.fromPull(Effect.succeed(pull))).pipe(
      Stream.mapChunks((chunk) => Chunk.of(Chunk.reduce(chunk, "", (sent, element) => sent + text(frame(element))))),
      Stream.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause) ? Stream.empty : Stream.fromEffect(Effect.map(lastWords(cause), text))
      )
    )
    return HttpServerResponse.stream(
      Stream.encodeText(Stream.merge(frames, heartbeat, { haltStrategy: "left" })),
      { contentType: "text/event-stream", headers: { "cache-control": "no-store", "x-accel-buffering": "no" } }
    )
  })

const lastWords = <E extends { readonly _tag: string; readonly message: string }>(
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
