/** How the process is, and what it answers. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as OpenApi from "@effect/platform/OpenApi"
import { Duration, Effect, Option } from "effect"
import { Resources } from "../../subsystems/memory/Resources.ts"
import { Api } from "../Api.ts"

export const layer = HttpApiBuilder.group(Api, "system", (handlers) =>
  Effect.gen(function*() {
    const resources = yield* Effect.serviceOption(Resources)
    const document = yield* Effect.cached(Effect.sync(() => ({ ...OpenApi.fromApi(Api) })))
    const sample = Option.match(resources, {
      onNone: () => Effect.succeed({}),
      onSome: ({ current }) =>
        Effect.map(current, (now) => ({
          resources: {
            cpuLoad: now.cpuLoad,
            eventLoopDelayMillis: Duration.toMillis(now.eventLoopDelay.p99),
            heapUsedBytes: now.heapUsedBytes,
            residentBytes: now.residentBytes
          }
        }))
    })
    return handlers
      .handle("health", () => Effect.map(sample, (more) => ({ status: "live", ...more })))
      .handle("ready", () => Effect.succeed({ status: "ready" }))
      .handle("document", () => document)
  }))
