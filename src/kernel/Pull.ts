/**
 * Streams as what is behind them: an effect that gives the next elements. A stage of a `Stream` costs a short answer of a model
 * more than its connection does, so streams made here can be taken apart again, and a pipeline of them has no stages in between.
 */
import { Chunk, Context, Effect, ExecutionStrategy, Exit, Option, Scope, Stream } from "effect"

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

/** A stage of a pipeline. What `f` keeps is of one run of the stream. */
export const via =
  <A, E, R, B, E1, R1>(f: (pull: Pull<A, E, R>) => Pull<B, E1, R1>) =>
  (self: Stream.Stream<A, E, R>): Stream.Stream<B, E | E1, Exclude<R | R1, Scope.Scope>> =>
    toStream<B, E | E1, R | R1>(Effect.map(open(self), f))

/** `Stream.tapError`. */
export const tapError =
  <E, E1, R1>(f: (error: E) => Effect.Effect<unknown, E1, R1>) =>
  <A, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E | E1, Exclude<R | R1, Scope.Scope>> =>
    toStream<A, E | E1, R | R1>(
      Effect.map(
        Effect.tapError(open(self), f),
        (pull) =>
          Effect.tapError(
            pull,
            (failure) => Option.isNone(failure) ? Effect.void : Effect.mapError(f(failure.value), Option.some)
          )
      )
    )

/** `Stream.provideSomeContext`; all that the stream needs is taken where it is opened. */
export const provide =
  <R1>(context: Context.Context<R1>) =>
  <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, Exclude<Exclude<R, R1>, Scope.Scope>> =>
    toStream(
      Effect.flatMap(Effect.context<Exclude<R, R1> | Scope.Scope>(), (around) => {
        // A context that was taken within a layer has the layer's scope in it: what the stream opens would stay open with it.
        const own = Context.add(context, Scope.Scope, Context.get(around, Scope.Scope))
        const all = Context.merge(around, own) as Context.Context<R | Scope.Scope>
        return Effect.map(Effect.provide(open(self), all), (pull) => Effect.mapInputContext(pull, () => all))
      })
    )

/** `Stream.concat`; what comes next is asked for when the first has ended and is closed. */
export const concat =
  <B, E1, R1>(next: () => Stream.Stream<B, E1, R1>) =>
  <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A | B, E | E1, Exclude<R | R1, Scope.Scope>> =>
    toStream<A | B, E | E1, R | R1>(
      Effect.flatMap(
        Effect.scope,
        (scope) =>
          Effect.flatMap(
            Scope.fork(scope, ExecutionStrategy.sequential),
            (own) =>
              Effect.map(Scope.extend(open(self), own), (first) => {
                let second: Pull<B, E1, R1> | undefined
                const opened = Scope.extend(
                  Effect.suspend(() => open(next())),
                  scope
                ) as Opened<B, E1, R1>
                const follow = Effect.flatMap(Effect.mapError(opened, Option.some), (pull) => second = pull)
                const begin: Pull<A | B, E | E1, R | R1 | Scope.Scope> = Effect.catchAll(
                  first,
                  (failure): Pull<B, E | E1, R1 | Scope.Scope> =>
                    Option.isSome(failure) ? Effect.fail(failure) : Effect.zipRight(Scope.close(own, Exit.void), follow)
                )
                return Effect.suspend((): typeof begin => second ?? begin) as Pull<A | B, E | E1, R | R1>
              })
          )
      )
    )

/** Runs the stream to its end, for elements that nobody has to wait for. */
export const forEach = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  f: (element: A) => void
): Effect.Effect<void, E, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.flatMap(open(stream), (pull) => {
      const loop: Effect.Effect<never, Option.Option<E>, R> = Effect.flatMap(pull, (elements) => {
        for (const element of elements) f(element)
        return loop
      })
      return Effect.catchAll(loop, ended)
    })
  ) as Effect.Effect<void, E, Exclude<R, Scope.Scope>>

/** What the failure of a pull is to a stream: its end, or a failure. */
const ended = <E>(failure: Option.Option<E>): Effect.Effect<void, E> =>
  Option.isNone(failure) ? Effect.void : Effect.fail(failure.value)

/** Opened until its first elements are there. */
export const begun = <A, E, R>(opened: Opened<A, E, R>): Opened<A, E, R> =>
  Effect.flatMap(opened, (pull) => {
    const first: Opened<A, E, R> = Effect.matchEffect(pull, {
      onFailure: (failure): Opened<A, E, R> =>
        Option.isSome(failure) ? Effect.fail(failure.value) : Effect.succeed(end),
      onSuccess: (elements) => Chunk.isEmpty(elements) ? first : Effect.succeed(after(elements, pull))
    })
    return first
  })

/** Closed at once when it cannot be opened, so that another one can be in its place. */
export const alone = <A, E, R>(opened: Opened<A, E, R>): Opened<A, E, R> =>
  Effect.flatMap(
    Effect.scope,
    (scope) =>
      Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (own) =>
        opened.pipe(
          Scope.extend(own),
          Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
        ))
  )

export const end: Effect.Effect<never, Option.Option<never>> = Effect.fail(Option.none())

/** The pull that gives these elements before its own. */
export const after = <A, E, R>(elements: Chunk.Chunk<A>, pull: Pull<A, E, R>): Pull<A, E, R> => {
  let isGiven = false
  return Effect.suspend(() => {
    if (isGiven) return pull
    isGiven = true
    return Effect.succeed(elements)
  })
}
