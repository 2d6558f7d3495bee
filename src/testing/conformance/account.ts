import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Option, Redacted, Schema } from "effect"
import { AccountConnector } from "../../security/Account.ts"
import * as Candidate from "../../security/Candidate.ts"
import { FromString } from "../../security/Roles.ts"

/** What every connector under test is filled with. */
export const data = {
  t1: {
    users: { u1: { settings: { theme: "dark" } }, both: {} },
    agents: { a1: { settings: { level: 3 } } },
    settings: { "custom-llm": "[]" }
  },
  t2: { users: { both: {} } },
  t4: {
    users: { editor: { roles: ["reader", "writer"] }, plain: {} },
    agents: { editor: { roles: ["reader"] } },
    roles: { reader: ["Storage: read on reports/*"], writer: ["Storage: write on reports/*", "NKV: owner"], unused: [] }
  }
}

export const suite = <E>(name: string, connector: Layer.Layer<AccountConnector, E>) =>
  layer(connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is an AccountConnector`, (it) => {
    it.effect("knows whose teams are which; the unknown and the public are in none", () =>
      Effect.gen(function*() {
        const account = yield* AccountConnector
        const teamsOf = (candidate: Candidate.Candidate) => account.teamsOf(candidate)
        assert.deepStrictEqual(yield* teamsOf(Candidate.user("u1")), ["t1"])
        assert.deepStrictEqual(yield* teamsOf(Candidate.agent("a1")), ["t1"])
        assert.deepStrictEqual(yield* teamsOf(Candidate.user("both")), ["t1", "t2"])
        assert.deepStrictEqual(yield* teamsOf(Candidate.team("t1")), ["t1"])
        for (const id of ["a1", "t1", "nobody", "__proto__", "constructor"]) {
          assert.deepStrictEqual(yield* teamsOf(Candidate.user(id)), [], id)
        }
        assert.deepStrictEqual(yield* teamsOf(Candidate.team("t3")), [])
        assert.deepStrictEqual(yield* teamsOf(Candidate.anyone), [])
      }))

    it.effect("knows the members of a team", () =>
      Effect.gen(function*() {
        const account = yield* AccountConnector
        assert.sameDeepMembers([...yield* account.members("t1")], [
          Candidate.user("u1"),
          Candidate.user("both"),
          Candidate.agent("a1")
        ])
        assert.deepStrictEqual(yield* account.members("t3"), [])
      }))

    it.effect("knows what roles let whom do, nothing without a role, and all where a team has no roles", () =>
      Effect.gen(function*() {
        const account = yield* AccountConnector
        const permissions = (candidate: Candidate.Candidate, team: string) =>
          Effect.map(
            account.permissions(candidate, team),
            Option.map((all) => all.map((one) => Schema.encodeSync(FromString)(one)).sort())
          )
        const read = "Storage: read on reports/*"
        assert.deepStrictEqual(yield* permissions(Candidate.agent("editor"), "t4"), Option.some([read]))
        assert.deepStrictEqual(
          yield* permissions(Candidate.user("editor"), "t4"),
          Option.some(["NKV: owner on *", read, "Storage: write on reports/*"])
        )
        assert.deepStrictEqual(yield* permissions(Candidate.user("plain"), "t4"), Option.some([]))
        assert.deepStrictEqual(yield* permissions(Candidate.user("u1"), "t1"), Option.none())
      }))

    it.effect("knows the settings of each, and none of the unknown", () =>
      Effect.gen(function*() {
        const account = yield* AccountConnector
        assert.deepStrictEqual(yield* account.settings(Candidate.user("u1")), { theme: "dark" })
        assert.deepStrictEqual(yield* account.settings(Candidate.agent("a1")), { level: 3 })
        assert.deepStrictEqual(yield* account.settings(Candidate.team("t1")), { "custom-llm": "[]" })
        assert.deepStrictEqual(yield* account.settings(Candidate.agent("u1")), {})
      }))

    it.effect("authenticates nobody by a key it does not know", () =>
      Effect.gen(function*() {
        const account = yield* AccountConnector
        for (const key of ["", "sre_unknown", "a.b.c", "u1", "user:u1"]) {
          const error = yield* Effect.flip(account.authenticate(Redacted.make(key)))
          assert.strictEqual(error._tag, "Unauthenticated")
          if (key !== "") assert.notInclude(error.message, key)
        }
      }))
  })
