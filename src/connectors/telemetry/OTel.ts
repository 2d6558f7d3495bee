/** Telemetry to an OpenTelemetry collector over OTLP/HTTP in JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import type * as HttpClient from "@effect/platform/HttpClient"
import { Config, Duration, Effect, Layer, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Telemetry from "../../subsystems/io/Telemetry.ts"
import { BaseUrl } from "../JsonHttp.ts"

const Signal = Schema.Literal("traces", "metrics", "logs")

const OTelSettings = Schema.Struct({
  /** Without `/v1/traces`. */
  endpoint: Schema.optionalWith(BaseUrl, { default: () => "http://127.0.0.1:4318" }),
  /** Sent with every request: what the collector wants as a key. */
  headers: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Redacted(Schema.String) }), {
    default: () => ({})
  }),
  serviceName: Schema.optionalWith(Schema.NonEmptyString, { default: () => "effect-sre" }),
  serviceVersion: Schema.optional(Schema.NonEmptyString),
  signals: Schema.optionalWith(Schema.NonEmptyArray(Signal), {
    default: () => ["traces", "metrics", "logs"] as const
  }),
  /** Whether prompts and answers go along. */
  contents: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  /** In milliseconds. How long spans and lines gather before they are sent; metrics are sent twelve times less often. */
  exportInterval: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(5) }),
  /** In milliseconds. For one request, and for the last ones at shutdown. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) })
})

export const OTel = Connector.make({
  name: "OTel",
  aliases: ["OpenTelemetry"],
  contract: Telemetry.TelemetryConnector,
  service: Telemetry.layer,
  settings: OTelSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { Http, HttpError, NodeHttpClient, OtlpLogger, OtlpMetrics, OtlpSerialization, OtlpTracer } = yield* packages
    /** Answers are read to their end, which gives the connection back, and in time. */
    const bounded = (client: HttpClient.HttpClient) =>
      Http.transform(client, (answer, request) =>
        Effect.timeoutFail(Effect.tap(answer, (response) => response.text), {
          duration: settings.timeout,
          onTimeout: () =>
            new HttpError.RequestError({ request, reason: "Transport", description: "no answer in time" })
        }))
    const client = Layer.effect(Http.HttpClient, Effect.map(Http.HttpClient, bounded))
    const context = yield* Layer.build(
      Layer.merge(Layer.provide(client, NodeHttpClient.layerUndici), OtlpSerialization.layerJson)
    )
    const to = (signal: typeof Signal.Type) => ({
      url: `${settings.endpoint}/v1/${signal}`,
      headers: Object.fromEntries(
        Object.entries(settings.headers).map(([name, value]) => [name, Redacted.value(value)])
      ),
      resource: { serviceName: settings.serviceName, serviceVersion: settings.serviceVersion },
      exportInterval: signal === "metrics" ? Duration.times(settings.exportInterval, 12) : settings.exportInterval,
      shutdownTimeout: settings.timeout
    })
    const metrics = settings.signals.includes("metrics")
    const started = Effect.gen(function*() {
      if (metrics) yield* OtlpMetrics.make(to("metrics"))
      return {
        metrics,
        contents: settings.contents,
        tracer: settings.signals.includes("traces") ? yield* OtlpTracer.make(to("traces")) : undefined,
        logger: settings.signals.includes("logs") ? yield* OtlpLogger.make(to("logs")) : undefined
      }
    })
    return yield* Effect.provide(started, context)
  })
})

/** By the variables of https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
export const OTelLive = OTel.layerConfig({
  endpoint: Config.map(
    Config.withDefault(Config.string("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://127.0.0.1:4318"),
    (url) => url.replace(/\/+$/, "")
  ),
  headers: Config.map(Config.withDefault(Config.string("OTEL_EXPORTER_OTLP_HEADERS"), ""), (text) => headersOf(text)),
  serviceName: Config.withDefault(Config.nonEmptyString("OTEL_SERVICE_NAME"), "effect-sre"),
  serviceVersion: Config.withDefault(Config.nonEmptyString("OTEL_SERVICE_VERSION"), undefined),
  signals: Config.succeed(["traces", "metrics", "logs"] as const),
  contents: Config.withDefault(Config.boolean("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"), false),
  exportInterval: Config.map(Config.withDefault(Config.integer("OTEL_BSP_SCHEDULE_DELAY"), 5000), Duration.millis),
  timeout: Config.map(Config.withDefault(Config.integer("OTEL_EXPORTER_OTLP_TIMEOUT"), 10_000), Duration.millis)
})

/** `key=value,key2=value2`, values percent-encoded. */
const headersOf = (text: string): Readonly<Record<string, Redacted.Redacted>> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const cut = pair.indexOf("=")
      return cut < 1 ? [] : [[pair.slice(0, cut).trim(), Redacted.make(decoded(pair.slice(cut + 1).trim()))]]
    })
  )

const decoded = (text: string): string => Option.getOrElse(Option.liftThrowable(decodeURIComponent)(text), () => text)

const packages = Connector.vendor("OTel", "@effect/opentelemetry", async () => {
  const [OtlpTracer, OtlpMetrics, OtlpLogger, OtlpSerialization, NodeHttpClient, Http, HttpError] = await Promise.all([
    import("@effect/opentelemetry/OtlpTracer"),
    import("@effect/opentelemetry/OtlpMetrics"),
    import("@effect/opentelemetry/OtlpLogger"),
    import("@effect/opentelemetry/OtlpSerialization"),
    import("@effect/platform-node/NodeHttpClient"),
    import("@effect/platform/HttpClient"),
    import("@effect/platform/HttpClientError")
  ])
  return { OtlpTracer, OtlpMetrics, OtlpLogger, OtlpSerialization, NodeHttpClient, Http, HttpError }
})
