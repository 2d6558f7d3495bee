/**
 * Resources of what is done often. `Effect.acquireRelease` runs a release with the fiber references of its acquisition: to find
 * out how they differ takes longer, in an agent, than most of what is done. These are for releases that need none of them.
 */
import { Effect, Scope } from "effect"

/** Neither `make` nor `release` may throw. */
export const make = <A>(make: () => A, release: (resource: A) => void): Effect.Effect<A, never, Scope.Scope> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) => {
      const resource = make()
      return Effect.as(Scope.addFinalizer(scope, Effect.sync(() => release(resource))), resource)
    })
  )
