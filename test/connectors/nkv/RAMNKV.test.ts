import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RAMNKV } from "../../../src/connectors/nkv/RAMNKV.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { NKV } from "../../../src/subsystems/io/NKV.ts"
import { suite } from "../../../src/testing/conformance/nkv.ts"

describe("RAMNKV", () => {
  it.effect("holds no more than its bound, loses nothing for it, and has room again after a clearing", () =>
    Effect.gen(function*() {
      const nkv = yield* NKV
      yield* nkv.set("ns", "a", "x".repeat(3000))
      assert.deepInclude(yield* Effect.flip(nkv.set("other", "b", "x".repeat(3000))), { reason: "Full" })
      assert.isTrue(yield* nkv.exists("ns", "a"))
      yield* nkv.clear("ns")
      yield* nkv.set("other", "b", "x".repeat(3000))
    }).pipe(
      Candidate.as(Candidate.user("ann")),
      Effect.provide(RAMNKV.layer({ maxBytes: "10kb", maxBytesPerTenant: "10kb" }))
    ))

  it.effect("holds no more than half of it for one tenant", () =>
    Effect.gen(function*() {
      const nkv = yield* NKV
      const as = (id: string) => Candidate.as(Candidate.agent(id))
      yield* as("greedy")(nkv.set("ns", "a", "x".repeat(3000)))
      assert.include((yield* Effect.flip(as("greedy")(nkv.set("other", "b", "x".repeat(3000))))).message, "PerTenant")
      yield* as("modest")(nkv.set("ns", "a", "x".repeat(3000)))
      yield* as("greedy")(nkv.remove("ns", "a"))
      yield* as("greedy")(nkv.set("other", "b", "x".repeat(3000)))
    }).pipe(Effect.provide(RAMNKV.layer({ maxBytes: "16kb" }))))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("RAM", RAMNKV.contract({}), { entries: 100_000 })
