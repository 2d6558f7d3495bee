import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Metric, TestClock } from "effect"
import * as Resources from "../../../src/subsystems/memory/Resources.ts"

describe("Resources", () => {
  it.effect("a sample is there at once and within its bounds", () =>
    Effect.gen(function*() {
      const sample = yield* (yield* Resources.Resources).current
      assert.isTrue(sample.cpuLoad > 0 && sample.cpuLoad <= 1)
      assert.isTrue(Duration.toMillis(sample.eventLoopDelay.mean) >= 0)
      assert.isTrue(Duration.toMillis(sample.eventLoopDelay.p99) >= 0)
      assert.isTrue(sample.heapUsedBytes > 0 && sample.heapUsedBytes <= sample.residentBytes)
      assert.isTrue(sample.systemFreeBytes <= sample.systemTotalBytes)
    }).pipe(Effect.provide(Resources.layer())))

  it.effect("a new sample is taken every interval and shown by the metrics", () =>
    Effect.gen(function*() {
      const resources = yield* Resources.Resources
      const first = yield* resources.current
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* resources.current, first)
      yield* TestClock.adjust("1 second")
      const second = yield* resources.current
      assert.notStrictEqual(second, first)
      assert.strictEqual((yield* Metric.value(Resources.resident)).value, second.residentBytes)
      yield* TestClock.adjust("10 seconds")
      assert.notStrictEqual(yield* resources.current, second)
    }).pipe(Effect.provide(Resources.layer("10 seconds"))))

  it.effect("fibers are counted while they are alive", () =>
    Effect.gen(function*() {
      const { current } = yield* Resources.Resources
      const counted = Effect.map(
        Effect.zipRight(TestClock.adjust("5 seconds"), current),
        ({ fibers }) => fibers
      )
      const before = yield* counted
      const some = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Effect.never))
      assert.strictEqual(yield* counted, before + 3)
      yield* Fiber.interruptAll(some)
      assert.strictEqual(yield* counted, before)
    }).pipe(Effect.provide(Resources.layer())))
})
