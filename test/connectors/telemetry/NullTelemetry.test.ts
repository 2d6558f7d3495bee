import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { NullTelemetry } from "../../../src/connectors/telemetry/NullTelemetry.ts"
import { isTraced } from "../../../src/kernel/Trace.ts"
import { Telemetry } from "../../../src/subsystems/io/Telemetry.ts"

describe("NullTelemetry", () => {
  it.effect("collects nothing", () =>
    Effect.gen(function*() {
      const seen = yield* Effect.provide(Effect.zip(isTraced, Telemetry), NullTelemetry.layer({}))
      assert.deepStrictEqual(seen, [false, { metrics: false, contents: false }])
    }))
})
