import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, TestClock } from "effect"
import { RunGate } from "../../src/agents/RunGate.ts"

const gateForOne = () =>
  new RunGate({
    maxRuns: 1,
    maxRunsPerAgent: 1,
    maxRunsPerCandidate: 1,
    maxQueued: 10,
    maxWait: Duration.seconds(10)
  })

describe("a place that is waited for", () => {
  it.effect("is nobody's when who waited was interrupted, or waited too long", () =>
    Effect.gen(function*() {
      for (const giveUp of [Fiber.interrupt, () => TestClock.adjust("11 seconds")]) {
        const gate = gateForOne()
        assert.isUndefined(gate.enter("a", "c"))
        const waiting = yield* Effect.fork(Effect.exit(gate.enter("a", "c") ?? Effect.void))
        yield* Effect.yieldNow()
        assert.strictEqual(gate.queued, 1)
        yield* giveUp(waiting)
        yield* Fiber.await(waiting)
        assert.strictEqual(gate.queued, 0)
        gate.leave("a", "c")
        assert.strictEqual(gate.running, 0)
      }
    }))

  it.effect("is not for one caller alone, however many of its runs wait", () =>
    Effect.gen(function*() {
      const gate = new RunGate({
        maxRuns: 1,
        maxRunsPerAgent: 1,
        maxRunsPerCandidate: 1,
        maxQueued: 3,
        maxWait: Duration.seconds(10)
      })
      assert.isUndefined(gate.enter("a", "greedy"))
      const wait = (caller: string) =>
        Effect.zipLeft(Effect.fork(Effect.exit(gate.enter("a", caller) ?? Effect.void)), Effect.yieldNow())
      const greedy = yield* Effect.replicateEffect(wait("greedy"), 3)
      const modest = yield* wait("modest")
      const latest = yield* Fiber.join(greedy[2]!)
      assert.deepInclude(yield* Effect.flip(latest), { _tag: "Overloaded", limit: "queue", max: 3 })
      gate.leave("a", "greedy")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(greedy[0]!)))
      gate.leave("a", "greedy")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(modest)))
      assert.strictEqual(gate.queued, 1)
    }))

  it.effect("is the next one's when it becomes free", () =>
    Effect.gen(function*() {
      const gate = gateForOne()
      assert.isUndefined(gate.enter("a", "c"))
      const waiting = yield* Effect.fork(gate.enter("a", "c") ?? Effect.void)
      yield* Effect.yieldNow()
      gate.leave("a", "c")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiting)))
      assert.strictEqual(gate.running, 1)
    }))
})
