import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { DummyAccount, DummyAccountLive } from "../../../src/connectors/account/DummyAccount.ts"
import { Account, AccountConnector } from "../../../src/security/Account.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { data, suite } from "../../../src/testing/conformance/account.ts"

describe("DummyAccount", () => {
  it.effect("without data everybody known is in the team default, and in no other", () =>
    Effect.gen(function*() {
      const account = yield* AccountConnector
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.user("anyone")), ["default"])
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.agent("anything")), ["default"])
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.team("t9")), ["t9"])
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.anyone), [])
      const error = yield* Effect.flip(account.authenticate(Redacted.make("key")))
      assert.include(error.message, "JSONFileAccount")
    }).pipe(Effect.provide(DummyAccount.contract({}))))

  it.effect("an id that is none is refused at boot, by its place", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Effect.provide(AccountConnector, DummyAccount.contract({ data: { t1: { users: { "../u": {} } } } }))
      )
      assert.strictEqual(error._tag, "BootError")
      assert.include(error.message, "Account.Settings.data.t1.users.../u")
    }))

  it.effect("the Live layer is the one without data", () =>
    Effect.gen(function*() {
      const { teamsOf } = yield* Account
      assert.deepStrictEqual(yield* Candidate.as(teamsOf(Candidate.user("u")), Candidate.user("u")), ["default"])
    }).pipe(Effect.provide(DummyAccountLive)))
})

suite("DummyAccount with data", DummyAccount.contract({ data }))
