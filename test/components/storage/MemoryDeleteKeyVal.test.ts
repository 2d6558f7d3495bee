import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { agent, missing, read, remove, run, write } from "./memory.ts"

describe("MemoryDeleteKeyVal", () => {
  it.effect("forgets", () =>
    Effect.gen(function*() {
      yield* write({})
      assert.deepStrictEqual(yield* remove(), { Key: "k", deleted: true })
      assert.deepStrictEqual(yield* read(), missing)
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))

  it.effect("forgets in every scope the run may see, and in no other", () =>
    Effect.gen(function*() {
      for (const scope of ["", "session", "request"]) yield* write({ scope })
      yield* write({ scope: "session", value: "theirs" }, {}, run("s2", "w2"))
      yield* remove()
      assert.deepStrictEqual(yield* read(), missing)
      assert.deepStrictEqual(yield* read({}, run("s2", "w2")), { Value: "theirs" })
      assert.deepStrictEqual(yield* remove(), missing)
    }).pipe(agent, Effect.provide(RAMCache.layer({}))))
})
