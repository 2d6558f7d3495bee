/** What every store of agent documents must do. `connector` gives a store that holds exactly `documents`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option } from "effect"
import { AgentDataConnector } from "../../subsystems/io/AgentData.ts"

export interface Documents {
  readonly development: ReadonlyArray<Document>
  readonly production: ReadonlyArray<Document>
}

interface Document {
  readonly id: string
  readonly name: string
  readonly domain?: string
}

const documents: Documents = {
  development: [{ id: "first", name: "First, draft" }, { id: "second", name: "Second", domain: "Two.example" }],
  production: [{ id: "first", name: "First, released" }, { id: "third", name: "Third" }]
}

export const suite = <E>(name: string, connector: (documents: Documents) => Layer.Layer<AgentDataConnector, E>) =>
  describe(`${name} is an AgentDataConnector`, () => {
    const on = <A, E2>(store: Documents, effect: Effect.Effect<A, E2, AgentDataConnector>) =>
      Effect.provide(effect, connector(store))
    const nameOf = (id: string, version: Option.Option<string>) =>
      Effect.flatMap(AgentDataConnector, (store) =>
        Effect.map(
          store.get(id, version),
          Option.map(({ document }) => (document as { readonly name: string }).name)
        ))

    it.live("without a version it gives the document in development, with one that in production", () =>
      on(
        documents,
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* nameOf("first", Option.none()), Option.some("First, draft"))
          assert.deepStrictEqual(yield* nameOf("first", Option.some("latest")), Option.some("First, released"))
          assert.deepStrictEqual(yield* nameOf("second", Option.some("latest")), Option.none())
          assert.deepStrictEqual(yield* nameOf("third", Option.none()), Option.none())
        })
      ))

    it.live("lists every document once and says which are deployed", () =>
      on(
        documents,
        Effect.gen(function*() {
          const store = yield* AgentDataConnector
          const listed = (yield* store.list).map(({ deployed, id, problem }) => ({ id, deployed, problem }))
          assert.sameDeepMembers(listed, [
            { id: "first", deployed: true, problem: undefined },
            { id: "second", deployed: false, problem: undefined },
            { id: "third", deployed: true, problem: undefined }
          ])
        })
      ))

    it.live("knows whose a domain is", () =>
      on(
        documents,
        Effect.gen(function*() {
          const store = yield* AgentDataConnector
          const { acl, id } = Option.getOrThrow(yield* store.findByDomain("two.example"))
          assert.strictEqual(id, "second")
          assert.isTrue(acl.grants.some(({ id, role }) => role === "agent" && id === "second"))
          for (const unknown of ["one.example", "", "example", "x\u0000y", "Two"]) {
            assert.deepStrictEqual(yield* store.findByDomain(unknown), Option.none())
          }
        })
      ))

    it.live("holds 200 documents of any text, each under its id", () => {
      const development = Array.from({ length: 200 }, (_, n) => ({ id: `agent-${n}`, name: `№ ${n} 👋 "\\\n\u2028` }))
      return on(
        { development, production: [] },
        Effect.gen(function*() {
          const store = yield* AgentDataConnector
          const ids = (yield* store.list).map(({ id }) => id)
          assert.strictEqual(ids.length, 200)
          assert.deepStrictEqual(new Set(ids), new Set(development.map(({ id }) => id)))
          for (const { id, name } of [development[0]!, development[199]!]) {
            assert.deepStrictEqual(yield* nameOf(id, Option.none()), Option.some(name))
          }
        })
      )
    }, 60_000)

    it.live("what it does not have is absent, not an error", () =>
      on(
        { development: [], production: [] },
        Effect.gen(function*() {
          const store = yield* AgentDataConnector
          for (const id of ["first", "", "..", "../first", "__proto__", "a".repeat(5000), "x\u0000y"]) {
            assert.deepStrictEqual(yield* store.get(id, Option.none()), Option.none())
          }
          assert.deepStrictEqual(yield* store.list, [])
        })
      ))

    it.live("lets the agent itself read and gives the public nothing", () =>
      on(
        documents,
        Effect.gen(function*() {
          const store = yield* AgentDataConnector
          const { acl } = Option.getOrThrow(yield* store.get("first", Option.none()))
          assert.isTrue(acl.grants.some(({ id, role }) => role === "agent" && id === "first"))
          assert.isFalse(acl.grants.some(({ role }) => role === "public"))
        })
      ))
  })
