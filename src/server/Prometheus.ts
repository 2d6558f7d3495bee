/** This process's own metrics as text: https://prometheus.io/docs/instrumenting/exposition_formats/ */
import { type MetricPair, MetricState, Option } from "effect"

export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/**
 * Gauges and counters of this system that carry no tags: tags name agents, models and who uses them, and nobody has to be
 * known to ask for this page. All metrics go out by telemetry.
 */
export const text = (metrics: ReadonlyArray<MetricPair.MetricPair.Untyped>): string =>
  metrics.flatMap(({ metricKey: { description, name, tags }, metricState }) => {
    const [type, value] = MetricState.isGaugeState(metricState)
      ? ["gauge", metricState.value]
      : MetricState.isCounterState(metricState)
      ? ["counter", metricState.count]
      : []
    if (value === undefined || !name.startsWith("sre_") || tags.length > 0) return []
    const help = Option.map(
      description,
      (words) => `# HELP ${name} ${words.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`
    )
    return [...Option.toArray(help), `# TYPE ${name} ${type}`, `${name} ${value}`]
  }).map((line) => `${line}\n`).join("")
