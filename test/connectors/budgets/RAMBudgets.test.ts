import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { RAMBudgets } from "../../../src/connectors/budgets/RAMBudgets.ts"
import { BudgetStoreConnector, nothing } from "../../../src/subsystems/llm/BudgetStore.ts"
import { suite } from "../../../src/testing/conformance/budgets.ts"

it.effect("forgets the account that was unused for longest, but none with a call under way; runs are apart", () =>
  Effect.gen(function*() {
    const { reserve, settle } = yield* BudgetStoreConnector
    const one = { ...nothing, calls: 1 }
    const of = (scope: string) => [{ scope, limits: { calls: 1 } }]
    const call = (scope: string) => Effect.zipRight(reserve(scope, of(scope), one), settle(scope, of(scope), one))
    yield* reserve("held", of("user:held"), one)
    yield* call("user:b")
    yield* call("run:r")
    yield* call("user:c")
    assert.strictEqual((yield* Effect.flip(call("user:c")))._tag, "BudgetExceeded")
    assert.strictEqual((yield* Effect.flip(call("run:r")))._tag, "BudgetExceeded")
    assert.strictEqual((yield* Effect.flip(reserve("x", of("user:held"), one)))._tag, "BudgetExceeded")
    yield* call("user:b")
  }).pipe(Effect.provide(RAMBudgets.contract({ maxAccounts: 2 }))))

suite("RAM", RAMBudgets.contract({}))
