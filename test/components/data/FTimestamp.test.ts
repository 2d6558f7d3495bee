import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { FTimestamp } from "../../../src/components/data/FTimestamp.ts"
import { runComponent } from "../harness.ts"

const at = (time: string, format?: unknown) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(Date.parse(time))
    const outputs = yield* runComponent(FTimestamp, {
      settings: format === undefined ? {} : { format },
      inputs: { Trigger: 0 }
    })
    assert.deepStrictEqual(Object.keys(outputs), ["Timestamp"])
    return outputs["Timestamp"]
  })

describe("FTimestamp", () => {
  it.effect("gives milliseconds unless told otherwise", () =>
    Effect.gen(function*() {
      for (const format of [undefined, null, "unix", "timestamp"]) {
        assert.strictEqual(yield* at("2024-01-02T03:04:05.006Z", format), Date.UTC(2024, 0, 2, 3, 4, 5, 6))
      }
      assert.strictEqual(yield* at("2024-01-02T03:04:05.006Z", "iso"), "2024-01-02T03:04:05.006Z")
    }))

  it.effect("writes patterns in UTC", () =>
    Effect.gen(function*() {
      const morning = "2024-01-02T03:04:05.006Z"
      const evening = "2024-11-22T13:14:15.160Z"
      for (
        const [time, pattern, expected] of [
          [morning, "YYYY-MM-DD HH:mm:ss.SSS Z", "2024-01-02 03:04:05.006 +00:00"],
          [morning, "D/M/YY h:m:s A", "2/1/24 3:4:5 AM"],
          [evening, "DD MMM YYYY, hh:mm a", "22 Nov 2024, 01:14 pm"],
          [evening, "MMMM D ZZ z", "November 22 +0000 UTC"],
          ["2024-01-01T00:30:00Z", "hA H", "12AM 0"],
          ["2024-01-01T12:30:00Z", "hA H", "12PM 12"]
        ] as const
      ) {
        assert.strictEqual(yield* at(time, pattern), expected)
      }
    }))

  it.effect("refuses other characters", () =>
    Effect.gen(function*() {
      for (const format of ["YYYY-MM-DDTHH", "now", "{{x}}"]) {
        assert.include((yield* Effect.flip(at("2024-01-01", format))).message, "a pattern of Y M D H h m s S Z z A a")
      }
    }))
})
