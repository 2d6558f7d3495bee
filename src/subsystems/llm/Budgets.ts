/**
 * Budgets: how much of the models candidates, agents, teams and runs may use. The most a call can take is reserved before it
 * is made and settled when it is over, so that no number of calls at once exceeds a limit.
 */
import { Clock, Duration, Effect, Schema, type Scope } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Access from "../../security/Access.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as BudgetStore from "./BudgetStore.ts"
import { type Admitted, type Call, unlimited } from "./Governor.ts"
import * as Prices from "./Prices.ts"
import * as Usage from "./Usage.ts"

export { BudgetExceeded, BudgetStore } from "./BudgetStore.ts"

const amount = Schema.optional(Schema.Number.pipe(Schema.finite(), Schema.nonNegative()))

const Limits = Schema.Struct({
  tokens: amount,
  /** US dollars, by the prices of the models registry. A model without prices cannot be asked within such a limit. */
  money: amount,
  calls: amount,
  /** Spent in calls, all together; milliseconds. */
  time: amount,
  /** Calls at once. */
  concurrency: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Milliseconds after which what was used is forgotten, over and over: a budget for a day. Default: never. */
  per: Schema.optional(Schema.DurationFromMillis)
})

export const Settings = Schema.Struct({
  /** Of each user, agent, team, and of each run with the runs it causes. Calls of an agent count for its team, too. */
  user: Schema.optional(Limits),
  agent: Schema.optional(Limits),
  team: Schema.optional(Limits),
  run: Schema.optional(Limits),
  /** Of one, instead of what is said of all of its kind: `agent:a1`. */
  of: Schema.optional(
    Schema.Record({ key: Schema.String.pipe(Schema.pattern(/^(user|agent|team|public):./)), value: Limits })
  ),
  /** A call ends after this where its time is limited: what is reserved for it. Default 5 minutes. */
  longestCall: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(5) })
})
export type Settings = typeof Settings.Type

/** Lets calls through that are within the budgets. */
export const make = (settings: Settings): Effect.Effect<Admit, never, BudgetStore.BudgetStore> =>
  Effect.gen(function*() {
    const store = yield* BudgetStore.BudgetStore
    const teamsOf = yield* Access.Teams

    const accountOf = (kind: "user" | "agent" | "team" | "run", scope: string): ReadonlyArray<BudgetStore.Account> => {
      const limits = settings.of?.[scope] ?? settings[kind]
      return limits === undefined ? [] : [{ scope, limits }]
    }

    const accountsOf = Effect.fnUntraced(function*(candidate: Candidate.Candidate) {
      const { run } = yield* Usage.Origin
      const who = Candidate.format(candidate)
      const teams = (yield* teamsOf(candidate)).map((id) => `team:${id}`).filter((team) => team !== who)
      return [
        ...(run === undefined ? [] : accountOf("run", `run:${run}`)),
        ...accountOf(candidate.role === "public" ? "user" : candidate.role, who),
        ...teams.flatMap((team) => accountOf("team", team))
      ]
    })

    return Effect.fnUntraced(function*(call) {
      const accounts = yield* accountsOf(call.candidate)
      if (accounts.length === 0) return unlimited
      const { prices } = call.model
      const limiting = (what: BudgetStore.Limited) => accounts.find(({ limits }) => limits[what] !== undefined)
      const [money, time] = [limiting("money"), limiting("time")]
      if (money !== undefined && prices === undefined) return yield* unpriced(call, money.scope)
      const { inputTokens, outputTokens, units } = yield* call.most
      const most: BudgetStore.Amount = {
        tokens: inputTokens + outputTokens,
        money: prices === undefined ? 0 : Prices.mostFor(prices, inputTokens, outputTokens, units),
        calls: 1,
        time: time === undefined ? 0 : Duration.toMillis(settings.longestCall)
      }

      let told: { readonly tokens: number; readonly money: number } | undefined
      let isRefused = false
      const started = yield* Clock.currentTimeMillis
      const used = Effect.map(Clock.currentTimeMillis, (now): BudgetStore.Amount => ({
        ...(told ?? (isRefused ? BudgetStore.nothing : most)),
        calls: 1,
        time: now - started
      }))
      yield* store.reserve(accounts, most, used)
      return {
        used: (usage, units) =>
          Effect.sync(() => {
            told = {
              tokens: (told?.tokens ?? 0) + Math.max(0, Usage.tokensOf(usage)),
              money: (told?.money ?? 0) + (prices === undefined ? 0 : Math.max(0, Prices.costOf(prices, usage, units)))
            }
          }),
        failed: ({ reason }) =>
          Effect.sync(() => {
            isRefused = reason !== undefined && refusals.has(reason)
          }),
        deadline: time === undefined ? undefined : deadline(settings.longestCall, time.scope),
        limitsTokens: money !== undefined || limiting("tokens") !== undefined
      }
    })
  })

export type Admit = (
  call: Call
) => Effect.Effect<Admitted, BudgetStore.BudgetExceeded | ConnectorError, Scope.Scope>

/** The provider did not answer, and does not bill what it refuses. */
const refusals: ReadonlySet<ConnectorError["reason"]> = new Set([
  "InvalidInput",
  "NotFound",
  "RateLimited",
  "Unauthorized",
  "Unsupported"
])

const deadline = (after: Duration.Duration, scope: string) => {
  const limit = Duration.toMillis(after)
  return {
    after,
    exceeded: new BudgetStore.BudgetExceeded({ scope, what: "time", limit, used: limit, asked: limit })
  }
}

const unpriced = ({ method, model, service }: Call, scope: string) =>
  Effect.fail(
    new ConnectorError({
      connector: service,
      method,
      reason: "Unsupported",
      detail:
        `the money of ${scope} is limited, and nobody knows what "${model.name}" costs: enter its prices in the ` +
        "models registry"
    })
  )
