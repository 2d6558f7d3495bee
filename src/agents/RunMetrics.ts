/** The process table as Effect metrics, sampled at an interval: a run costs nothing more for being counted. */
import { Effect, Metric, Schedule } from "effect"
import type { Counts } from "./AgentRequests.ts"

export const gauges = {
  agents: Metric.gauge("sre_agents", { description: "Agents that are loaded" }),
  running: Metric.gauge("sre_runs_running", { description: "Runs under way" }),
  queued: Metric.gauge("sre_runs_queued", { description: "Runs that wait for a place" }),
  paused: Metric.gauge("sre_runs_paused", { description: "Runs that are held" }),
  jobs: Metric.gauge("sre_jobs", { description: "Background jobs, also those that are held" })
}

const set = (counts: Counts) =>
  Effect.all([
    Metric.set(gauges.agents, counts.agents),
    Metric.set(gauges.running, counts.running),
    Metric.set(gauges.queued, counts.queued),
    Metric.set(gauges.paused, counts.paused),
    Metric.set(gauges.jobs, counts.jobs)
  ], { discard: true })

/** For as long as the scope. */
export const sampled = (counts: Effect.Effect<Counts>) =>
  Effect.flatMap(counts, set).pipe(Effect.repeat(Schedule.spaced("5 seconds")), Effect.forkScoped)
