/** Calls of the Promise API under way: `stop()` waits for them, then interrupts them. */
import { Context, Deferred, type Duration, Effect, Fiber, Layer } from "effect"
import { ShuttingDown } from "../agents/RunGate.ts"

export class Calls extends Context.Tag("effect-sre/SdkCalls")<
  Calls,
  <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ShuttingDown, R>
>() {}

export const layer = (drainTimeout: Duration.DurationInput): Layer.Layer<Calls> =>
  Layer.scoped(
    Calls,
    Effect.gen(function*() {
      const calls = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
      const idle = yield* Deferred.make<void>()
      let closing = false

      yield* Effect.addFinalizer(() =>
        Effect.suspend(() => {
          closing = true
          return calls.size === 0 ? Effect.void : Effect.zipRight(
            Effect.timeoutOption(Effect.interruptible(Deferred.await(idle)), drainTimeout),
            Effect.suspend(() => Fiber.interruptAll(calls))
          )
        })
      )
      return <A, E, R>(call: Effect.Effect<A, E, R>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.withFiberRuntime<A, E | ShuttingDown, R>((fiber) => {
            if (closing) return Effect.fail(new ShuttingDown())
            calls.add(fiber)
            return Effect.ensuring(
              restore(call),
              Effect.suspend(() => {
                calls.delete(fiber)
                return closing && calls.size === 0 ? Deferred.succeed(idle, undefined) : Effect.void
              })
            )
          })
        )
    })
  )
