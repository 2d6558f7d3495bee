/** What every sink of the log must do. `written` reads back the lines the sink has produced so far. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { LogConnector, type LogRecord } from "../../subsystems/io/Log.ts"

export const record = (message: string, more: Partial<LogRecord> = {}): LogRecord => ({
  kind: "activity",
  time: 0,
  candidate: { role: "agent", id: "a1" },
  agentId: "a1",
  componentId: undefined,
  runId: undefined,
  level: "error",
  message,
  input: undefined,
  output: undefined,
  error: undefined,
  count: undefined,
  ...more
})

export const suite = <E>(name: string, options: {
  readonly connector: Layer.Layer<LogConnector, E>
  readonly written: Effect.Effect<ReadonlyArray<string>>
}) =>
  layer(options.connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is a LogConnector`, (it) => {
    const lines = (marker: string) => Effect.map(options.written, (all) => all.filter((line) => line.includes(marker)))

    it.effect("writes records in the order they were made", () =>
      Effect.gen(function*() {
        const log = yield* LogConnector
        yield* log.write(["order-1", "order-2", "order-3"].map((message) => record(message)))
        yield* log.write([record("order-4")])
        const positions = (yield* lines("order-")).map((line) => /order-(\d)/.exec(line)?.[1])
        assert.deepStrictEqual(positions, ["1", "2", "3", "4"])
      }))

    it.effect("keeps who, where and what of a record", () =>
      Effect.gen(function*() {
        const log = yield* LogConnector
        yield* log.write([record("whole", { componentId: "C7", runId: "run-9", input: "in-5", error: "failed-3" })])
        const [line = ""] = yield* lines("whole")
        for (const part of ["agent:a1", "C7", "run-9", "in-5", "failed-3"]) assert.include(line, part)
      }))

    it.effect("takes records without an identity and of every kind", () =>
      Effect.gen(function*() {
        const log = yield* LogConnector
        yield* log.write([
          record("kind-audit", { kind: "audit", candidate: undefined, agentId: undefined }),
          record("kind-task", { kind: "task", count: 3 })
        ])
        assert.strictEqual((yield* lines("kind-")).length, 2)
      }))

    it.effect("a record is one line, whatever its texts hold", () =>
      Effect.gen(function*() {
        const log = yield* LogConnector
        yield* log.write([record("forged\n2020-01-01 ERROR agent:a2 \u001b[2J\u2028 mine\r")])
        const found = yield* lines("forged")
        assert.strictEqual(found.length, 1)
        assert.notMatch(found[0]!, /[\n\r\u001b\u2028]/)
      }))

    it.effect("texts of any kind are kept: none, any letters, long ones", () =>
      Effect.gen(function*() {
        const log = yield* LogConnector
        const texts = ["", "0", "日本語 👋", "\"quoted\" {}", "x".repeat(5000)]
        yield* log.write(texts.map((text, n) => record(text, { componentId: `edge-${n}-` })))
        for (const [n, text] of texts.entries()) {
          const found = yield* lines(`edge-${n}-`)
          assert.strictEqual(found.length, 1)
          assert.isTrue([text, JSON.stringify(text).slice(1, -1)].some((one) => found[0]?.includes(one)), text)
        }
      }))

    it.effect("of 2000 records, written side by side, each is there once", () =>
      Effect.gen(function*() {
        const log = yield* LogConnector
        const batches = Array.from({ length: 40 }, (_, batch) =>
          Array.from({ length: 50 }, (_, n) => record(`crowd-${batch * 50 + n}.`)))
        yield* Effect.forEach(batches, (batch) =>
          log.write(batch), { concurrency: 8, discard: true })
        const found = (yield* lines("crowd-")).map((line) => Number(/crowd-(\d+)\./.exec(line)?.[1]))
        assert.strictEqual(found.length, 2000)
        assert.strictEqual(new Set(found).size, 2000)
      }))
  })
