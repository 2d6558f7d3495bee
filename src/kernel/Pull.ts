/**
 * Streams as what is behind them: an effect that gives the next elements. A stage of a `Stream` costs a short answer of a model
 * more than its connection does, so streams made here can be taken apart again, and a pipeline of them has no stages in between.
 */
import { Chunk, Context, Effect, ExecutionStrategy, Exit, Option, Scope, Stream } from "effect"

/** The next elements; fails with none at the end, and is not asked again after it failed. */
export type Pull<A, E = never, R = never> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

/** Opened for the time of a scope. */
export type Opened<A, E = never, R = never> = Effect.Effect<Pull<A, E, R>, E, R | Scope.Scope>

/** Where a stream that was made here keeps what is behind it. What becomes of the stream elsewhere is another one, without it. */
const source = Symbol("effect-sre/Pull/source")

/** Most are taken apart again and never run, so that the stream itself is made when it is. */
export const toStream = <A, E, R>(opened: Opened<A, E, R>): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  Object.assign(
    Stream.suspend(() => Stream.unwrapScoped(Effect.map(opened, (pull) => Stream.repeatEffectChunkOption(pull)))),
    { [source]: opened }
  ) as Stream.Stream<A, E, Exclude<R, Scope.Scope>>

/** What is behind a stream, of whatever kind it is. */
export const open = <A, E, R>(stream: Stream.Stream<A, E, R>): Opened<A, E, R> =>
  (stream as { readonly [source]?: Opened<A, E, R> })[source] ?? Stream.toPull(stream)

/** `Stream.fromIterable`, in one piece. */
export const fromIterable = <A>(elements: Iterable<A>): Stream.Stream<A> =>
  toStream(Effect.sync(() => {
    const chunk = Chunk.fromIterable(elements)
    return Chunk.isEmpty(chunk) ? end : after(chunk, end)
  }))

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

/** One stream after another; the next one is asked for when the one before has ended and is closed. */
export const inTurn = <A, E, R>(
  streams: () => Iterator<Stream.Stream<A, E, R>>
): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
  toStream<A, E, R>(
    Effect.map(Effect.scope, (scope): Pull<A, E, R> => {
      const iterator = streams()
      let current: Pull<A, E, R> | undefined
      const begin: Pull<A, E, R> = Effect.suspend(() => {
        const next = iterator.next()
        return next.done === true ? end : Effect.flatMap(
          Scope.fork(scope, ExecutionStrategy.sequential),
          (own) =>
            Effect.flatMap(Effect.mapError(Scope.extend(open(next.value), own), Option.some), (pull) =>
              current = Effect.catchAll(pull, (failure) => {
                if (Option.isSome(failure)) {
                  return Effect.fail(failure)
                }
                current = undefined
                return Effect.zipRight(Scope.close(own, Exit.void), begin)
              }))
        ) as Pull<A, E, R>
      })
      return Effect.suspend(() =>
        current ?? begin
      )
    })
  )

/** Runs the stream until an element is the last that matters, or to its end; nobody has to wait for what is done with one. */
export const until = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  isLast: (element: A) => boolean
): Effect.Effect<void, E, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.flatMap(open(stream), (pull) => {
      const loop: Effect.Effect<void, Option.Option<E>, R> = Effect.flatMap(pull, (elements) => {
        for (const element of elements) if (isLast(element)) return Effect.void
        return loop
      })
      return Effect.catchAll(loop, ended)
    })
  ) as Effect.Effect<void, E, Exclude<R, Scope.Scope>>

/** `Stream.runForEach` of what takes no time: without a stage of `Stream`, which takes more than most answers do to read. */
export const forEach = <A, E, R>(stream: Stream.Stream<A, E, R>, f: (element: A) => void): Effect.Effect<void, E, R> =>
  until(stream, (element) => {
    f(element)
    return false
  }) as Effect.Effect<void, E, R>

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
        // Where it is interrupted, the scope around it closes.
        Effect.tapErrorCause(Scope.extend(opened, own), (cause) => Scope.close(own, Exit.failCause(cause))))
  )

export const end: Effect.Effect<never, Option.Option<never>> = Effect.fail(Option.none())

/** The pull that gives one element. */
export const once = <A, E, R>(element: Effect.Effect<A, E, R>): Pull<A, E, R> => {
  let isGiven = false
  return Effect.suspend(() => {
    if (isGiven) return end
    isGiven = true
    return Effect.mapBoth(element, { onFailure: Option.some, onSuccess: Chunk.of })
  })
}

/** The pull that gives these elements before its own. */
export const after = <A, E, R>(elements: Chunk.Chunk<A>, pull: Pull<A, E, R>): Pull<A, E, R> => {
  let isGiven = false
  return Effect.suspend(() => {
    if (isGiven) return pull
    isGiven = true
    return Effect.succeed(elements)
  })
}
