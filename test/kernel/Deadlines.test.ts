import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Ref, TestClock } from "effect"
import * as Deadlines from "../../src/kernel/Deadlines.ts"

const second = Duration.seconds(1)
const late = () => "late" as const

describe("Deadlines", () => {
  it.scoped("what is done in time keeps its answer, its failure and its defect", () =>
    Effect.gen(function*() {
      const { within } = yield* Deadlines.make(second)
      assert.strictEqual(yield* within(late)(Effect.succeed(1)), 1)
      assert.strictEqual(yield* within(late)(Effect.promise(() => Promise.resolve(2))), 2)
      assert.deepStrictEqual(yield* Effect.exit(within(late)(Effect.fail("mine"))), Exit.fail("mine"))
      assert.deepStrictEqual(yield* Effect.exit(within(late)(Effect.die("mine"))), Exit.die("mine"))
      // The time of what is done is no longer watched.
      yield* TestClock.adjust("1 minute")
    }))

  it.scoped("what is not fails to the millisecond, and is interrupted", () =>
    Effect.gen(function*() {
      const { within } = yield* Deadlines.make(second)
      const interrupted = yield* Ref.make(false)
      const fiber = yield* Effect.never.pipe(
        Effect.onInterrupt(() => Ref.set(interrupted, true)),
        within(late),
        Effect.fork
      )
      yield* TestClock.adjust("999 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      assert.isTrue(yield* Ref.get(interrupted))
    }))

  it.scoped("each has its own end, however many there are and whenever they began", () =>
    Effect.gen(function*() {
      const { within } = yield* Deadlines.make(second)
      const ended: Array<number> = []
      const one = (n: number) =>
        Effect.ignore(within(late)(Effect.never)).pipe(Effect.zipRight(Effect.sync(() => ended.push(n))))
      for (let n = 0; n < 5; n++) {
        yield* Effect.fork(one(n))
        yield* TestClock.adjust("300 millis")
      }
      assert.deepStrictEqual(ended, [0, 1])
      yield* TestClock.adjust("399 millis")
      assert.deepStrictEqual(ended, [0, 1, 2])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended, [0, 1, 2, 3, 4])
      // After a time in which there was nothing to watch.
      yield* Effect.fork(one(5))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(ended.at(-1), 5)
    }))

  it.scoped("each may have a length of its own, and the shorter ones do not wait for the longer", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make(Duration.minutes(1))
      const ended: Array<string> = []
      const start = (name: string, after?: number) => deadlines.start(() => void ended.push(name), after)
      start("usual")
      start("ten", 10_000)
      const cancelled = start("three", 3000)
      deadlines.start(() => {
        ended.push("two")
        start("one more", 1000)
      }, 2000)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(ended, ["two"])
      deadlines.cancel(cancelled)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended, ["two", "one more"])
      const fiber = yield* Effect.fork(deadlines.within(late, Duration.seconds(4))(Effect.never))
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      yield* TestClock.adjust("3 seconds")
      start("again ten", 10_000)
      yield* TestClock.adjust("50 seconds")
      assert.deepStrictEqual(ended, ["two", "one more", "ten", "again ten", "usual"])
    }))

  it.scoped("nobody waits for what does not let itself be interrupted", () =>
    Effect.gen(function*() {
      const { within } = yield* Deadlines.make(second)
      const begun = yield* Deferred.make<void>()
      const stubborn = Effect.uninterruptible(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
      const timed = yield* Effect.fork(within(late)(stubborn))
      yield* TestClock.adjust(second)
      assert.deepStrictEqual(yield* Fiber.await(timed), Exit.fail("late"))
      const fiber = yield* Effect.fork(within(late)(stubborn))
      yield* Deferred.await(begun)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }))

  it.live("made where nothing can be interrupted, it ends with its scope all the same", () =>
    Effect.scoped(Effect.gen(function*() {
      const { within } = yield* Effect.uninterruptible(Deadlines.make(Duration.hours(1)))
      assert.strictEqual(yield* within(late)(Effect.as(Effect.sleep("10 millis"), 1)), 1)
    })))

  it.scoped("a deadline that is cancelled does not come", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make(second)
      const expired: Array<string> = []
      const first = deadlines.start(() => expired.push("first"))
      deadlines.start(() => expired.push("second"))
      deadlines.cancel(first)
      yield* TestClock.adjust(second)
      assert.deepStrictEqual(expired, ["second"])
    }))

  it.scoped("an infinite time has no end", () =>
    Effect.gen(function*() {
      const { within } = yield* Deadlines.make(Duration.infinity)
      const fiber = yield* Effect.fork(within(late)(Effect.never))
      yield* TestClock.adjust("1000 days")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
    }))
})
