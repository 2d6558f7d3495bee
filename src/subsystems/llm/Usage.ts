/**
 * Usage: who used how many tokens of which model, and what they cost. The services that ask models record it; whoever bills
 * asks {@link Usage}, whoever watches listens to {@link UsageFeed}.
 */
import { Context, Effect, Layer, Metric, PubSub, Stream } from "effect"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import { costOf, type Prices, sumOfUnits, type Units } from "./Prices.ts"
import type { Usage as Tokens } from "./Prompt.ts"

export type { Usage as Tokens } from "./Prompt.ts"

/** On whose behalf models are asked, beside the candidate: travels with whatever is run with it. */
export class Origin extends Context.Reference<Origin>()("effect-sre/UsageOrigin", {
  defaultValue: (): { readonly run: string | undefined } => ({ run: undefined })
}) {}

/** Counts and limits what the effect asks of models as part of the run, whatever it starts. */
export const inRun = (run: string) => Effect.provideService(Origin, { run })

/** One call, as the service that made it knows it. */
export interface UsageRecord {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly candidate: Candidate.Candidate
  /** Name in the models registry. */
  readonly model: string
  readonly provider: string
  readonly kind: Kind
  readonly usage: Tokens
  /** Where it is billed by more than tokens. */
  readonly units?: Units | undefined
  readonly prices?: Prices | undefined
}

/** What the model was asked to do. */
export type Kind = "text" | "embeddings" | "images" | "speech" | "transcription"

/** One call, as it is kept. */
export interface Spent extends Omit<UsageRecord, "prices"> {
  /** US dollars; none where nobody knows what the model costs. */
  readonly cost: number | undefined
  /** The call from outside that caused it, with every nested run. */
  readonly run: string | undefined
  readonly teams: ReadonlyArray<string>
}

export interface Total {
  readonly model: string
  readonly provider: string
  readonly calls: number
  readonly usage: Tokens
  readonly units: Units
  /** US dollars, without the calls of which nobody knows. */
  readonly cost: number
  readonly unpricedCalls: number
}

export interface Query {
  /** Milliseconds since 1970; calls from then on. */
  readonly from?: number | undefined
  /** Calls before then. */
  readonly to?: number | undefined
  readonly run?: string | undefined
  readonly model?: string | undefined
  readonly kind?: Kind | undefined
  /** Of a team's calls, those of this member. */
  readonly candidate?: Candidate.Candidate | undefined
}

/** Where usage is recorded. Nowhere, unless {@link layer} or another sink is provided. */
export class UsageSink extends Context.Reference<UsageSink>()("effect-sre/UsageSink", {
  defaultValue: (): (record: UsageRecord) => Effect.Effect<void> => () => Effect.void
}) {}

export class Usage extends Context.Tag("effect-sre/Usage")<Usage, {
  /** What the asker used since the system started, by model. */
  readonly totals: Effect.Effect<ReadonlyArray<Total>, Candidate.NoCandidate>
  /** Of the latest calls: the asker's own, or all of the team that asks; by model. */
  readonly query: (query: Query) => Effect.Effect<ReadonlyArray<Total>, Candidate.NoCandidate>
}>() {}

/** Everybody's usage as it happens, for the operator; a subscriber that is slow loses the oldest. */
export class UsageFeed extends Context.Tag("effect-sre/UsageFeed")<UsageFeed, Stream.Stream<Spent>>() {}

export interface Options {
  /** Pairs of candidate and model with a total; beyond, the pair unused for longest is dropped. Default 10 000. */
  readonly maxTotals?: number
  /** Calls that can be asked for by time; beyond, the oldest are dropped. Default 100 000. */
  readonly maxCalls?: number
}

