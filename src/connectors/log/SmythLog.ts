/**
 * Log to where records are kept: `elasticsearch`, `otlp` (any OpenTelemetry collector), `http` (a managed server), or
 * rotated files. Records for a server wait on disk until it has them ({@link Delivery}).
 */
import { Config, ConfigError, Duration, Effect, Either, ParseResult, Schema } from "effect"
import { join } from "node:path"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as Log from "../../subsystems/io/Log.ts"
import * as DataFolder from "../DataFolder.ts"
import * as JsonHttp from "../JsonHttp.ts"
import * as Delivery from "./Delivery.ts"
import * as destinations from "./destinations.ts"
import * as LineFiles from "./LineFiles.ts"
import * as LogLine from "./LogLine.ts"

const Secret = Schema.Redacted(Schema.NonEmptyString)

const common = {
  /** Records below it are not written. */
  level: Schema.optionalWith(Schema.Literal(...Log.levels), { default: () => "info" as const }),
  /** `false`: a time, a level and one line of text, for people. */
  structured: Schema.optionalWith(Schema.Boolean, { default: () => true })
}

const SmythLogSettings = Schema.Union(
  Schema.Struct({
    /** Where records go: `elasticsearch`, `otlp`, `http` (a managed server) or `file`. */
    destination: Schema.Literal("elasticsearch"),
    ...common,
    ...Delivery.settings,
    url: Schema.optionalWith(JsonHttp.BaseUrl, { default: () => "http://127.0.0.1:9200" }),
    /** Index or data stream; the server must have it, or create it by itself. */
    index: Schema.optionalWith(Schema.NonEmptyString, { default: () => "sre-logs" }),
    /** As the server shows it, encoded. */
    apiKey: Schema.optional(Secret),
    /** In place of `apiKey`, with `password`. */
    username: Schema.optional(Schema.NonEmptyString),
    /** Goes with `username`. */
    password: Schema.optional(Secret)
  }),
  Schema.Struct({
    destination: Schema.Literal("otlp"),
    ...common,
    ...Delivery.settings,
    /** Without `/v1/logs`. */
    url: Schema.optionalWith(JsonHttp.BaseUrl, { default: () => "http://127.0.0.1:4318" }),
    /** Sent with every request: what the collector wants as a key. */
    headers: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Secret }), { default: () => ({}) }),
    /** As `service.name` of all that is sent. */
    serviceName: Schema.optionalWith(Schema.NonEmptyString, { default: () => "effect-sre" })
  }),
  Schema.Struct({
    destination: Schema.Literal("http"),
    ...common,
    ...Delivery.settings,
    /** Where batches are posted: `https://host/smyth/v1/teams/<team>/log/records`. */
    url: JsonHttp.BaseUrl,
    /** API key or signed token of a candidate that the team's setting `smyth.hosts` names. */
    token: Secret
  }),
  Schema.Struct({
    destination: Schema.Literal("file"),
    ...common,
    /** Created where it is missing. Default: `log` in the folder `SRE_DATA`. One process at a time. */
    folder: Schema.optional(Schema.NonEmptyString),
    /** Of one file; then another is begun. */
    maxBytes: Schema.optionalWith(ByteSize, { default: () => 10 * 2 ** 20 }),
    /** In milliseconds. After this another file is begun. */
    maxAge: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.days(1) }),
    /** Beyond, the oldest are removed. */
    maxFiles: Schema.optionalWith(Schema.Int.pipe(Schema.greaterThan(1)), { default: () => 14 })
  })
)
type Settings = typeof SmythLogSettings.Type

export const SmythLog = Connector.make({
  name: "SmythLog",
  aliases: ["Smyth"],
  contract: Log.LogConnector,
  service: Log.layer,
  settings: SmythLogSettings,
  make: Effect.fnUntraced(function*(settings) {
    const lowest = Log.levels.indexOf(settings.level)
    const write = settings.destination === "file" ? yield* toFiles(settings) : yield* toServer(settings)
    return Log.LogConnector.of({
      level: settings.level,
      write: (records) => {
        const kept = records.filter(({ level }) => Log.levels.indexOf(level) >= lowest)
        return kept.length === 0 ? Effect.void : write(kept)
      }
    })
  })
})

const toServer = Effect.fnUntraced(function*(settings: Exclude<Settings, { readonly destination: "file" }>) {
  const post = destinations.poster("SmythLog", yield* JsonHttp.make("SmythLog", settings.timeout))
  const folder = settings.folder ?? (yield* DataFolder.config(join("log-spool", settings.destination)))
  return yield* Delivery.make({ ...settings, connector: "SmythLog", folder }, sender(post, settings))
})

const sender = (
  post: destinations.Post,
  settings: Exclude<Settings, { readonly destination: "file" }>
): Delivery.Send => {
  switch (settings.destination) {
    case "elasticsearch":
      return destinations.elasticsearch(post, settings)
    case "otlp":
      return destinations.otlp(post, settings)
    case "http":
      return destinations.http(post, settings)
  }
}

const toFiles = Effect.fnUntraced(
  function*({ folder, maxAge, maxBytes, maxFiles, structured }: Settings & { readonly destination: "file" }) {
    const files = yield* LineFiles.make("SmythLog", {
      folder: folder ?? (yield* DataFolder.config("log")),
      maxBytes,
      maxLines: Infinity,
      maxAgeMillis: Duration.toMillis(maxAge)
    })
    const print = structured ? LogLine.json : LogLine.pretty
    return Effect.fnUntraced(function*(records: ReadonlyArray<Log.LogRecord>) {
      yield* files.append(records.map(print))
      const finished = yield* files.finished
      yield* Effect.forEach(finished.slice(0, Math.max(0, finished.length + 1 - maxFiles)), files.remove, {
        discard: true
      })
    })
  }
)

/**
 * `Log` at `SRE_LOG_DESTINATION` (by default `file`), from `SRE_LOG_LEVEL`, with `SRE_LOG_URL`, `SRE_LOG_INDEX`,
 * `SRE_LOG_API_KEY` and `SRE_LOG_TOKEN`, and in `SRE_LOG_FOLDER` as far as the destination takes them.
 */
export const SmythLogLive = SmythLog.layerConfig(
  Config.mapOrFail(
    Config.all({
      destination: Config.withDefault(Config.string("SRE_LOG_DESTINATION"), "file"),
      level: Config.withDefault(Config.string("SRE_LOG_LEVEL"), undefined),
      url: Config.withDefault(Config.string("SRE_LOG_URL"), undefined),
      index: Config.withDefault(Config.string("SRE_LOG_INDEX"), undefined),
      apiKey: Config.withDefault(Config.string("SRE_LOG_API_KEY"), undefined),
      token: Config.withDefault(Config.string("SRE_LOG_TOKEN"), undefined),
      folder: Config.withDefault(Config.string("SRE_LOG_FOLDER"), undefined)
    }),
    (given) =>
      Either.mapLeft(
        ParseResult.decodeUnknownEither(SmythLogSettings)(
          Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
        ),
        (issue) =>
          ConfigError.InvalidData(
            ["SRE_LOG"],
            ParseResult.ArrayFormatter.formatIssueSync(issue).map(({ message, path }) =>
              `${path.join(".")}: ${message}`
            )
              .join("; ")
          )
      )
  )
)
