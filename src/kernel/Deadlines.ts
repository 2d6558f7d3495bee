/** Time limits for what is done often: `Effect.timeoutFail` takes three times the processor time of one of these. */
import { Duration, Effect, Fiber, FiberId, Runtime, type Scope } from "effect"

export interface Deadlines {
  /** Calls `expire` when the time is over, unless what this returns is given to `cancel` before. `expire` must not throw. */
  readonly start: (expire: () => void) => Deadline
  readonly cancel: (deadline: Deadline) => void
  /**
   * Fails with `onTimeout` when the effect is not done in time. Nobody waits for what is under way to end, neither then nor
   * on interruption: it is interrupted and left to itself. What it changes in fiber references stays with it.
   */
  readonly within: <E>(onTimeout: () => E) => <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E | E1, R>
}

export interface Deadline {
  readonly at: number
  readonly expire: () => void
}

/** All of the same length, so that the oldest is the next: one fiber watches it, and only while there is one. */
export const make = (after: Duration.Duration): Effect.Effect<Deadlines, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const millis = Duration.toMillis(after)
    const open = new Set<Deadline>()
    let watcher: Fiber.RuntimeFiber<void> | undefined = undefined
    let isClosed = false
    // What is still under way while the scope closes is watched until then, but nothing begins to be after it.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return watcher === undefined ? Effect.void : Fiber.interrupt(watcher)
      })
    )

    const watch: Effect.Effect<void> = Effect.suspend(() => {
      const now = clock.unsafeCurrentTimeMillis()
      for (const deadline of open) {
        if (deadline.at > now) return Effect.zipRight(clock.sleep(Duration.millis(deadline.at - now)), watch)
        open.delete(deadline)
        deadline.expire()
      }
      watcher = undefined
      return Effect.void
    })

    const start = (expire: () => void): Deadline => {
      const deadline = { at: clock.unsafeCurrentTimeMillis() + millis, expire }
      if (millis === Infinity || isClosed) return deadline
      open.add(deadline)
      watcher ??= runFork(Effect.interruptible(watch))
      return deadline
    }
    const cancel = (deadline: Deadline): void => void open.delete(deadline)

    return {
      start,
      cancel,
      within: <E>(onTimeout: () => E) => <A, E1, R>(self: Effect.Effect<A, E1, R>) =>
        Effect.flatMap(Effect.runtime<R>(), (runtime) =>
          Effect.async<A, E | E1, R>((resume) => {
            const fiber = Runtime.runFork(runtime)(self)
            const interrupt = () => fiber.unsafeInterruptAsFork(FiberId.none)
            const deadline = start(() => {
              interrupt()
              resume(Effect.fail(onTimeout()))
            })
            fiber.addObserver((exit) => {
              cancel(deadline)
              resume(exit)
            })
            return Effect.sync(() => {
              cancel(deadline)
              interrupt()
            })
          }))
    }
  })
