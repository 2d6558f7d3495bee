import { assert, describe, it } from "@effect/vitest"
import { Console, Context, Effect, Layer } from "effect"
import { ConsoleLog } from "../../../src/connectors/log/ConsoleLog.ts"
import { LogConnector } from "../../../src/subsystems/io/Log.ts"
import { record, suite } from "../../../src/testing/conformance/log.ts"

/** The console of Effect with `error` turned into a list; any other method would fail the test. */
const recording = () => {
  const lines: Array<string> = []
  const console = { error: (line: string) => Effect.sync(() => void lines.push(line)) } as unknown as Console.Console
  return { lines, layer: Console.setConsole(console), written: Effect.sync(() => lines) }
}

for (const format of ["pretty", "json"] as const) {
  const { layer, written } = recording()
  // The connector looks the console up when it writes, so the console has to reach the caller of `write` too.
  const connector = Layer.map(
    ConsoleLog.contract({ format }),
    (context) =>
      Context.make(LogConnector, {
        write: (records) => Effect.provide(Context.get(context, LogConnector).write(records), layer)
      })
  )
  suite(`ConsoleLog (${format})`, { connector, written })
}

describe("ConsoleLog", () => {
  const write = (settings: Parameters<typeof ConsoleLog.contract>[0], ...records: Array<ReturnType<typeof record>>) =>
    Effect.gen(function*() {
      const { layer, lines } = recording()
      yield* Effect.flatMap(LogConnector, (log) => log.write(records)).pipe(
        Effect.provide(Layer.merge(ConsoleLog.contract(settings), layer))
      )
      return lines
    })

  it.effect("leaves out what is below its level", () =>
    Effect.gen(function*() {
      const all = [record("d", { level: "debug" }), record("i", { level: "info" }), record("w", { level: "warning" })]
      const messages = (lines: ReadonlyArray<string>) =>
        lines.map((line) => (JSON.parse(line) as { message: string }).message)
      assert.deepStrictEqual(messages(yield* write({ format: "json" }, ...all)), ["i", "w"])
      assert.deepStrictEqual(messages(yield* write({ format: "json", level: "debug" }, ...all)), ["d", "i", "w"])
      assert.deepStrictEqual(messages(yield* write({ format: "json", level: "error" }, ...all)), [])
    }))

  it.effect("json is one object with an ISO time and without absent fields", () =>
    Effect.gen(function*() {
      const [line = ""] = yield* write({ format: "json" }, record("done", { componentId: "C1" }))
      assert.deepStrictEqual(JSON.parse(line), {
        time: "1970-01-01T00:00:00.000Z",
        candidate: "agent:a1",
        kind: "activity",
        agentId: "a1",
        componentId: "C1",
        level: "error",
        message: "done"
      })
    }))

  it.effect("pretty is for people", () =>
    Effect.gen(function*() {
      const lines = yield* write({}, record("denied Storage.read x", { kind: "audit", level: "warning" }))
      assert.deepStrictEqual(lines, ["1970-01-01T00:00:00.000Z WARNING agent:a1 audit: denied Storage.read x"])
    }))

  it.effect("an unknown setting value is refused at boot with the accepted ones", () =>
    Effect.gen(function*() {
      const layer = ConsoleLog.fromUnknown({ format: "xml" }, "Log.Settings")
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error.path, "Log.Settings.format")
      assert.include(error.message, "\"json\"")
    }))
})
