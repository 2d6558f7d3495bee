import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import { FSleep } from "../../../src/components/logic/FSleep.ts"
import { runComponent } from "../harness.ts"

const sleep = (delay: unknown) => runComponent(FSleep, { settings: { delay }, inputs: { Input: { a: 1 } } })

describe("FSleep", () => {
  it.effect("waits its seconds, then passes the input on", () =>
    Effect.gen(function*() {
      for (const [delay, millis] of [["2", 2000], [0.5, 500], ["", 1000], [null, 1000], [undefined, 1000]] as const) {
        const fiber = yield* Effect.fork(sleep(delay))
        yield* TestClock.adjust(millis - 1)
        assert.deepStrictEqual(yield* Fiber.poll(fiber), Option.none())
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* Fiber.join(fiber), { Output: { a: 1 } })
      }
    }))

  it.effect("does not wait for 0, as a number or as text", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sleep(0), { Output: { a: 1 } })
      assert.deepStrictEqual(yield* sleep("0"), { Output: { a: 1 } })
    }))

  it.effect("refuses what is no delay, and more than a day", () =>
    Effect.gen(function*() {
      for (const delay of ["soon", -1, 86_401]) {
        assert.include((yield* Effect.flip(sleep(delay))).message, "expected a number from 0 to 86400")
      }
    }))
})
