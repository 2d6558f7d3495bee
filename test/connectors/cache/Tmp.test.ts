import { describe, it, layer } from "@effect/vitest"
import { Effect, TestClock, Layer } from "effect"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
it.effect("d0", () => TestClock.adjust("1 second").pipe(Effect.provide(RAMCache.layer({ maxBytes: "84kb" }))))
it.effect("d1", () => TestClock.adjust("1 second").pipe(Effect.provide(Layer.empty)))
layer(RAMCache.contract({}), { excludeTestServices: true })("x", (it) => { it.effect("y", () => Effect.void) })
it.effect("e", () => TestClock.adjust("1 second").pipe(Effect.provide(RAMCache.layer({}))))
describe("in", () => { it.effect("f", () => TestClock.adjust("1 second"))
 it.effect("g", () => TestClock.adjust("1 second").pipe(Effect.provide(Layer.empty)))
})
