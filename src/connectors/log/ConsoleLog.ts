/** Log on the console: one line a record on standard error, so that results on standard output stay clean. */
import { Config, Console, DateTime, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { format } from "../../security/Candidate.ts"
import * as Log from "../../subsystems/io/Log.ts"

const ConsoleLogSettings = Schema.Struct({
  /** Records below it are not written. */
  level: Schema.optionalWith(Schema.Literal(...Log.levels), { default: () => "info" as const }),
  /** `json`: one object a line, for collectors. */
  format: Schema.optionalWith(Schema.Literal("pretty", "json"), { default: () => "pretty" as const })
})

export const ConsoleLog = Connector.make({
  name: "ConsoleLog",
  aliases: ["Console"],
  contract: Log.LogConnector,
  service: Log.layer,
  settings: ConsoleLogSettings,
  make: (settings) => {
    const lowest = Log.levels.indexOf(settings.level)
    const print = settings.format === "json" ? json : pretty
    return Effect.succeed(Log.LogConnector.of({
      level: settings.level,
      write: (records) =>
        Effect.forEach(
          records.filter(({ level }) => Log.levels.indexOf(level) >= lowest),
          (record) => Console.error(print(record)),
          { discard: true }
        )
    }))
  }
})

/** `Log` on the console, from the level in `LOG_LEVEL`, in the format of `LOG_FORMAT`. */
export const ConsoleLogLive = ConsoleLog.layerConfig({
  level: Config.withDefault(Config.literal(...Log.levels)("LOG_LEVEL"), "info"),
  format: Config.withDefault(Config.literal("pretty", "json")("LOG_FORMAT"), "pretty")
})

const json = ({ candidate, time, ...record }: Log.LogRecord): string =>
  oneLine(JSON.stringify({
    time: DateTime.formatIso(DateTime.unsafeMake(time)),
    candidate: candidate === undefined ? undefined : format(candidate),
    ...record
  }))

const pretty = ({ candidate, error, input, output, time, ...record }: Log.LogRecord): string =>
  oneLine(
    [
      DateTime.formatIso(DateTime.unsafeMake(time)),
      record.level.toUpperCase().padEnd(7),
      candidate === undefined ? "-" : format(candidate),
      record.runId,
      record.componentId,
      record.kind === "audit" ? `audit: ${record.message}` : record.message,
      ...Object.entries({ input, output, error })
        .flatMap(([name, text]) => text === undefined ? [] : [`${name}=${text}`])
    ].filter((part) => part !== undefined).join(" ")
  )

/** What a tenant logs cannot start a line of its own nor steer the terminal. */
const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029]/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`)
