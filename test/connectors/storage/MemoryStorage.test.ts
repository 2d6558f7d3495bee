import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import { suite } from "../../../src/testing/conformance/storage.ts"

describe("MemoryStorage", () => {
  it.effect("holds no more than its bound, also of a stream, and has room again after a removal", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      yield* storage.write("a", new Uint8Array(6000))
      const full = yield* Effect.flip(storage.write("b", new Uint8Array(6000)))
      assert.include(full.message, "Full")
      assert.include(full.message, "maxBytes")
      const endless = Stream.repeatEffect(Effect.succeed(new Uint8Array(1000)))
      assert.include((yield* Effect.flip(storage.writeStream("c", endless))).message, "Full")
      yield* storage.remove("a")
      yield* storage.write("b", new Uint8Array(6000))
      assert.isFalse(yield* storage.exists("c"))
    }).pipe(
      Candidate.as(Candidate.user("ann")),
      Effect.provide(MemoryStorage.layer({ maxBytes: "10kb", maxBytesPerTenant: "10kb" }))
    ))

  it.effect("holds no more than half of it for one tenant", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const as = (id: string) => Candidate.as(Candidate.agent(id))
      yield* as("greedy")(storage.write("a", new Uint8Array(6000)))
      const error = yield* Effect.flip(as("greedy")(storage.write("b", new Uint8Array(6000))))
      assert.include(error.message, "maxBytesPerTenant")
      yield* as("modest")(storage.write("a", new Uint8Array(6000)))
      yield* as("greedy")(storage.remove("a"))
      yield* as("greedy")(storage.write("b", new Uint8Array(6000)))
    }).pipe(Effect.provide(MemoryStorage.layer({ maxBytes: "16kb" }))))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("Memory", MemoryStorage.contract({}), { objects: 20_000 })
