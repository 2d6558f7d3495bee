/** Telemetry to an OpenTelemetry collector over OTLP/HTTP in JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Config, Context, Duration, Effect, ExecutionStrategy, Layer, Option, Redacted, Schema, Scope } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Telemetry from "../../subsystems/io/Telemetry.ts"
import { BaseUrl } from "../JsonHttp.ts"
import * as OtlpQueue from "./OtlpQueue.ts"

const Signal = Schema.Literal("traces", "metrics", "logs")

const OTelSettings = Schema.Struct({
  /** Without `/v1/traces`. */
  endpoint: Schema.optionalWith(BaseUrl, { default: () => "http://127.0.0.1:4318" }),
  /** Sent with every request: what the collector wants as a key. */
  headers: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Redacted(Schema.String) }), {
    default: () => ({})
  }),
  /** As `service.name` of all that is sent. */
  serviceName: Schema.optionalWith(Schema.NonEmptyString, { default: () => "effect-sre" }),
  /** As `service.version`. */
  serviceVersion: Schema.optional(Schema.NonEmptyString),
  /** What is sent. */
  signals: Schema.optionalWith(Schema.NonEmptyArray(Signal), {
    default: () => ["traces", "metrics", "logs"] as const
  }),
  /** Whether prompts and answers go along. */
  contents: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  /** In milliseconds. How long spans and lines gather before they are sent; metrics are sent twelve times less often. */
  exportInterval: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(5) }),
  /** In milliseconds. For one request, and for the last ones at shutdown. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) }),
  /** What waits of each signal while the collector is away; beyond, the oldest is lost. */
  maxQueueBytes: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 16 * 1024 * 1024 })
})

/** A request of an exporter, complete with its body. */
interface Batch extends OtlpQueue.Batch {
  readonly request: HttpClientRequest.HttpClientRequest
}

export const OTel = Connector.make({
  name: "OTel",
  aliases: ["OpenTelemetry"],
  contract: Telemetry.TelemetryConnector,
  service: Telemetry.layer,
  settings: OTelSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { Http, HttpResponse, NodeHttpClient, OtlpLogger, OtlpMetrics, OtlpSerialization, OtlpTracer } =
      yield* packages
    const context = yield* Layer.build(Layer.merge(NodeHttpClient.layerUndici, OtlpSerialization.layerJson))
    const http = Context.get(context, Http.HttpClient)

    /** Answers are read to their end, which gives the connection back; the status alone says whether it was taken. */
    const send = ({ request }: Batch) =>
      http.execute(request).pipe(
        Effect.mapError(({ reason }) => failure(`no connection, or it was lost (${reason})`, reason === "Transport")),
        Effect.timeoutFail({ duration: settings.timeout, onTimeout: () => failure("no answer in time", true) }),
        Effect.tap(({ text }) => Effect.ignore(Effect.timeout(text, settings.timeout))),
        Effect.flatMap(({ headers, status }) =>
          status < 300 ? Effect.void : Effect.fail(failure(`status ${status}`, transient.has(status), headers))
        ),
        Effect.withTracerEnabled(false)
      )

    /** What the exporters ask: every batch is taken at once, and sent when the collector takes it. */
    const queued = (signal: typeof Signal.Type) =>
      Effect.map(
        OtlpQueue.make<Batch>({ name: signal, maxBytes: settings.maxQueueBytes, send, timeout: settings.timeout }),
        (offer) =>
          Http.make((request) =>
            Effect.as(
              offer({ request, bytes: request.body.contentLength ?? 0 }),
              HttpResponse.fromWeb(request, new Response(null))
            )
          )
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
    // At shutdown no signal waits for another.
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.parallel)
    const exporter = <A, R>(
      signal: typeof Signal.Type,
      make: (options: ReturnType<typeof to>) => Effect.Effect<A, never, R>
    ) =>
      settings.signals.includes(signal)
        ? Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (own) =>
          Scope.extend(Effect.provideServiceEffect(make(to(signal)), Http.HttpClient, queued(signal)), own))
        : Effect.succeed(undefined)
    const started = Effect.gen(function*() {
      yield* exporter("metrics", OtlpMetrics.make)
      return {
        metrics: settings.signals.includes("metrics"),
        contents: settings.contents,
        tracer: yield* exporter("traces", OtlpTracer.make),
        logger: yield* exporter("logs", OtlpLogger.make)
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
  timeout: Config.map(Config.withDefault(Config.integer("OTEL_EXPORTER_OTLP_TIMEOUT"), 10_000), Duration.millis),
  maxQueueBytes: Config.succeed(16 * 1024 * 1024)
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
  const [OtlpTracer, OtlpMetrics, OtlpLogger, OtlpSerialization, NodeHttpClient, Http, HttpResponse] = await Promise
    .all([
      import("@effect/opentelemetry/OtlpTracer"),
      import("@effect/opentelemetry/OtlpMetrics"),
      import("@effect/opentelemetry/OtlpLogger"),
      import("@effect/opentelemetry/OtlpSerialization"),
      import("@effect/platform-node/NodeHttpClient"),
      import("@effect/platform/HttpClient"),
      import("@effect/platform/HttpClientResponse")
    ])
  return { OtlpTracer, OtlpMetrics, OtlpLogger, OtlpSerialization, NodeHttpClient, Http, HttpResponse }
})

/** https://opentelemetry.io/docs/specs/otlp/#failures-1 */
const transient: ReadonlySet<number> = new Set([429, 502, 503, 504])

const failure = (
  detail: string,
  isTransient: boolean,
  headers: Readonly<Record<string, string | undefined>> = {}
): OtlpQueue.Failure => {
  const seconds = Number(headers["retry-after"] ?? Number.NaN)
  return { detail, isTransient, retryAfter: seconds >= 0 ? Duration.seconds(seconds) : undefined }
}
