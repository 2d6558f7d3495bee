import { NullTelemetry } from "../../../src/connectors/telemetry/NullTelemetry.ts"
import { suite } from "../../../src/testing/conformance/telemetry.ts"

suite("NullTelemetry", { connector: NullTelemetry.contract({}) })
