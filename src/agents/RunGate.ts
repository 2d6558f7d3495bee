/** How many runs there may be at once, and how they end when the system does. */
import { Deferred, type Duration, Effect, Fiber, Schema, type Scope } from "effect"

/** As many runs are under way as the operator allows; try again later. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", { maxRuns: Schema.Int }) {
  override get message(): string {
    return `${this.maxRuns} runs are under way, no more are taken: try again later`
  }
}

/** The system is shutting down: what runs is finished, nothing new begins. */
export class ShuttingDown extends Schema.TaggedError<ShuttingDown>()("ShuttingDown", {}) {
  override get message(): string {
    return "shutting down: no new runs"
  }
}

export interface RunGate {
  /** Whatever of a run has to be waited for goes through `stoppable`: it is what shutdown interrupts, not the caller. */
  <A, E, R>(work: (stoppable: Stoppable) => Effect.Effect<A, E, R>): Effect.Effect<A, E | Overloaded | ShuttingDown, R>
  /** Runs under way. */
  readonly count: Effect.Effect<number>
}

/** Marks the fiber it runs on, which is the run's own, as the one to interrupt. */
export type Stoppable = <A, E, R>(rest: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Counts runs: refuses above the bound and while closing; closing waits for those under way, then interrupts them. */
export const openGate = (
  maxRuns: number,
  drainTimeout: Duration.DurationInput
): Effect.Effect<RunGate, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runs = new Set<{ fiber: Fiber.RuntimeFiber<unknown, unknown> }>()
    let closing = false
    const idle = yield* Deferred.make<void>()

    const gate = <A, E, R>(
      work: (stoppable: Stoppable) => Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | Overloaded | ShuttingDown, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiberRuntime((fiber) => {
          if (closing) return Effect.fail(new ShuttingDown())
          if (runs.size >= maxRuns) return Effect.fail(new Overloaded({ maxRuns }))
          const run: { fiber: Fiber.RuntimeFiber<unknown, unknown> } = { fiber }
          runs.add(run)
          const stoppable: Stoppable = (rest) =>
            Effect.withFiberRuntime((own) => {
              run.fiber = own
              return rest
            })
          return Effect.ensuring(
            restore(work(stoppable)),
            Effect.suspend(() => {
              runs.delete(run)
              return closing && runs.size === 0 ? Deferred.succeed(idle, void 0) : Effect.void
            })
          )
        })
      )

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        return runs.size === 0 ? Effect.void : Effect.zipRight(
          Effect.timeoutOption(Effect.interruptible(Deferred.await(idle)), drainTimeout),
          Effect.suspend(() => Fiber.interruptAll(Array.from(runs, ({ fiber }) => fiber)))
        )
      })
    )
    return Object.assign(gate, { count: Effect.sync(() => runs.size) })
  })
