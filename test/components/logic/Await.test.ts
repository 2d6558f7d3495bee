import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Await } from "../../../src/components/logic/Await.ts"
import { runComponent } from "../harness.ts"

describe("Await", () => {
  it.effect("asks for one id or for many, with the count and time of its settings", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const jobs = {
        wait: (ids: ReadonlyArray<string>, count: number, timeout: Duration.DurationInput) =>
          Effect.sync(() => {
            asked.push([ids, count, Duration.toSeconds(timeout)])
            return { j: { status: "done" as const } }
          })
      }
      const run = (Jobs: unknown, settings = {}) =>
        runComponent(Await, { settings, inputs: { Jobs }, step: { jobs } as never })
      assert.deepStrictEqual(yield* run("j"), { Results: { j: { status: "done" } } })
      yield* run(["j", "k"], { jobs_count: "2", max_time: "1.5" })
      assert.deepStrictEqual(asked, [[["j"], 1, 1], [["j", "k"], 2, 1.5]])
    }))

  it.effect("bounds its settings", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(runComponent(Await, { settings: { jobs_count: 101 }, inputs: { Jobs: "j" } }))
      assert.match(error.message, /jobs_count.*1 to 100/)
    }))
})
