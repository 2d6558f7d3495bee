/** Usage: who used how many tokens of which model. The LLM service records, whoever bills or budgets listens. */
import { Context, Effect, Layer, PubSub, Stream } from "effect"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import type { Usage as Tokens } from "./Prompt.ts"

export type { Usage as Tokens } from "./Prompt.ts"

export interface UsageRecord {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly candidate: Candidate.Candidate
  /** Name in the models registry. */
  readonly model: string
  readonly provider: string
  readonly usage: Tokens
}

export interface Total {
  readonly model: string
  readonly provider: string
  readonly calls: number
  readonly usage: Tokens
}

/** Where usage is recorded. Nowhere, unless {@link layer} or another sink is provided. */
export class UsageSink extends Context.Reference<UsageSink>()("effect-sre/UsageSink", {
  defaultValue: (): (record: UsageRecord) => Effect.Effect<void> => () => Effect.void
}) {}

export class Usage extends Context.Tag("effect-sre/Usage")<Usage, {
  /** What the asker used since the system started, by model. */
  readonly totals: Effect.Effect<ReadonlyArray<Total>, Candidate.NoCandidate>
  /** Everybody's usage as it happens, for the operator; a subscriber that is slow loses the oldest. */
  readonly changes: Stream.Stream<UsageRecord>
}>() {}

/** Keeps totals of at most `maxTotals` pairs of candidate and model; beyond, the pair unused for longest is dropped. */
export const make = (maxTotals = 10_000) =>
  Effect.gen(function*() {
    const guard = yield* Access.guard("Usage")
    const published = yield* PubSub.sliding<UsageRecord>(1024)
    const totals = new Map<string, Total>()

    const add = ({ candidate, model, provider, usage }: UsageRecord) =>
      Effect.sync(() => {
        const key = keyOf(candidate, model)
        const old = totals.get(key)
        totals.delete(key)
        totals.set(key, { model, provider, calls: (old?.calls ?? 0) + 1, usage: sum(old?.usage ?? zero, usage) })
        const oldest = totals.size > maxTotals ? totals.keys().next().value : undefined
        if (oldest !== undefined) totals.delete(oldest)
      })

    return {
      record: (record: UsageRecord) => Effect.zipRight(add(record), PubSub.publish(published, record)),
      usage: Usage.of({
        totals: traced("Usage.totals")(Effect.flatMap(guard.candidate("totals"), (candidate) =>
          Effect.sync(() =>
            Array.from(totals).filter(([key]) =>
              key.startsWith(keyOf(candidate, ""))
            ).map(([, total]) => total)
          ))),
        changes: Stream.fromPubSub(published)
      })
    }
  })

/** The sink and what it keeps. */
export const layer: Layer.Layer<Usage | UsageSink> = Layer.effectContext(
  Effect.map(make(), ({ record, usage }) =>
    Context.make(Usage, usage).pipe(
      Context.add(UsageSink, (one: UsageRecord) => Effect.asVoid(record(one)))
    ))
)

export const zero: Tokens = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0
}

export const sum = (a: Tokens, b: Tokens): Tokens => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  reasoningTokens: a.reasoningTokens + b.reasoningTokens
})

/** A space cannot be part of a candidate's id. */
const keyOf = (candidate: Candidate.Candidate, model: string) => `${Candidate.format(candidate)} ${model}`