export const make = ({ maxCalls = 100_000, maxTotals = 10_000 }: Options = {}) =>
  Effect.gen(function*() {
    const guard = yield* Access.guard("Usage")
    const teamsOf = yield* Access.Teams
    const published = yield* PubSub.sliding<Spent>(1024)
    const totals = new Map<string, Total>()
    const calls: Array<Spent> = []

    const keep = (call: Spent) => {
      const key = keyOf(call.candidate, call.model)
      const total = plus(totals.get(key), call)
      totals.delete(key)
      totals.set(key, total)
      const oldest = totals.size > maxTotals ? totals.keys().next().value : undefined
      if (oldest !== undefined) totals.delete(oldest)
      calls.push(call)
      // Many at once: to drop the first of a list moves all others.
      if (calls.length > maxCalls * 1.1 + 1) calls.splice(0, calls.length - maxCalls)
    }

    const record = Effect.fnUntraced(function*({ prices, ...call }: UsageRecord) {
      const { run } = yield* Origin
      // Who is billed is known; of which team matters less than that the call is counted.
      const teams = yield* Effect.orElseSucceed(teamsOf(call.candidate), (): ReadonlyArray<string> => [])
      const cost = prices === undefined ? undefined : costOf(prices, call.usage, call.units)
      const spent = { ...call, cost, run, teams }
      keep(spent)
      if (cost !== undefined) yield* Metric.incrementBy(dollarsOf(call.provider), cost)
      yield* PubSub.publish(published, spent)
    })

    return {
      record,
      feed: Stream.fromPubSub(published),
      usage: Usage.of({
        totals: traced("Usage.totals")(Effect.map(guard.candidate("totals"), (candidate) =>
          Array.from(totals).filter(([key]) =>
            key.startsWith(keyOf(candidate, ""))
          ).map(([, total]) => total))),
        query: Effect.fnUntraced(function*(query) {
          const asker = yield* guard.candidate("query")
          const sums = new Map<string, Total>()
          for (const call of calls.slice(-maxCalls)) {
            if (isSeenBy(asker, call) && matches(query, call)) {
              sums.set(call.model, plus(sums.get(call.model), call))
            }
          }
          return Array.from(sums.values())
        }, traced("Usage.query"))
      })
    }
  })

/** What is recorded, and where. */
export const layer: Layer.Layer<Usage | UsageFeed | UsageSink> = Layer.effectContext(
  Effect.map(
    make(),
    ({ feed, record, usage }) =>
      Context.make(Usage, usage).pipe(Context.add(UsageFeed, feed), Context.add(UsageSink, record))
  )
)

const dollars = Metric.counter("sre_llm_cost_usd", {
  description: "What calls of models cost, in US dollars, as far as their prices are known",
  incremental: true
})

/** One of each connector: to make a metric costs more than to count with it. */
const dollarsOf = (provider: string) => {
  const known = counters.get(provider) ?? Metric.tagged(dollars, "provider", provider)
  counters.set(provider, known)
  return known
}
const counters = new Map<string, typeof dollars>()

const isSeenBy = (asker: Candidate.Candidate, { candidate, teams }: Spent): boolean =>
  isSame(asker, candidate) || (asker.role === "team" && teams.includes(asker.id))

const matches = ({ candidate, from = -Infinity, kind, model, run, to = Infinity }: Query, call: Spent): boolean =>
  call.time >= from && call.time < to && (run === undefined || call.run === run) &&
  (model === undefined || call.model === model) && (kind === undefined || call.kind === kind) &&
  (candidate === undefined || isSame(candidate, call.candidate))

const isSame = (one: Candidate.Candidate, other: Candidate.Candidate) => one.role === other.role && one.id === other.id

const plus = (total: Total | undefined, { cost, model, provider, units = {}, usage }: Spent): Total => ({
  model,
  provider,
  calls: (total?.calls ?? 0) + 1,
  usage: sum(total?.usage ?? zero, usage),
  units: sumOfUnits(total?.units ?? {}, units),
  cost: (total?.cost ?? 0) + (cost ?? 0),
  unpricedCalls: (total?.unpricedCalls ?? 0) + (cost === undefined ? 1 : 0)
})

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

/** All that a call read and wrote, in whatever class it was billed. */
export const tokensOf = (usage: Tokens): number =>
  usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens + usage.outputTokens

/** A space cannot be part of a candidate's id. */
const keyOf = (candidate: Candidate.Candidate, model: string) => `${Candidate.format(candidate)} ${model}`
