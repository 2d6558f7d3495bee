import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option } from "effect"
import { LocalAgentData, LocalAgentDataLive } from "../../../src/connectors/agentdata/LocalAgentData.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { AgentData, AgentDataConnector } from "../../../src/subsystems/io/AgentData.ts"
import { type Documents, suite } from "../../../src/testing/conformance/agentData.ts"

const files = (content: Readonly<Record<string, string>>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    for (const [name, text] of Object.entries(content)) yield* fs.writeFileString(`${folder}/${name}`, text)
    return folder
  })

const folderOf = (documents: Documents["development"]) =>
  files(Object.fromEntries(documents.map((document, index) => [`file-${index}.smyth`, JSON.stringify(document)])))

suite("Local", ({ development, production }) =>
  Layer.unwrapScoped(
    Effect.gen(function*() {
      const [devDir, prodDir] = yield* Effect.all([folderOf(development), folderOf(production)])
      return LocalAgentData.contract({ devDir, prodDir })
    }).pipe(Effect.provide(NodeFileSystem.layer))
  ))

const storeOf = (devDir: string) =>
  Effect.map(Layer.build(LocalAgentData.contract({ devDir })), Context.get(AgentDataConnector))

describe("LocalAgentData", () => {
  it.scopedLive("a broken file is reported with its place and hides no other", () =>
    Effect.gen(function*() {
      const devDir = yield* files({
        "bad.smyth": "{\n  \"id\": \"bad\",\n  oops\n}",
        "good.smyth": "{ \"id\": \"bad\" }",
        "list.smyth": "[]",
        "notes.txt": "not an agent"
      })
      const store = yield* storeOf(devDir)
      const problems = (yield* store.list).map(({ id, problem, source }) => [source, id, problem])
      assert.deepStrictEqual(problems, [
        ["bad.smyth", "bad", problems[0]?.[2]],
        ["good.smyth", "bad", undefined],
        ["list.smyth", "list", "not a JSON object"]
      ])
      assert.match(String(problems[0]?.[2]), /line 3, column 3/)
      const found = Option.getOrThrow(yield* store.get("bad", Option.none()))
      assert.strictEqual(found.source, "good.smyth")
      const error = yield* Effect.flip(store.get("list", Option.none()))
      assert.strictEqual(error.reason, "Corrupted")
      assert.include(error.message, "list.smyth: not a JSON object")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("takes the id from both layouts, else from the file name", () =>
    Effect.gen(function*() {
      const devDir = yield* files({
        "a.smyth": "{ \"id\": \"flat\", \"components\": [] }",
        "b.smyth": "\ufeff{ \"version\": \"1\", \"data\": { \"id\": \"wrapped\", \"name\": \"W\" } }",
        "c.smyth": "{ \"components\": [] }"
      })
      const listed = yield* (yield* storeOf(devDir)).list
      assert.deepStrictEqual(listed.map(({ id, name }) => [id, name]), [["flat", undefined], ["wrapped", "W"], [
        "c",
        undefined
      ]])
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("of two files with one id the first answers and the other is reported", () =>
    Effect.gen(function*() {
      const devDir = yield* files({ "1.smyth": "{ \"id\": \"x\", \"name\": \"one\" }", "x.smyth": "{ \"id\": \"x\" }" })
      const store = yield* storeOf(devDir)
      assert.strictEqual(Option.getOrThrow(yield* store.get("x", Option.none())).source, "1.smyth")
      const reported = (yield* store.list).map(({ problem }) => problem)
      assert.deepStrictEqual(reported, [undefined, "its id \"x\" is already used by 1.smyth"])
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("sees files that are changed, added and removed while it runs", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const devDir = yield* files({ "a.smyth": "{ \"id\": \"a\", \"name\": \"old\" }", "b.smyth": "{}" })
      const store = yield* storeOf(devDir)
      const names = Effect.map(store.list, (all) => all.map(({ id, name }) => `${id}:${name}`))
      assert.deepStrictEqual(yield* names, ["a:old", "b:undefined"])
      yield* fs.writeFileString(`${devDir}/a.smyth`, "{ \"id\": \"a\", \"name\": \"newer\" }")
      yield* fs.remove(`${devDir}/b.smyth`)
      yield* fs.writeFileString(`${devDir}/c.smyth`, "{}")
      assert.deepStrictEqual(yield* names, ["a:newer", "c:undefined"])
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("a folder that disappears is an error of the store, not an empty answer", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const devDir = `${yield* files({})}/agents`
      yield* fs.makeDirectory(devDir)
      const store = yield* storeOf(devDir)
      yield* fs.remove(devDir, { recursive: true })
      assert.strictEqual((yield* Effect.flip(store.list)).reason, "Unavailable")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("boot names the setting whose folder does not exist, and wants at least one folder", () =>
    Effect.gen(function*() {
      const missing = yield* Effect.flip(Layer.build(LocalAgentData.contract({ prodDir: "/does/not/exist" })))
      assert.strictEqual(missing.path, "AgentData.Settings.prodDir")
      const none = yield* Effect.flip(Layer.build(LocalAgentData.contract({})))
      assert.include(none.message, "needs devDir, prodDir or both")
    }))

  it.scopedLive("read under an identity: the agent and its team's members may, others may not", () =>
    Effect.gen(function*() {
      const devDir = yield* files({ "a.smyth": "{ \"id\": \"a\" }", "b.smyth": "{ \"id\": \"b\" }" })
      const environment = ConfigProvider.fromMap(new Map([["AGENTS_DEV_DIR", devDir], ["AGENTS_TEAM", "t1"]]))
      yield* Effect.gen(function*() {
        const agents = yield* AgentData
        const ids = Effect.map(agents.list, (all) => all.map(({ id }) => id))
        assert.deepStrictEqual(yield* Candidate.as(ids, Candidate.team("t1")), ["a", "b"])
        assert.deepStrictEqual(yield* Candidate.as(ids, Candidate.agent("a")), ["a"])
        assert.deepStrictEqual(yield* Candidate.as(ids, Candidate.team("t2")), [])
        const denied = yield* Effect.flip(Candidate.as(agents.get("b"), Candidate.agent("a")))
        assert.strictEqual(denied._tag, "AccessDenied")
      }).pipe(Effect.provide(Layer.provide(LocalAgentDataLive, Layer.setConfigProvider(environment))))
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})
