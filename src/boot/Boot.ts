/** What happened while the system started: every part with the time it took. */
import { Clock, Context, Effect, Layer, Ref, type Scope } from "effect"

export interface BootStep {
  /** As in the configuration, e.g. `Storage`; with the id of a named instance: `Storage#archive`. */
  readonly part: string
  /** Name of the connector; absent where the layer came from code. */
  readonly connector: string | undefined
  readonly millis: number
}

export class Boot extends Context.Tag("effect-sre/Boot")<Boot, {
  /** In the order in which the parts became ready. */
  readonly steps: Effect.Effect<ReadonlyArray<BootStep>>
  readonly record: (step: BootStep) => Effect.Effect<void>
}>() {}

export const layer: Layer.Layer<Boot> = Layer.effect(
  Boot,
  Effect.map(Ref.make<ReadonlyArray<BootStep>>([]), (steps) => ({
    steps: Ref.get(steps),
    record: (step) =>
      Effect.zipRight(
        Effect.logDebug(`boot: ${step.part} ready in ${step.millis} ms`),
        Ref.update(steps, (all) => [...all, step])
      )
  }))
)

/** The layer, with its building recorded as a boot step. */
export const timed = <A, E, R>(
  part: string,
  connector: string | undefined,
  layer: Layer.Layer<A, E, R>
): Layer.Layer<A, E, R | Boot> =>
  Layer.scopedContext(Effect.gen(function*() {
    const boot = yield* Boot
    const started = yield* Clock.currentTimeMillis
    const built = yield* build(layer)
    yield* boot.record({ part, connector, millis: (yield* Clock.currentTimeMillis) - started })
    return built
  }))

/** Builds within the memo map of the surrounding layer, so that a layer used twice is built once. */
const build = <A, E, R>(layer: Layer.Layer<A, E, R>): Effect.Effect<Context.Context<A>, E, R | Scope.Scope> =>
  Effect.gen(function*() {
    const memo = yield* Layer.CurrentMemoMap
    return yield* Layer.buildWithMemoMap(layer, memo, yield* Effect.scope)
  })
