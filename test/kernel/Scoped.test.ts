import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Scoped from "../../src/kernel/Scoped.ts"

describe("Scoped", () => {
  it.effect("a resource is let go of with its scope, once, the last one first", () =>
    Effect.gen(function*() {
      const happened: Array<string> = []
      const one = (name: string) =>
        Scoped.make(() => {
          happened.push(`make ${name}`)
          return name
        }, (name) => happened.push(`release ${name}`))
      const scope = yield* Scope.make()
      assert.strictEqual(yield* Scope.extend(one("a"), scope), "a")
      assert.strictEqual(yield* Scope.extend(one("b"), scope), "b")
      yield* Scope.close(scope, Exit.void)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(happened, ["make a", "make b", "release b", "release a"])
    }))

  it.effect("one that is made when the scope is closed already is let go of at once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      let isOpen = false
      yield* Scope.extend(Scoped.make(() => isOpen = true, () => isOpen = false), scope)
      assert.isFalse(isOpen)
    }))
})
