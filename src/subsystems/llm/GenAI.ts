/**
 * What calls of models tell telemetry, by the names OpenTelemetry has for generative AI:
 * https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and …/gen-ai-metrics/
 */
import { Clock, Effect, Metric, MetricBoundaries, Stream } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import { isTraced } from "../../kernel/Trace.ts"
import type { Collected } from "../io/Telemetry.ts"
import type { FinishReason, LLMEvent, Message, Parameters, Usage } from "./Prompt.ts"

export interface Call {
  readonly provider: string
  /** As the caller named it. */
  readonly requested: string
  /** The provider's own name of the model that answers. */
  readonly modelId: string
  /** A model of a tenant's own: its name is not one of a few, so metrics leave it out. */
  readonly isCustom: boolean
  readonly request: Parameters & { readonly messages: ReadonlyArray<Message> }
}

/** The answer, in a span and counted. As it was, while nobody collects. */
export const observed = (
  call: Call,
  answer: Stream.Stream<LLMEvent, ConnectorError>,
  collected: Collected
): Effect.Effect<Stream.Stream<LLMEvent, ConnectorError>> =>
  Effect.map(isTraced, (traced) => {
    if (!traced && !collected.metrics) return answer
    const counted = collected.metrics ? timed(call, answer) : answer
    return traced
      ? Stream.withSpan(
        Stream.suspend(() => described(counted, collected.contents)),
        `${operation} ${call.requested}`,
        { kind: "client", attributes: requestAttributes(call, collected.contents), captureStackTrace: false }
      )
      : counted
  })

const operation = "chat"

/** What is known only with the answer is added to the span when it is there. */
const described = (answer: Stream.Stream<LLMEvent, ConnectorError>, contents: boolean) => {
  const text: Array<string> = []
  return answer.pipe(
    Stream.tap((event) => {
      if (contents && event.type === "text") text.push(event.delta)
      return event.type === "usage"
        ? Effect.annotateCurrentSpan(usageAttributes(event.usage))
        : event.type === "finish"
        ? Effect.annotateCurrentSpan({
          "gen_ai.response.finish_reasons": [finishReason(event.reason)],
          ...(contents
            ? { "gen_ai.output.messages": JSON.stringify([{ role: "assistant", content: text.join("") }]) }
            : {})
        })
        : Effect.void
    }),
    Stream.tapError(({ reason }) => Effect.annotateCurrentSpan("error.type", reason))
  )
}

const requestAttributes = ({ modelId, provider, request, requested }: Call, contents: boolean) =>
  known({
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": providerName(provider),
    "gen_ai.request.model": requested,
    "gen_ai.response.model": modelId,
    "gen_ai.output.type": request.responseFormat,
    "gen_ai.request.max_tokens": request.maxTokens,
    "gen_ai.request.temperature": request.temperature,
    "gen_ai.request.top_p": request.topP,
    "gen_ai.request.top_k": request.topK,
    "gen_ai.request.frequency_penalty": request.frequencyPenalty,
    "gen_ai.request.presence_penalty": request.presencePenalty,
    "gen_ai.request.stop_sequences": request.stopSequences,
    "gen_ai.input.messages": contents ? JSON.stringify(request.messages) : undefined
  })

/** Input counts all that was read, also from the provider's cache. */
const inputTokens = ({ cacheReadTokens, cacheWriteTokens, inputTokens }: Usage) =>
  inputTokens + cacheReadTokens + cacheWriteTokens

const usageAttributes = (usage: Usage) => ({
  "gen_ai.usage.input_tokens": inputTokens(usage),
  "gen_ai.usage.output_tokens": usage.outputTokens,
  "gen_ai.usage.cache_read.input_tokens": usage.cacheReadTokens,
  "gen_ai.usage.cache_creation.input_tokens": usage.cacheWriteTokens
})

const finishReason = (reason: FinishReason) =>
  reason === "tool-calls" ? "tool_call" : reason === "content-filter" ? "content_filter" : reason

/** The well-known names; others are their own in lower case. */
const providerName = (provider: string): string => {
  const name = provider.toLowerCase()
  return providerNames[name] ?? name
}
const providerNames: Readonly<Record<string, string>> = {
  bedrock: "aws.bedrock",
  googleai: "gcp.gemini",
  vertexai: "gcp.vertex_ai",
  xai: "x_ai"
}

/* ------------------------------------------------------------------------------------------------------------------
 * Metrics
 * ---------------------------------------------------------------------------------------------------------------- */

const powers = (base: number, first: number, count: number) =>
  MetricBoundaries.fromIterable(Array.from({ length: count }, (_, n) => first * base ** n))

const tokenUsage = Metric.tagged(
  Metric.histogram("gen_ai.client.token.usage", powers(4, 1, 14), "Tokens of a call of a model"),
  "unit",
  "{token}"
)
const duration = Metric.tagged(
  Metric.histogram("gen_ai.client.operation.duration", powers(2, 0.01, 14), "How long a call of a model takes"),
  "unit",
  "s"
)

const timed = (call: Call, answer: Stream.Stream<LLMEvent, ConnectorError>) =>
  Stream.unwrapScoped(Effect.gen(function*() {
    const started = yield* Clock.currentTimeMillis
    const tags = known({
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": providerName(call.provider),
      "gen_ai.request.model": call.isCustom ? undefined : call.requested,
      "gen_ai.response.model": call.isCustom ? undefined : call.modelId
    }) as Record<string, string>
    let failure: string | undefined
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Metric.update(
          tagged(duration, failure === undefined ? tags : { ...tags, "error.type": failure }),
          (now - started) / 1000
        ))
    )
    const count = (type: "input" | "output", tokens: number) =>
      Metric.update(tagged(tokenUsage, { ...tags, "gen_ai.token.type": type }), tokens)
    return answer.pipe(
      Stream.tap((event) =>
        event.type === "usage"
          ? Effect.zipRight(count("input", inputTokens(event.usage)), count("output", event.usage.outputTokens))
          : Effect.void
      ),
      Stream.tapError(({ reason }) => Effect.sync(() => (failure = reason)))
    )
  }))

const tagged = (metric: typeof duration, tags: Readonly<Record<string, string>>) =>
  Object.entries(tags).reduce((all, [name, value]) => Metric.tagged(all, name, value), metric)

const known = (attributes: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
