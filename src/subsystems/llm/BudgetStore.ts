/**
 * BudgetStore: accounts that calls are reserved on before they are made. Budgets ask {@link BudgetStore}, connectors implement
 * {@link BudgetStoreConnector}: for one process, or shared by many. The host's own: no candidate asks for it.
 */
import { Context, Duration, Effect, Layer, Option, Schedule, Schema, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { type ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"

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

export const nothing: Amount = { tokens: 0, money: 0, calls: 0, time: 0 }
/** In the order in which they are judged. */
export const kinds = ["tokens", "money", "calls", "time"] as const

/** A call that is under way has an `id`, and stands in each of its accounts. */
export class BudgetStoreConnector extends Context.Tag("effect-sre/BudgetStoreConnector")<BudgetStoreConnector, {
  /** In all accounts or in none. Again under the same id, nothing happens. */
  readonly reserve: (
    id: string,
    accounts: ReadonlyArray<Account>,
    most: Amount
  ) => Effect.Effect<void, BudgetExceeded | ConnectorError>
  /** Ends a reservation and counts what was used; without one, nothing happens. */
  readonly settle: (
    id: string,
    accounts: ReadonlyArray<Account>,
    used: Amount
  ) => Effect.Effect<void, ConnectorError>
  /** Keeps a reservation for another {@link lease}. */
  readonly renew: (id: string, accounts: ReadonlyArray<Account>) => Effect.Effect<void, ConnectorError>
  /** A reservation that was not renewed for so long is of a process that died: all of it counts as used. None: all end with it. */
  readonly lease: Option.Option<Duration.Duration>
}>() {}

export class BudgetStore extends Context.Tag("effect-sre/BudgetStore")<BudgetStore, {
  /** Reserves the most a call can take, until the scope closes; then what it used is counted. */
  readonly reserve: (
    accounts: ReadonlyArray<Account>,
    most: Amount,
    used: Effect.Effect<Amount>
  ) => Effect.Effect<void, BudgetExceeded | ConnectorError, Scope.Scope>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* BudgetStoreConnector
  const underWay = new Map<string, ReadonlyArray<Account>>()

  /** A store that is away counts the reservation in full when its lease is over. */
  const settle = (id: string, accounts: ReadonlyArray<Account>, used: Amount) =>
    retrying(connector.settle(id, accounts, used)).pipe(
      Effect.catchAll((error) => Effect.logWarning(`what a call used could not be counted: ${error.message}`))
    )

  yield* Option.match(connector.lease, {
    onNone: () => Effect.void,
    onSome: (lease) =>
      Effect.suspend(() =>
        Effect.forEach(underWay, ([id, accounts]) => Effect.ignoreLogged(connector.renew(id, accounts)), {
          concurrency: 16,
          discard: true
        })
      ).pipe(Effect.schedule(Schedule.spaced(Duration.times(lease, 1 / 3))), Effect.forkScoped)
  })

  return BudgetStore.of({
    reserve: Effect.fnUntraced(function*(accounts, most, used) {
      const id = yield* Effect.sync(randomUUID)
      let state: "asked" | "refused" | "reserved" = "asked"
      // When it is not known what became of the request, nothing of it stays.
      yield* Effect.addFinalizer(() => {
        underWay.delete(id)
        return state === "refused"
          ? Effect.void
          : Effect.flatMap(
            state === "reserved" ? used : Effect.succeed(nothing),
            (amount) => settle(id, accounts, amount)
          )
      })
      yield* retrying(connector.reserve(id, accounts, most)).pipe(
        Effect.tapErrorTag("BudgetExceeded", () => Effect.sync(() => (state = "refused")))
      )
      state = "reserved"
      underWay.set(id, accounts)
    }, traced("BudgetStore.reserve"))
  })
})

export const layer: Layer.Layer<BudgetStore, never, BudgetStoreConnector> = Layer.scoped(BudgetStore, make)
