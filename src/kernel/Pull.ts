/**
 * Streams as what is behind them: an effect that gives the next elements. A stage of a `Stream` costs a short answer of a model
 * more than its connection does, so streams made here can be taken apart again, and a pipeline of them has no stages in between.
 */
import { type Chunk, Effect, Option, type Scope, Stream } from "effect"

/** The next elements; fails with none at the end, and is not asked again after it failed. */
export type Pull<A, E = never, R = never> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

/** Opened for the time of a scope. */
export type Opened<A, E = never, R = never> = Effect.Effect<Pull<A, E, R>, E, R | Scope.Scope>

/** Kept beside the streams, since a stream is whatever its consumer makes of it. */
const sources = new WeakMap<object, unknown>()

export const toStream = <A, E, R>(opened: Opened<A, E, R>): Stream.Stream<A, E, Exclude<R, Scope.Scope>> => {
  const stream = Stream.unwrapScoped(Effect.map(opened, (pull) => Stream.repeatEffectChunkOption(pull)))
  sources.set(stream, opened)
  return stream as Stream.Stream<A, E, Exclude<R, Scope.Scope>>
}

/** What is behind a stream, of whatever kind it is. */
export const open = <A, E, R>(stream: Stream.Stream<A, E, R>): Opened<A, E, R> =>
  sources.get(stream) as Opened<A, E, R> | undefined ?? Stream.toPull(stream)

/** `Stream.unwrapScoped`. */
export const unwrap = <A, E, R, E1, R1>(
  self: Effect.Effect<Stream.Stream<A, E, R>, E1, R1>
): Stream.Stream<A, E | E1, Exclude<R | R1, Scope.Scope>> =>
  toStream<A, E | E1, R | R1>(Effect.flatMap(self, (stream): Opened<A, E | E1, R | R1> => open(stream)))

/** Every step of the opened stream as the next stage wants it. */
export const mapPull = <A, E, R, B, E1, R1>(
  stream: Stream.Stream<A, E, R>,
  f: (pull: Pull<A, E, R>) => Pull<B, E1, R1>
): Stream.Stream<B, E | E1, Exclude<R | R1, Scope.Scope>> =>
  toStream<B, E | E1, R | R1>(Effect.map(open(stream), f))

/** `Stream.runForEachChunk`, of elements that nobody has to wait for. */
export const forEach = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  f: (element: A) => void
): Effect.Effect<void, E, Exclude<R, Scope.Scope>> =>
  Effect.scoped(Effect.flatMap(open(stream), (pull) =>
    Effect.catchAll(
      Effect.forever(Effect.map(pull, (elements) => {
        for (const element of elements) f(element)
      })),
      Option.match({ onNone: () => Effect.void, onSome: (error) => Effect.fail(error) })
    ))) as Effect.Effect<void, E, Exclude<R, Scope.Scope>>
