/** What every store of budgets must do, by itself and behind the service. Time is real: servers have no test clock. */
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Option, Random } from "effect"
import {
  type Account,
  type Amount,
  BudgetExceeded,
  BudgetStore,
  BudgetStoreConnector,
  layer as service,
  type Limits,
  nothing
} from "../../subsystems/llm/BudgetStore.ts"

export const suite = <E>(name: string, connector: Layer.Layer<BudgetStoreConnector, E>) =>
  layer(Layer.provideMerge(service, connector), { excludeTestServices: true, timeout: "60 seconds" })(
    `${name} is a BudgetStoreConnector`,
    (it) => {
      const account = (scope: string, limits: Limits): Account => ({ scope, limits })
      const amount = (some: Partial<Amount>): Amount => ({ ...nothing, calls: 1, ...some })
      const store = BudgetStoreConnector
      const refused = (self: Effect.Effect<void, unknown>) =>
        Effect.map(Effect.flip(self), (error) => {
          assert.instanceOf(error, BudgetExceeded)
          const { asked, limit, scope, used, what } = error as BudgetExceeded
          return { asked, limit, scope, used, what }
        })

      it.effect("what is reserved and what was used count together, up to the limit and not beyond", () =>
        Effect.gen(function*() {
          const { reserve, settle } = yield* store
          const own = [account("user:limits", { tokens: 100, money: 0.3 })]
          yield* reserve("1", own, amount({ tokens: 60, money: 0.1 }))
          yield* reserve("2", own, amount({ tokens: 40, money: 0.1 }))
          const full = { scope: "user:limits", what: "tokens", limit: 100, used: 100, asked: 1 }
          assert.deepStrictEqual(yield* refused(reserve("3", own, amount({ tokens: 1 }))), full)
          yield* settle("1", own, amount({ tokens: 30, money: 0.1 }))
          yield* settle("2", own, amount({ tokens: 40, money: 0.125 }))
          const money = yield* refused(reserve("3", own, amount({ money: 0.1 })))
          assert.deepInclude(money, { what: "money", limit: 0.3, asked: 0.1 })
          assert.closeTo(money.used, 0.225, 1e-12)
          yield* reserve("3", own, amount({ tokens: 30 }))
          yield* settle("3", own, nothing)
          yield* reserve("4", own, amount({ tokens: 30 }))
        }))

      it.effect("all accounts are reserved on or none, and the first that is exceeded is told", () =>
        Effect.gen(function*() {
          const { reserve } = yield* store
          const [wide, narrow] = [account("team:all {}*", { tokens: 100 }), account("agent:all", { tokens: 10 })]
          assert.deepInclude(yield* refused(reserve("1", [wide, narrow], amount({ tokens: 20 }))), {
            scope: "agent:all",
            used: 0
          })
          yield* reserve("2", [wide], amount({ tokens: 100 }))
          assert.deepInclude(yield* refused(reserve("3", [narrow, wide], amount({ tokens: 5 }))), {
            scope: "team:all {}*",
            used: 100
          })
          yield* reserve("4", [narrow], amount({ tokens: 10 }))
        }))

      it.effect("calls at once are counted apart, and each limit of an account is its own", () =>
        Effect.gen(function*() {
          const { reserve, settle } = yield* store
          const own = [account("user:once", { concurrency: 2, calls: 3, time: 1000 })]
          yield* reserve("1", own, amount({ time: 10 }))
          yield* reserve("2", own, amount({ time: 10 }))
          assert.deepInclude(yield* refused(reserve("3", own, amount({}))), { what: "concurrency", limit: 2, used: 2 })
          yield* settle("1", own, amount({ time: 5 }))
          assert.deepInclude(yield* refused(reserve("3", own, amount({ time: 990 }))), { what: "time", used: 15 })
          yield* reserve("3", own, amount({}))
          assert.deepInclude(yield* refused(reserve("4", own, amount({}))), { what: "calls", limit: 3, used: 3 })
        }))

      it.effect("the same call is reserved once and settled once; one nobody knows counts nothing", () =>
        Effect.gen(function*() {
          const { renew, reserve, settle } = yield* store
          const own = [account("user:again", { tokens: 10 })]
          yield* settle("1", own, amount({ tokens: 10 }))
          yield* reserve("1", own, amount({ tokens: 10 }))
          yield* reserve("1", own, amount({ tokens: 10 }))
          yield* renew("1", own)
          yield* settle("1", own, amount({ tokens: 4 }))
          yield* settle("1", own, amount({ tokens: 4 }))
          yield* renew("1", own)
          assert.deepInclude(yield* refused(reserve("2", own, amount({ tokens: 7 }))), { used: 4 })
          yield* reserve("2", own, amount({ tokens: 6 }))
        }))

      it.effect("what was used is forgotten when its window is over, what is under way is not", () =>
        Effect.gen(function*() {
          const { reserve, settle } = yield* store
          const own = [account("user:window", { tokens: 10, per: Duration.seconds(1) })]
          yield* reserve("1", own, amount({ tokens: 4 }))
          yield* reserve("2", own, amount({ tokens: 6 }))
          yield* settle("1", own, amount({ tokens: 4 }))
          assert.deepInclude(yield* refused(reserve("3", own, amount({ tokens: 5 }))), { used: 10 })
          yield* Effect.sleep("1050 millis")
          assert.deepInclude(yield* refused(reserve("3", own, amount({ tokens: 5 }))), { used: 6 })
          yield* reserve("3", own, amount({ tokens: 4 }))
        }))

      it.effect("nothing is reserved when a call is over, however it ended", () =>
        Effect.gen(function*() {
          const budgets = yield* BudgetStore
          const own = [account("user:scoped", { tokens: 100 })]
          const call = (used: number, self: Effect.Effect<void, string>) =>
            Effect.scoped(
              Effect.zipRight(
                budgets.reserve(own, amount({ tokens: 50 }), Effect.succeed(amount({ tokens: used }))),
                self
              )
            )
          yield* call(1, Effect.void)
          yield* Effect.exit(call(2, Effect.fail("no")))
          const hanging = yield* Effect.fork(call(4, Effect.never))
          yield* Effect.sleep("50 millis")
          yield* Fiber.interrupt(hanging)
          const { reserve } = yield* store
          assert.deepInclude(yield* refused(reserve("1", own, amount({ tokens: 94 }))), { used: 7 })
        }))

      it.effect("100 agents at once never exceed the limit, when calls fail or are interrupted, too", () =>
        Effect.gen(function*() {
          const budgets = yield* BudgetStore
          const limit = 400
          const own = [account("team:hundred", { tokens: limit })]
          let spent = 0
          const agent = Effect.gen(function*() {
            const most = yield* Random.nextIntBetween(5, 30)
            const used = yield* Random.nextIntBetween(0, most + 1)
            const ends = yield* Random.nextIntBetween(0, 3)
            const call = budgets.reserve(own, amount({ tokens: most }), Effect.succeed(amount({ tokens: used }))).pipe(
              Effect.tap(() => Effect.sync(() => (spent += used))),
              Effect.zipRight(Effect.sleep("2 millis")),
              Effect.zipRight(ends === 0 ? Effect.void : ends === 1 ? Effect.fail("no") : Effect.never),
              Effect.scoped
            )
            return yield* Effect.exit(Effect.timeout(call, Duration.millis(yield* Random.nextIntBetween(1, 60))))
          })
          for (let wave = 0; wave < 3; wave++) {
            const exits = yield* Effect.all(Array.from({ length: 100 }, () => agent), { concurrency: "unbounded" })
            assert.isTrue(exits.some(Exit.isFailure))
          }
          assert.isAtMost(spent, limit)
          // Interrupted while the store was asked, a call counts nothing, so that what is left can be spent.
          const { reserve, settle } = yield* store
          const { used } = yield* refused(reserve("all", own, amount({ tokens: limit + 1 })))
          assert.isAtLeast(used, spent)
          assert.isAtMost(used, limit)
          yield* reserve("rest", own, amount({ tokens: limit - used }))
          yield* settle("rest", own, nothing)
        }))

      it.effect("a process that died holds nothing for ever: its calls count in full, and their places are free", () =>
        Effect.gen(function*() {
          const { lease, renew, reserve } = yield* store
          if (Option.isNone(lease)) return
          const own = [account("user:died", { concurrency: 2, tokens: 10 })]
          yield* reserve("dead", own, amount({ tokens: 4 }))
          yield* reserve("alive", own, amount({ tokens: 1 }))
          for (let third = 0; third < 4; third++) {
            yield* Effect.sleep(Duration.times(lease.value, 0.4))
            yield* renew("alive", own)
          }
          assert.deepInclude(yield* refused(reserve("next", own, amount({ tokens: 6 }))), { what: "tokens", used: 5 })
          yield* reserve("next", own, amount({ tokens: 5 }))
          assert.deepInclude(yield* refused(reserve("more", own, amount({}))), { what: "concurrency", used: 2 })
        }))

      it.effect("a call that lasts is renewed by the process it is of", () =>
        Effect.gen(function*() {
          const { lease, reserve } = yield* store
          const budgets = yield* BudgetStore
          if (Option.isNone(lease)) return
          const own = [account("user:lasts", { concurrency: 1 })]
          yield* budgets.reserve(own, amount({}), Effect.succeed(nothing))
          yield* Effect.sleep(Duration.times(lease.value, 1.5))
          assert.deepInclude(yield* refused(reserve("second", own, amount({}))), { what: "concurrency", used: 1 })
        }).pipe(Effect.scoped))
    }
  )
