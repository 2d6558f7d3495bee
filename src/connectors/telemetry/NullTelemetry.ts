/** Telemetry that collects nothing: the embedded default. */
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Telemetry from "../../subsystems/io/Telemetry.ts"

export const NullTelemetry = Connector.make({
  name: "NullTelemetry",
  aliases: ["Null"],
  contract: Telemetry.TelemetryConnector,
  service: Telemetry.layer,
  settings: Schema.Struct({}),
  make: () => Effect.succeed({ metrics: false, contents: false, tracer: undefined, logger: undefined })
})
