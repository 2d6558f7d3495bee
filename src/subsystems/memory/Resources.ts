/** Resources: how busy this process is, sampled at an interval, as a value and as Effect metrics. */
import { Context, Duration, Effect, Layer, Metric, Ref, RuntimeFlags, Schedule } from "effect"
import { availableParallelism, freemem, totalmem } from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"

/** One sample. CPU and event loop are measured since the sample before. */
export interface Sample {
  /** Share of all cores this process used, 0 to 1. */
  readonly cpuLoad: number
  /** How late timers fired beyond the resolution of the measurement. */
  readonly eventLoopDelay: { readonly mean: Duration.Duration; readonly p99: Duration.Duration }
  readonly heapUsedBytes: number
  readonly heapTotalBytes: number
  readonly residentBytes: number
  /** Fibers that are alive, of those that began in the system. */
  readonly fibers: number
  readonly systemFreeBytes: number
  readonly systemTotalBytes: number
}

export class Resources extends Context.Tag("effect-sre/Resources")<Resources, {
  /** The latest sample; at most one interval old. */
  readonly current: Effect.Effect<Sample>
}>() {}

export const cpuLoad = Metric.gauge("sre_process_cpu_load", { description: "Share of all cores used, 0 to 1" })
export const eventLoopDelay = Metric.gauge("sre_event_loop_delay_p99_ms", { description: "99th percentile, ms" })
export const heapUsed = Metric.gauge("sre_heap_used_bytes")
export const resident = Metric.gauge("sre_resident_bytes")
export const fibers = Metric.gauge("sre_fibers", { description: "Fibers that are alive" })

/** Has Effect count its fibers, besides: `effect_fiber_active` and its like among the metrics. */
export const layer = (interval: Duration.DurationInput = "5 seconds"): Layer.Layer<Resources> =>
  Layer.merge(
    RuntimeFlags.enableRuntimeMetrics,
    Layer.scoped(
      Resources,
      Effect.gen(function*() {
        const { sample } = yield* sampler
        const latest = yield* Ref.make(yield* sample)
        yield* Effect.flatMap(sample, (next) => Ref.set(latest, next)).pipe(
          Effect.schedule(Schedule.spaced(interval)),
          Effect.forkScoped
        )
        return Resources.of({ current: Ref.get(latest) })
      })
    )
  )

const resolutionMillis = 20

/** Takes a sample and sets the gauges; the first one covers the time since the process started. */
const sampler = Effect.gen(function*() {
  const histogram = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = monitorEventLoopDelay({ resolution: resolutionMillis })
      started.enable()
      return started
    }),
    (started) => Effect.sync(() => started.disable())
  )
  let before = { cpu: { user: 0, system: 0 }, uptime: 0 }

  const measure = Effect.map(Metric.value(Metric.fiberActive), ({ count }): Sample => {
    const now = { cpu: process.cpuUsage(), uptime: process.uptime() }
    const cpuMicros = now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system
    const elapsedMicros = Math.max(1, (now.uptime - before.uptime) * 1e6)
    const memory = process.memoryUsage()
    const sample = {
      cpuLoad: Math.min(1, cpuMicros / elapsedMicros / availableParallelism()),
      eventLoopDelay: { mean: lateness(histogram.mean), p99: lateness(histogram.percentile(99)) },
      heapUsedBytes: memory.heapUsed,
      heapTotalBytes: memory.heapTotal,
      residentBytes: memory.rss,
      fibers: count,
      systemFreeBytes: freemem(),
      systemTotalBytes: totalmem()
    }
    histogram.reset()
    before = now
    return sample
  })

  const sample = Effect.tap(measure, (sample) =>
    Effect.all([
      Metric.set(cpuLoad, sample.cpuLoad),
      Metric.set(eventLoopDelay, Duration.toMillis(sample.eventLoopDelay.p99)),
      Metric.set(heapUsed, sample.heapUsedBytes),
      Metric.set(resident, sample.residentBytes),
      Metric.set(fibers, sample.fibers)
    ], { discard: true }))
  return { sample }
})

/** The histogram counts the interval of its own timer as well, and is not a number before its first tick. */
const lateness = (nanos: number) =>
  Duration.millis(Math.max(0, (Number.isFinite(nanos) ? nanos / 1e6 : 0) - resolutionMillis))
