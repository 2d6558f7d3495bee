/** How the process is, and what it answers. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import { Duration, Effect, Metric, Option } from "effect"
import { Agents } from "../../agents/Agents.ts"
import * as Candidate from "../../security/Candidate.ts"
import { Resources } from "../../subsystems/memory/Resources.ts"
import { Api } from "../Api.ts"
import * as Prometheus from "../Prometheus.ts"

export const layer = HttpApiBuilder.group(Api, "system", (handlers) =>
  Effect.gen(function*() {
    const agents = yield* Agents
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
            residentBytes: now.residentBytes,
            fibers: now.fibers
          }
        }))
    })
    // How many runs there are is no tenant's secret: nobody has to be known to ask.
    const counts = Effect.orDie(Candidate.as(agents.counts, Candidate.anyone))
    return handlers
      .handle("health", () => Effect.zipWith(counts, sample, (runs, more) => ({ status: "live", runs, ...more })))
      .handle("ready", () => Effect.succeed({ status: "ready" }))
      .handleRaw("metrics", () =>
        Effect.map(Metric.snapshot, (metrics) =>
          HttpServerResponse.raw(Prometheus.text(metrics), { contentType: Prometheus.contentType })))
      .handle("document", () =>
        document)
  }))
