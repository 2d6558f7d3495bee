/** Time limits for what is done often: `Effect.timeoutFail` takes three times the processor time of one of these. */
import { Duration, Effect, Fiber, FiberId, Runtime, type Scope } from "effect"

export interface Deadlines {
  /**
   * Calls `expire` when the time is over, unless what this returns is given to `cancel` before. `expire` must not throw. `after`:
   * milliseconds, where they are others than usual.
   */
  readonly start: (expire: () => void, after?: number) => Deadline
  readonly cancel: (deadline: Deadline) => void
  /**
   * Fails with `onTimeout` when the effect is not done in time. Nobody waits for what is under way to end, neither then nor
   * on interruption: it is interrupted and left to itself. What it changes in fiber references stays with it.
   */
  readonly within: <E>(
    onTimeout: () => E,
    after?: Duration.Duration
  ) => <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E | E1, R>
}

export interface Deadline {
  readonly after: number
  readonly at: number
  readonly expire: () => void
}

/** `usual`: how long they are, unless it is said otherwise. One fiber watches them, and only while there are some. */
export const make = (usual: Duration.Duration): Effect.Effect<Deadlines, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const usualMillis = Duration.toMillis(usual)
    /** By length, so that of each the oldest is the next. */
    const open = new Map<number, Set<Deadline>>()
    let watcher: Fiber.RuntimeFiber<void> | undefined = undefined
    /** When the watcher looks again. */
    let next = Infinity
    let isClosed = false
    // What is still under way while the scope closes is watched until then, but nothing begins to be after it.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return watcher === undefined ? Effect.void : Fiber.interrupt(watcher)
      })
    )

    /** What is over by now, and when the first of the others is. What is started meanwhile is among them. */
    const expire = (now: number) => {
      let first = Infinity
      for (const deadlines of open.values()) {
        for (const deadline of deadlines) {
          if (deadline.at > now) {
            first = Math.min(first, deadline.at)
            break
          }
          cancel(deadline)
          deadline.expire()
        }
      }
      return first
    }

    const watch: Effect.Effect<void> = Effect.suspend(() => {
      const now = clock.unsafeCurrentTimeMillis()
      next = -Infinity
      next = expire(now)
      if (next < Infinity) return Effect.zipRight(clock.sleep(Duration.millis(next - now)), watch)
      watcher = undefined
      return Effect.void
    })

    const start = (expire: () => void, after = usualMillis): Deadline => {
      const deadline = { after, at: clock.unsafeCurrentTimeMillis() + after, expire }
      if (after === Infinity || isClosed) return deadline
      const deadlines = open.get(after)
      if (deadlines === undefined) open.set(after, new Set([deadline]))
      else deadlines.add(deadline)
      if (deadline.at < next) {
        watcher?.unsafeInterruptAsFork(FiberId.none)
        next = deadline.at
        watcher = runFork(Effect.interruptible(watch))
      }
      return deadline
    }
    const cancel = (deadline: Deadline): void => {
      const deadlines = open.get(deadline.after)
      if (deadlines?.delete(deadline) === true && deadlines.size === 0) open.delete(deadline.after)
    }

    return {
      start,
      cancel,
      within: <E>(onTimeout: () => E, after = usual) => <A, E1, R>(self: Effect.Effect<A, E1, R>) =>
        Effect.flatMap(Effect.runtime<R>(), (runtime) =>
          Effect.async<A, E | E1, R>((resume) => {
            const fiber = Runtime.runFork(runtime)(self)
            const interrupt = () => fiber.unsafeInterruptAsFork(FiberId.none)
            const deadline = start(() => {
              interrupt()
              resume(Effect.fail(onTimeout()))
            }, Duration.toMillis(after))
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
