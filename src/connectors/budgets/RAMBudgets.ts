/** Accounts of budgets in this process's memory: gone when it ends, bounded. */
import { Clock, Duration, Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as BudgetStore from "../../subsystems/llm/BudgetStore.ts"

const RAMBudgetsSettings = Schema.Struct({
  /** Of runs, and of all others; beyond, the one unused for longest is forgotten, but none with a call under way. */
  maxAccounts: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 100_000 })
})

export const RAMBudgets = Connector.make({
  name: "RAM",
  aliases: ["RAMBudgets"],
  contract: BudgetStore.BudgetStoreConnector,
  service: BudgetStore.layer,
  settings: RAMBudgetsSettings,
  make: ({ maxAccounts }) =>
    Effect.sync(() => {
      const runs = new Map<string, State>()
      const others = new Map<string, State>()
      const statesOf = (scope: string) => scope.startsWith("run:") ? runs : others

      const stateOf = ({ limits: { per }, scope }: BudgetStore.Account, now: number): State => {
        const states = statesOf(scope)
        const state = states.get(scope) ?? { since: now, used: BudgetStore.nothing, underWay: new Map() }
        states.delete(scope)
        if (states.size >= maxAccounts) forgetOne(states)
        states.set(scope, state)
        if (per !== undefined && now - state.since >= Duration.toMillis(per)) {
          state.since = now
          state.used = BudgetStore.nothing
        }
        return state
      }

      return BudgetStore.BudgetStoreConnector.of({
        reserve: (id, accounts, most) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const states = accounts.map((account) => stateOf(account, now))
            for (const [at, account] of accounts.entries()) {
              const exceeded = states[at]!.underWay.has(id) ? undefined : beyond(account, states[at]!, most)
              if (exceeded !== undefined) return Effect.fail(exceeded)
            }
            for (const { underWay } of states) underWay.set(id, most)
            return Effect.void
          }),
        settle: (id, accounts, used) =>
          Effect.sync(() => {
            for (const { scope } of accounts) {
              const state = statesOf(scope).get(scope)
              if (state?.underWay.delete(id) === true) state.used = sum([state.used, used])
            }
          }),
        renew: () => Effect.void,
        lease: Option.none()
      })
    })
})

/** `BudgetStore` in memory, for 100 000 accounts. */
export const RAMBudgetsLive = RAMBudgets.layer({})

interface State {
  since: number
  used: BudgetStore.Amount
  /** What is reserved, by call. */
  readonly underWay: Map<string, BudgetStore.Amount>
}

/** The first limit that the call would exceed. */
const beyond = ({ limits, scope }: BudgetStore.Account, { underWay, used }: State, most: BudgetStore.Amount) => {
  const taken = sum([used, ...underWay.values()])
  for (const what of BudgetStore.kinds) {
    const limit = limits[what]
    if (limit !== undefined && taken[what] + most[what] > limit) {
      return new BudgetStore.BudgetExceeded({ scope, what, limit, used: taken[what], asked: most[what] })
    }
  }
  const { concurrency: limit } = limits
  return limit !== undefined && underWay.size + 1 > limit
    ? new BudgetStore.BudgetExceeded({ scope, what: "concurrency", limit, used: underWay.size, asked: 1 })
    : undefined
}

const sum = (amounts: Iterable<BudgetStore.Amount>): BudgetStore.Amount => {
  const total = { ...BudgetStore.nothing }
  for (const amount of amounts) for (const what of BudgetStore.kinds) total[what] += amount[what]
  return total
}

const forgetOne = (states: Map<string, State>) => {
  for (const [scope, { underWay }] of states) {
    if (underWay.size > 0) continue
    states.delete(scope)
    return
  }
}
