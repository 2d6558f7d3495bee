/** What every collector of spans and log lines must do; one that collects nothing must cost nothing. */
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule } from "effect"
import { isTraced } from "../../kernel/Trace.ts"
import { layer as service, Telemetry, type TelemetryConnector } from "../../subsystems/io/Telemetry.ts"

/** What has come to where the connector sends it. */
export interface Sent {
  /** Names of spans. */
  readonly spans: ReadonlyArray<string>
  /** Texts of log lines. */
  readonly lines: ReadonlyArray<string>
}

/** The connector must be set to send soon. Without `sent` it collects nothing. */
export const suite = <E>(name: string, { connector, sent }: {
  readonly connector: Layer.Layer<TelemetryConnector, E>
  readonly sent?: Effect.Effect<Sent>
}) =>
  layer(Layer.provide(service, connector), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is a TelemetryConnector`,
    (it) => {
      it.effect("what people and models say stays here unless the operator asks for it", () =>
        Effect.map(Telemetry, ({ contents }) => assert.isFalse(contents)))

      if (sent === undefined) {
        it.effect("installs no tracer, and measures nothing", () =>
          Effect.gen(function*() {
            assert.isFalse(yield* isTraced)
            assert.isFalse((yield* Telemetry).metrics)
          }))
        return
      }

      const arrived = (isThere: (sent: Sent) => boolean) =>
        Effect.repeat(sent, { until: isThere, schedule: Schedule.spaced("20 millis") }).pipe(
          Effect.zipRight(sent),
          Effect.timeout("20 seconds")
        )

      it.effect("spans arrive with any name and attributes, whatever became of them", () =>
        Effect.gen(function*() {
          assert.isTrue(yield* isTraced)
          const attributes = { empty: "", zero: 0, no: false, text: "日本語 👋\n\u0000", long: "x".repeat(100_000) }
          const exits = yield* Effect.all([
            Effect.exit(Effect.withSpan(Effect.void, "span: fine", { attributes })),
            Effect.exit(Effect.withSpan(Effect.fail("no"), "span: failed")),
            Effect.exit(Effect.withSpan(Effect.die(new Error("bug")), "span: died")),
            Effect.exit(Effect.withSpan(Effect.interrupt, "span: interrupted")),
            Effect.exit(Effect.withSpan(Effect.withSpan(Effect.void, "span: 日本語 👋"), "span: around"))
          ])
          assert.strictEqual(exits.filter(Exit.isSuccess).length, 2)
          const names = ["fine", "failed", "died", "interrupted", "日本語 👋", "around"].map((one) => `span: ${one}`)
          const { spans } = yield* arrived(({ spans }) => names.every((one) => spans.includes(one)))
          for (const one of names) assert.strictEqual(spans.filter((name) => name === one).length, 1, one)
        }))

      it.effect("of 5000 spans, many at a time, each arrives once", () =>
        Effect.gen(function*() {
          const names = Array.from({ length: 5000 }, (_, n) => `crowd-${n}`)
          yield* Effect.forEach(names, (one) => Effect.withSpan(Effect.yieldNow(), one), {
            concurrency: 50,
            discard: true
          })
          const inCrowd = ({ spans }: Sent) => spans.filter((one) => one.startsWith("crowd-"))
          const crowd = inCrowd(yield* arrived((sent) => inCrowd(sent).length >= names.length))
          assert.strictEqual(crowd.length, names.length)
          assert.deepStrictEqual(new Set(crowd), new Set(names))
        }))

      it.effect("log lines arrive with any text", () =>
        Effect.gen(function*() {
          const texts = ["line: fine", "line: 日本語 👋\nand more", `line: ${"x".repeat(100_000)}`]
          for (const text of texts) yield* Effect.logWarning(text)
          const { lines } = yield* arrived(({ lines }) => texts.every((one) => lines.includes(one)))
          for (const one of texts) assert.strictEqual(lines.filter((line) => line === one).length, 1)
        }))
    }
  )
