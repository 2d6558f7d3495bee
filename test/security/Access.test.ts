import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Layer } from "effect"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Access from "../../src/security/Access.ts"
import * as Acl from "../../src/security/Acl.ts"
import * as Audit from "../../src/security/Audit.ts"
import * as Candidate from "../../src/security/Candidate.ts"

const memberships: Record<string, ReadonlyArray<string>> = {
  "user:u1": ["t1"],
  "agent:a1": ["t1", "t2"],
  "team:t1": ["t1"]
}

const run = <A, E>(
  effect: (guard: Access.Guard) => Effect.Effect<A, E>,
  options: { level?: Audit.AuditSink["level"]; teams?: Access.TeamsOf } = {}
) =>
  Effect.gen(function*() {
    const entries: Array<Audit.AuditEntry> = []
    const context = Layer.mergeAll(
      Layer.succeed(
        Access.Teams,
        options.teams ?? ((candidate) => Effect.succeed(memberships[Candidate.format(candidate)] ?? []))
      ),
      Layer.succeed(Audit.Audit, {
        level: options.level ?? "owner",
        record: (entry) => Effect.sync(() => void entries.push(entry))
      })
    )
    const guard = yield* Effect.provide(Access.guard("Test"), context)
    return { result: yield* Effect.either(effect(guard)), entries }
  })

const ids = { user: ["u1", "u2"], agent: ["a1", "a2"], team: ["t1", "t2", "t3"], public: ["public"] } as const
const candidates = Object.entries(ids).flatMap(([role, names]) =>
  names.map((id): Candidate.Candidate => ({ role: role as Candidate.Role, id }))
)
const aCandidate = FastCheck.constantFrom(...candidates)
const aLevel = FastCheck.constantFrom<Acl.Level>("read", "write", "owner")
const anAcl = FastCheck.array(
  FastCheck.record({ who: aCandidate, levels: FastCheck.uniqueArray(aLevel) }),
  { maxLength: 4 }
).map((grants): Acl.Acl => ({ grants: grants.map(({ levels, who }) => ({ ...who, levels })) }))

/** The rule, said once more in other words. */
const oracle = (acl: Acl.Acl, who: Candidate.Candidate, level: Acl.Level): boolean => {
  const names = new Set([
    Candidate.format(who),
    "public:public",
    ...(memberships[Candidate.format(who)] ?? []).map((team) => `team:${team}`)
  ])
  const held = acl.grants
    .filter((grant) => names.has(`${grant.role}:${grant.id}`))
    .flatMap((grant) => grant.levels)
  return held.includes("owner") || held.includes(level)
}

describe("the decision", () => {
  it.effect.prop(
    "is the rule: own, public's or a team's level or ownership",
    [anAcl, aCandidate, aLevel],
    ([acl, who, level]) =>
      Effect.gen(function*() {
        const { result } = yield* run((guard) =>
          Candidate.as(
            Effect.all([
              guard.permits(acl, level),
              Effect.isSuccess(guard.check(acl, { operation: "x", level, resource: "r" }))
            ]),
            who
          )
        )
        const expected = oracle(acl, who, level)
        assert.deepStrictEqual(result, Either.right([expected, expected] as [boolean, boolean]))
      }),
    { fastCheck: { numRuns: 300 } }
  )

  it.effect("write does not imply read", () =>
    Effect.gen(function*() {
      const who = Candidate.user("u2")
      const acl = Acl.grant(Acl.empty, who, ["write"])
      const { result } = yield* run((guard) => Candidate.as(guard.permits(acl, "read"), who))
      assert.deepStrictEqual(result, Either.right(false))
    }))

  it.effect("is a refusal without a candidate, and the operation is named", () =>
    Effect.gen(function*() {
      const open = Acl.grant(Acl.empty, Candidate.anyone, ["owner"])
      const { entries, result } = yield* run((guard) =>
        guard.check(open, { operation: "read", level: "read", resource: "k" })
      )
      assert.isTrue(
        Either.isLeft(result) && result.left._tag === "NoCandidate" && result.left.operation === "Test.read"
      )
      assert.deepStrictEqual(entries.map(({ candidate, verdict }) => ({ candidate, verdict })), [
        { candidate: undefined, verdict: "denied" }
      ])
    }))

  it.effect("fails when the teams cannot be asked, and does not pass", () =>
    Effect.gen(function*() {
      const down = new ConnectorError({ connector: "Account", method: "teamsOf", reason: "Unavailable" })
      const { result } = yield* run(
        (guard) =>
          Candidate.as(
            guard.check(Acl.ownedBy(Candidate.team("t1")), { operation: "read", level: "read", resource: "k" }),
            Candidate.user("u1")
          ),
        { teams: () => Effect.fail(down) }
      )
      assert.deepStrictEqual(result, Either.left(down))
    }))

  it.effect("nobody is in a team before there is an account", () =>
    Effect.gen(function*() {
      const guard = yield* Access.guard("Test")
      const permitted = yield* Candidate.as(
        guard.permits(Acl.ownedBy(Candidate.team("t1")), "read"),
        Candidate.user("u1")
      )
      assert.isFalse(permitted)
    }))
})

describe("homes", () => {
  it("the public has none that anybody could write to", () => {
    assert.deepStrictEqual(Access.ofHome(Candidate.anyone), Acl.empty)
    assert.isFalse(Acl.gives(Access.ofHome(Candidate.anyone), Candidate.anyone, "write"))
  })

  it("what an agent writes into its team's home belongs to both", () => {
    const acl = Access.forNew(Candidate.team("t1"), Candidate.agent("a1"))
    assert.deepStrictEqual(acl, Acl.ownedBy(Candidate.agent("a1"), Candidate.team("t1")))
    assert.deepStrictEqual(
      Access.forNew(Candidate.agent("a1"), Candidate.agent("a1")),
      Acl.ownedBy(Candidate.agent("a1"))
    )
  })
})

describe("the audit", () => {
  const acl = Acl.ownedBy(Candidate.user("u1"))
  const verdicts = (level: Audit.AuditSink["level"], who: string, operation: Acl.Level) =>
    Effect.map(
      run(
        (guard) => Candidate.as(guard.check(acl, { operation, level: operation, resource: "k" }), Candidate.user(who)),
        { level }
      ),
      ({ entries }) =>
        entries.map(({ candidate, operation, resource, service, verdict }) => [
          candidate?.id,
          service,
          operation,
          resource,
          verdict
        ])
    )

  it.effect("has denials and owner operations always, the rest on demand", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* verdicts("owner", "u1", "read"), [])
      assert.deepStrictEqual(yield* verdicts("all", "u1", "read"), [["u1", "Test", "read", "k", "granted"]])
      assert.deepStrictEqual(yield* verdicts("owner", "u1", "owner"), [["u1", "Test", "owner", "k", "granted"]])
      assert.deepStrictEqual(yield* verdicts("owner", "u2", "read"), [["u2", "Test", "read", "k", "denied"]])
    }))
})
