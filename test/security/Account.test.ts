import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { DummyAccount } from "../../src/connectors/account/DummyAccount.ts"
import * as Access from "../../src/security/Access.ts"
import { Account } from "../../src/security/Account.ts"
import * as Acl from "../../src/security/Acl.ts"
import * as Audit from "../../src/security/Audit.ts"
import * as Candidate from "../../src/security/Candidate.ts"

const entries: Array<Audit.AuditEntry> = []
const account = DummyAccount.layer({
  data: {
    t1: {
      users: { ann: { settings: { theme: "dark" } } },
      agents: { a1: { settings: { level: 3 } } },
      settings: { plan: "pro" }
    },
    t2: { users: { bob: {} }, settings: { plan: "free" } }
  }
}).pipe(Layer.provide(Layer.succeed(Audit.Audit, {
  level: "owner",
  record: (entry) => Effect.sync(() => void entries.push(entry))
})))

const ann = Candidate.user("ann")
const bob = Candidate.user("bob")
const a1 = Candidate.agent("a1")

const outcome = (effect: Effect.Effect<unknown, { readonly _tag: string }>) =>
  Effect.match(effect, { onFailure: ({ _tag }) => _tag, onSuccess: (value) => value })

describe("Account", () => {
  it.effect("one may read about oneself and one's teams, and nobody else", () =>
    Effect.gen(function*() {
      const service = yield* Account
      const as = (who: Candidate.Candidate, effect: Effect.Effect<unknown, { readonly _tag: string }>) =>
        outcome(Candidate.as(effect, who))
      assert.deepStrictEqual(yield* as(ann, service.teamsOf(ann)), ["t1"])
      assert.deepStrictEqual(yield* as(ann, service.userSetting("ann", "theme")), Option.some("dark"))
      assert.deepStrictEqual(yield* as(ann, service.userSetting("ann", "toString")), Option.none())
      assert.deepStrictEqual(yield* as(ann, service.teamSetting("t1", "plan")), Option.some("pro"))
      assert.deepStrictEqual(yield* as(a1, service.agentSetting("a1", "level")), Option.some(3))
      assert.sameDeepMembers([...(yield* as(a1, service.members("t1"))) as Array<unknown>], [ann, a1])
      assert.strictEqual(yield* as(ann, service.isMember(a1, "t1")), true)
      assert.strictEqual(yield* as(ann, service.isMember(ann, "t2")), false)

      const foreign = [
        service.teamsOf(ann),
        service.userSetting("ann", "theme"),
        service.teamSetting("t1", "plan"),
        service.agentSetting("a1", "level"),
        service.members("t1"),
        service.isMember(ann, "t1")
      ]
      for (const who of [bob, Candidate.agent("ann"), Candidate.user("t1"), Candidate.anyone]) {
        for (const method of foreign) assert.strictEqual(yield* as(who, method), "AccessDenied")
      }
      for (const method of foreign) assert.strictEqual(yield* outcome(method), "NoCandidate")
      assert.strictEqual(yield* as(a1, service.userSetting("ann", "theme")), "AccessDenied", "a fellow is not oneself")
      assert.strictEqual(yield* as(Candidate.anyone, service.teamsOf(Candidate.anyone)), "AccessDenied")
    }).pipe(Effect.provide(account)))

  it.effect("a failed authentication needs no candidate, is audited, and names no key", () =>
    Effect.gen(function*() {
      const { authenticate } = yield* Account
      entries.length = 0
      const error = yield* Effect.flip(authenticate(Redacted.make("sre_secret")))
      assert.strictEqual(error._tag, "Unauthenticated")
      assert.deepStrictEqual(entries.map(({ operation, verdict }) => [operation, verdict]), [[
        "authenticate",
        "denied"
      ]])
      assert.notInclude(JSON.stringify([error, entries]), "sre_secret")
    }).pipe(Effect.provide(account)))

  it.effect("gives all access checks their teams", () =>
    Effect.gen(function*() {
      const guard = yield* Access.guard("Test")
      const acl = Acl.ownedBy(Candidate.team("t1"))
      assert.isTrue(yield* Candidate.as(guard.permits(acl, "write"), ann))
      assert.isFalse(yield* Candidate.as(guard.permits(acl, "write"), bob))
    }).pipe(Effect.provide(account)))
})
