/** BudgetStore: accounts that calls are reserved on before they are made. In memory here; another store may share them. */
import { Clock, Context, Duration, Effect, Schema } from "effect"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"

/** What can be limited. `money` in US dollars, `time` of calls in milliseconds, `concurrency` in calls under way. */
export const Limited = Schema.Literal("tokens", "money", "calls", "time", "concurrency")
export type Limited = typeof Limited.Type

/** A call that would take an account beyond its limit. It was not made. */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  /** Whose budget: `agent:a1`, `user:u1`, `team:t1`, `run:<id>`. */
  scope: Schema.String,
  what: Limited,
  limit: Schema.Number,
  /** Used, and reserved by calls under way. */
  used: Schema.Number,
  /** The most the call could take. */
  asked: Schema.Number
}) {
  override get message(): string {
    const unit = {
      tokens: "tokens",
      money: "US dollars",
      calls: "calls",
      time: "ms of calls",
      concurrency: "calls at once"
    }
    return `The budget of ${this.scope} is used up: ${this.used} of ${this.limit} ${
      unit[this.what]
    } are taken, and the ` +
      `call may need ${this.asked}. Ask the operator for more, or for less in one call`
  }
}

export type Amount = { readonly [K in Exclude<Limited, "concurrency">]: number }
/** What is not there is not limited. */
export type Limits = { readonly [K in Limited]?: number | undefined } & {
  /** What is used is forgotten after this, over and over; by default never. */
  readonly per?: Duration.Duration | undefined
}

export interface Account {
  readonly scope: string
  readonly limits: Limits
}

/** A call that is under way. */
export interface Reservation {
  /** Gives back what was reserved and counts what was used. Once only. */
  readonly settle: (used: Amount) => Effect.Effect<void>
}

export class BudgetStore extends Context.Tag("effect-sre/BudgetStore")<BudgetStore, {
  /** The most a call can take, of all accounts or of none. */
  readonly reserve: (
    accounts: ReadonlyArray<Account>,
    most: Amount
  ) => Effect.Effect<Reservation, BudgetExceeded | ConnectorError>
}>() {}

interface State {
  since: number
  used: Amount
  /** By calls under way, `concurrency` of them. */
  reserved: Amount
  concurrency: number
}

const nothing: Amount = { tokens: 0, money: 0, calls: 0, time: 0 }
const kinds = ["tokens", "money", "calls", "time"] as const

/**
 * Accounts as long as the process. Of runs, and of all others, at most `maxAccounts`; beyond, the one unused for longest is
 * forgotten, but none with a call under way.
 */
export const inMemory = (maxAccounts = 100_000): Effect.Effect<typeof BudgetStore.Service> =>
  Effect.sync(() => {
    const runs = new Map<string, State>()
    const others = new Map<string, State>()

    const stateOf = ({ limits: { per }, scope }: Account, now: number): State => {
      const states = scope.startsWith("run:") ? runs : others
      const state = states.get(scope) ?? { since: now, used: nothing, reserved: nothing, concurrency: 0 }
      states.delete(scope)
      if (states.size >= maxAccounts) forgetOne(states)
      states.set(scope, state)
      if (per !== undefined && now - state.since >= Duration.toMillis(per)) {
        state.since = now
        state.used = nothing
      }
      return state
    }

    return BudgetStore.of({
      reserve: (accounts, most) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.suspend(() => {
            const states = accounts.map((account) => stateOf(account, now))
            for (const [at, account] of accounts.entries()) {
              const exceeded = beyond(account, states[at]!, most)
              if (exceeded !== undefined) return Effect.fail(exceeded)
            }
            for (const state of states) {
              state.reserved = added(state.reserved, most, 1)
              state.concurrency += 1
            }
            let settled = false
            return Effect.succeed<Reservation>({
              settle: (used) =>
                Effect.sync(() => {
                  if (settled) return
                  settled = true
                  for (const state of states) {
                    state.concurrency -= 1
                    // Exactly nothing when nothing is under way: sums of fractions are not.
                    state.reserved = state.concurrency === 0 ? nothing : added(state.reserved, most, -1)
                    state.used = added(state.used, used, 1)
                  }
                })
            })
          }))
    })
  })

/** The first limit that the call would exceed. */
const beyond = ({ limits, scope }: Account, state: State, most: Amount): BudgetExceeded | undefined => {
  for (const what of kinds) {
    const limit = limits[what]
    const used = state.used[what] + state.reserved[what]
    if (limit !== undefined && used + most[what] > limit) {
      return new BudgetExceeded({ scope, what, limit, used, asked: most[what] })
    }
  }
  return limits.concurrency !== undefined && state.concurrency + 1 > limits.concurrency
    ? new BudgetExceeded({ scope, what: "concurrency", limit: limits.concurrency, used: state.concurrency, asked: 1 })
    : undefined
}

const added = (to: Amount, amount: Amount, sign: 1 | -1): Amount => ({
  tokens: to.tokens + sign * amount.tokens,
  money: to.money + sign * amount.money,
  calls: to.calls + sign * amount.calls,
  time: to.time + sign * amount.time
})

const forgetOne = (states: Map<string, State>) => {
  for (const [scope, { concurrency }] of states) {
    if (concurrency > 0) continue
    states.delete(scope)
    return
  }
}
