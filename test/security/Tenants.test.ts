import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Access from "../../src/security/Access.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Tenants from "../../src/security/Tenants.ts"

const teams: Readonly<Record<string, ReadonlyArray<string>>> = { a1: ["crew"], ann: ["zoo", "crew"], crew: ["crew"] }
const known = Effect.provideService(Access.Teams, ({ id }) => Effect.succeed(teams[id] ?? []))

describe("Tenants", () => {
  it.effect("are teams, and whoever is in none", () =>
    Effect.gen(function*() {
      const { current } = yield* Tenants.make
      const of = (candidate: Candidate.Candidate) => Candidate.as(current, candidate)
      assert.strictEqual(yield* of(Candidate.agent("a1")), "team:crew")
      assert.strictEqual(yield* of(Candidate.user("ann")), "team:crew")
      assert.strictEqual(yield* of(Candidate.team("crew")), "team:crew")
      assert.strictEqual(yield* of(Candidate.user("bob")), "user:bob")
      assert.strictEqual(yield* current, "public:public")
    }).pipe(known))

  it.effect("are their candidates while nobody can say what teams these are in", () =>
    Effect.gen(function*() {
      const { of } = yield* Tenants.make
      assert.strictEqual(yield* of(Candidate.agent("a1")), "agent:a1")
    }).pipe(Effect.provideService(
      Access.Teams,
      () => new ConnectorError({ connector: "Test", method: "teamsOf", reason: "Unavailable" })
    )))

  it.effect("share places: all of one team have half of them, and others the rest", () =>
    Effect.gen(function*() {
      const place = yield* Tenants.places(4)
      const inside: Array<string> = []
      const door = yield* Deferred.make<void>()
      const enter = (name: string) =>
        Effect.zipRight(place, Effect.zipRight(Effect.sync(() => void inside.push(name)), Deferred.await(door))).pipe(
          Effect.scoped,
          Candidate.as(Candidate.user(name)),
          Effect.fork
        )
      for (const name of ["ann", "a1", "crew", "bob"]) yield* enter(name)
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      assert.deepStrictEqual(inside, ["ann", "a1", "bob"])
      yield* Deferred.succeed(door, undefined)
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      assert.deepStrictEqual(inside, ["ann", "a1", "bob", "crew"])
    }).pipe(known))
})
