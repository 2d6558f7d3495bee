import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option } from "effect"
import {
  release,
  remove,
  save,
  SQLAgentData,
  SQLAgentDataLive
} from "../../../src/connectors/agentdata/SQLAgentData.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { AgentData, AgentDataConnector } from "../../../src/subsystems/io/AgentData.ts"
import { type Documents, suite } from "../../../src/testing/conformance/agentData.ts"
import { databases, execute, on, sqlite } from "../../fixtures/Databases.ts"

const text = (document: object) => JSON.stringify(document)

/** Production first, so that the draft of an agent that is also developed comes last. */
const filled = (url: string, { development, production }: Documents) =>
  Effect.gen(function*() {
    for (const one of production) {
      yield* release({ url }, yield* save({ url }, { document: text(one), team: "t1" }), "1")
      yield* execute(url, `UPDATE sre_agents SET draft = NULL WHERE id = '${one.id}'`)
    }
    for (const one of development) yield* save({ url }, { document: text(one), team: "t1" })
    return SQLAgentData.contract({ url })
  })

const opened = (url: string) =>
  Effect.map(Layer.build(Layer.fresh(SQLAgentData.contract({ url }))), Context.get(AgentDataConnector))

describe("SQLAgentData", () => {
  it.scopedLive("a version stays as it was released, and the last one released is deployed", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const nameOf = (version?: string) =>
        Effect.flatMap(opened(url), (store) =>
          Effect.map(
            store.get("a", Option.fromNullable(version)),
            Option.map(({ document }) => (document as { readonly name: string }).name)
          ))
      for (const [n, version] of ["1.0", "2.0 β"].entries()) {
        assert.strictEqual(yield* save({ url }, { document: text({ id: "a", name: `v${n}` }), team: "t1" }), "a")
        yield* release({ url }, "a", version)
      }
      yield* save({ url }, { document: text({ id: "a", name: "draft" }), team: "t1" })
      assert.deepStrictEqual(
        yield* Effect.all([nameOf(), nameOf("latest"), nameOf("1.0"), nameOf("2.0 β"), nameOf("3")]),
        [
          Option.some("draft"),
          Option.some("v1"),
          Option.some("v0"),
          Option.some("v1"),
          Option.none()
        ]
      )
      assert.strictEqual((yield* Effect.flip(release({ url }, "a", "1.0")))._tag, "ConnectorError")
      yield* remove({ url }, "a")
      assert.deepStrictEqual(yield* Effect.all([nameOf(), nameOf("latest"), nameOf("1.0")]), [
        Option.none(),
        Option.none(),
        Option.none()
      ])
    }))

  it.scopedLive("refuses what is no document, a version without a name, and an agent of another team", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const reason = <A, E extends { readonly _tag: string }>(self: Effect.Effect<A, E>) =>
        Effect.map(Effect.flip(self), (error) => "reason" in error ? error.reason : error._tag)
      for (const document of ["{", "[]", "{\"id\":\"a b\"}", "{}"]) {
        assert.strictEqual(yield* reason(save({ url }, { document, team: "t1" })), "InvalidInput")
      }
      assert.strictEqual(yield* save({ url }, { document: "{}", team: "t1", fallbackId: "mine" }), "mine")
      assert.strictEqual(yield* reason(save({ url }, { document: "{\"id\":\"mine\"}", team: "t2" })), "Conflict")
      assert.strictEqual(yield* reason(release({ url }, "mine", "latest")), "InvalidInput")
      assert.strictEqual(yield* reason(release({ url }, "absent", "1")), "NotFound")
    }))

  it.scopedLive("a document that was damaged is an error with its place, and hides no other", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      for (const id of ["a", "b"]) yield* save({ url }, { document: text({ id, name: id }), team: "t1" })
      yield* execute(url, "UPDATE sre_agents SET draft = '{ oops' WHERE id = 'a'")
      const store = yield* opened(url)
      const error = yield* Effect.flip(store.get("a", Option.none()))
      assert.strictEqual(error.reason, "Corrupted")
      assert.include(error.message, "line 1, column 3")
      assert.isTrue(Option.isSome(yield* store.get("b", Option.none())))
      assert.deepStrictEqual((yield* store.list).map(({ id }) => id), ["a", "b"])
    }))

  it.scopedLive("read under an identity: the agent and its team may, others may not, not even find it", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      yield* save({ url }, { document: text({ id: "a", domain: "A.example" }), team: "t1" })
      const environment = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_SQL_URL", url]])))
      yield* Effect.gen(function*() {
        const { findByDomain, get, list } = yield* AgentData
        for (const who of [Candidate.team("t1"), Candidate.agent("a")]) {
          assert.strictEqual((yield* Candidate.as(get("a"), who)).id, "a")
          assert.deepStrictEqual(yield* Candidate.as(findByDomain("a.EXAMPLE"), who), Option.some("a"))
        }
        assert.deepStrictEqual(yield* Candidate.as(findByDomain("a.example"), Candidate.team("t2")), Option.none())
        assert.deepStrictEqual(yield* Candidate.as(list, Candidate.team("t2")), [])
        assert.strictEqual((yield* Effect.flip(findByDomain("a.example")))._tag, "NoCandidate")
      }).pipe(Effect.provide(Layer.provide(SQLAgentDataLive, environment)))
    }))
})

for (const [name, database] of databases) {
  suite(`SQLAgentData on ${name}`, (documents) => on(database, (url) => Layer.unwrapEffect(filled(url, documents))))
}
