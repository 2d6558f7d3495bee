import { assert, describe, it } from "@effect/vitest"
import { Async } from "../../../src/components/logic/Async.ts"

describe("Async", () => {
  it("leads on by JobID alone; every other output leads into the job", () => {
    assert.deepInclude(Async.region, { kind: "job", leavesBy: ["JobID"] })
  })
})
