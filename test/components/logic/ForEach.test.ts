import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ForEach } from "../../../src/components/logic/ForEach.ts"
import { runComponent } from "../harness.ts"

const loop = ForEach.region?.kind === "loop" ? ForEach.region : undefined
const result = (format: "full" | "minimal" | "results-array", ...records: ReadonlyArray<unknown>) =>
  loop?.result(
    { format, concurrency: 1, onError: "collect", entries: false },
    records.map((record) => [record])
  )["Result"]
const record = (value: unknown) => ({ id: "H", name: "F:Hash", result: value })

describe("ForEach", () => {
  it("gives records, outputs, or values", () => {
    const records = [record({ Hash: "1" }), record({ A: [1, 2], B: 3 }), "bare"]
    assert.deepStrictEqual(result("full", ...records), records)
    assert.deepStrictEqual(result("minimal", ...records), [{ Hash: "1" }, { A: [1, 2], B: 3 }, "bare"])
    assert.deepStrictEqual(result("results-array", ...records), ["1", 1, 2, 3, "bare"])
  })

  it("shows failures in every format", () => {
    const failed = record({ _error: "no" })
    assert.deepStrictEqual(result("minimal", failed), [{ _error: "no" }])
    assert.deepStrictEqual(result("results-array", failed), ["no"])
  })

  it.effect("refuses settings it does not know, with what it accepts", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        runComponent(ForEach, { settings: { format: "fat", concurrency: "0" }, inputs: { Input: [] } })
      )
      assert.match(error.message, /full.*minimal.*results-array/)
    }))
})
