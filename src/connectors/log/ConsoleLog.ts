/** Log on the console: one line a record on standard error, so that results on standard output stay clean. */
import { Config, Console, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Log from "../../subsystems/io/Log.ts"
import * as LogLine from "./LogLine.ts"

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
    const print = settings.format === "json" ? LogLine.json : LogLine.pretty
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
