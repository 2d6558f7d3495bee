/**
 * Telemetry: where the spans, the metrics and the log lines of the whole system go. Nowhere, unless a connector says so: then
 * nothing is collected and nothing costs. For hosts: who asks for a service is traced without asking for this one.
 */
import { Context, Effect, Layer, Logger, type Tracer } from "effect"

export interface Collected {
  /** Whether calls of models are counted and timed: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/ */
  readonly metrics: boolean
  /** Whether prompts and answers may be in spans. They are what people said: off unless the operator asks for it. */
  readonly contents: boolean
}

export class TelemetryConnector extends Context.Tag("effect-sre/TelemetryConnector")<
  TelemetryConnector,
  Collected & {
    readonly tracer: Tracer.Tracer | undefined
    /** Beside the loggers there are. */
    readonly logger: Logger.Logger<unknown, void> | undefined
  }
>() {}

/** What services collect. */
export class Telemetry extends Context.Reference<Telemetry>()("effect-sre/Telemetry", {
  defaultValue: (): Collected => ({ metrics: false, contents: false })
}) {}

/** Installs the tracer and the logger for all that is built on it, and for whoever runs with it. */
export const layer: Layer.Layer<Telemetry, never, TelemetryConnector> = Layer.unwrapEffect(
  Effect.map(TelemetryConnector, ({ contents, logger, metrics, tracer }) =>
    Layer.mergeAll(
      Layer.succeed(Telemetry, { contents, metrics }),
      tracer === undefined ? Layer.empty : Layer.setTracer(tracer),
      logger === undefined ? Layer.empty : Logger.add(logger)
    ))
)
