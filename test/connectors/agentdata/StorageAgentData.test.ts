import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option } from "effect"
import { StorageAgentData, StorageAgentDataLive } from "../../../src/connectors/agentdata/StorageAgentData.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { AgentData, AgentDataConnector } from "../../../src/subsystems/io/AgentData.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import { type Documents, suite } from "../../../src/testing/conformance/agentData.ts"

const team = Candidate.team("t1")

const write = (key: string, content: unknown) =>
  Effect.flatMap(Storage, (storage) =>
    Candidate.as(
      storage.write(key, new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content))),
      team
    ))

const filled = ({ development, production }: Documents) =>
  Layer.effectDiscard(Effect.gen(function*() {
    for (const one of development) yield* write(`agents/development/${one.id}.smyth`, one)
    for (const one of production) yield* write(`agents/production/${one.id}.smyth`, one)
  }))

const opened = (settings: Parameters<typeof StorageAgentData.contract>[0]) =>
  Effect.map(Layer.build(Layer.fresh(StorageAgentData.contract(settings))), Context.get(AgentDataConnector))

const memory = Effect.provide(Layer.fresh(MemoryStorage.layer({})))

describe("StorageAgentData", () => {
  it.scopedLive("keeps versions, and ids of any character, below the folder of its settings", () =>
    memory(Effect.gen(function*() {
      yield* write("my/agents/versions/1.0%2Fbeta/a%20b%2F%C3%A9.smyth", { name: "beta" })
      yield* write("my/agents/production/a%20b%2F%C3%A9.smyth", { id: "a b/é", name: "released" })
      const store = yield* opened({ owner: "team:t1", folder: "my/agents" })
      const nameOf = (version: string) =>
        Effect.map(
          store.get("a b/é", Option.some(version)),
          Option.map(({ document }) => (document as { readonly name: string }).name)
        )
      assert.deepStrictEqual(yield* nameOf("1.0/beta"), Option.some("beta"))
      assert.deepStrictEqual(yield* nameOf("latest"), Option.some("released"))
      for (const other of ["1.0", "..", "", "development"]) assert.deepStrictEqual(yield* nameOf(other), Option.none())
      assert.deepStrictEqual((yield* store.list).map(({ id, deployed }) => [id, deployed]), [["a b/é", true]])
    })))

  it.scopedLive("documents that are added, changed and removed are seen; a broken one hides no other", () =>
    memory(Effect.gen(function*() {
      const storage = yield* Storage
      const store = yield* opened({ owner: "team:t1" })
      const listed = Effect.map(store.list, (all) => all.map(({ id, name, problem }) => [id, name, problem]))
      yield* write("agents/development/good.smyth", { name: "old" })
      yield* write("agents/development/bad.smyth", "{ oops")
      yield* write("agents/development/other.smyth", { id: "another" })
      yield* write("agents/development/deeper/x.smyth", {})
      yield* write("agents/development/notes.txt", "")
      assert.deepStrictEqual(yield* listed, [
        ["bad", undefined, "expected a name in double quotes at line 1, column 3"],
        ["good", "old", undefined],
        ["other", undefined, "its id is \"another\", not the one it is named after"]
      ])
      assert.deepInclude(yield* Effect.flip(store.get("bad", Option.none())), { reason: "Corrupted" })
      yield* write("agents/development/good.smyth", { name: "newer" })
      yield* Candidate.as(storage.remove("agents/development/bad.smyth"), team)
      assert.deepStrictEqual((yield* listed).slice(0, 1), [["good", "newer", undefined]])
      assert.deepStrictEqual(yield* store.get("bad", Option.none()), Option.none())
    })))

  it.scopedLive("without a Storage below it, it does not start", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(opened({}))).message, "there is no Storage below it")
    }))

  it.scopedLive("the Live layer reads AGENTS_OWNER's home: it and the agent may read, others may not", () =>
    memory(Effect.gen(function*() {
      yield* write("docs/development/a.smyth", { name: "A" })
      const environment = new Map([["AGENTS_OWNER", "team:t1"], ["AGENTS_FOLDER", "docs"]])
      yield* Effect.gen(function*() {
        const { get, list } = yield* AgentData
        assert.strictEqual((yield* Candidate.as(get("a"), Candidate.agent("a"))).id, "a")
        assert.deepStrictEqual((yield* Candidate.as(list, team)).map(({ name }) => name), ["A"])
        assert.deepStrictEqual(yield* Candidate.as(list, Candidate.team("t2")), [])
      }).pipe(
        Effect.provide(
          Layer.provide(StorageAgentDataLive, Layer.setConfigProvider(ConfigProvider.fromMap(environment)))
        )
      )
    })))
})

suite("StorageAgentData", (documents) =>
  StorageAgentData.contract({ owner: "team:t1" }).pipe(
    Layer.provide(Layer.fresh(Layer.provideMerge(filled(documents), MemoryStorage.layer({}))))
  ))
