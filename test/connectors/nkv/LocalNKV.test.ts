import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { LocalNKV } from "../../../src/connectors/nkv/LocalNKV.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { NKV } from "../../../src/subsystems/io/NKV.ts"
import { suite } from "../../../src/testing/conformance/nkv.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

suite("LocalStorage", Layer.unwrapScoped(Effect.map(tempFolder, (folder) => LocalNKV.contract({ folder }))), {
  entries: 5000
})

const ann = Candidate.user("ann")
const bob = Candidate.user("bob")

const opened = <A, E>(folder: string, use: (nkv: NKV["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(Candidate.as(Effect.flatMap(NKV, use), ann), LocalNKV.layer({ folder }))

const keys = (nkv: NKV["Type"], namespace: string) =>
  Effect.map(Stream.runCollect(Stream.unwrap(nkv.list(namespace))), (all) => Array.from(all, ({ key }) => key))

describe("LocalNKV", () => {
  it.scopedLive("entries and who owns them last over a restart", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const teams = Layer.succeed(Access.Teams, (who) => Effect.succeed(who.role === "user" ? ["t1"] : []))
      const shared = "smythfs://t1.team/shared"
      const on = <A, E>(use: (nkv: NKV["Type"]) => Effect.Effect<A, E>) =>
        Effect.provide(Effect.flatMap(NKV, use), Layer.provide(LocalNKV.layer({ folder }), teams))
      yield* on((nkv) => Candidate.as(nkv.set(shared, "a:b", { by: "ann" }), ann))
      yield* on((nkv) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* Candidate.as(nkv.get(shared, "a:b"), bob), Option.some({ by: "ann" }))
          assert.deepStrictEqual(yield* Candidate.as(keys(nkv, shared), bob), ["a:b"])
          const stranger = yield* Effect.flip(Candidate.as(nkv.get(shared, "a:b"), Candidate.agent("x")))
          assert.strictEqual(stranger._tag, "AccessDenied")
        })
      )
    }))

  it.scopedLive("a damaged entry is refused, hides no other, and clearing removes it", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* opened(folder, (nkv) =>
        Effect.gen(function*() {
          yield* nkv.set("ns", "bad", 1)
          yield* nkv.set("ns", "good", 2)
          const [space] = (yield* Effect.promise(() => readdir(folder))).filter((name) => name.startsWith("user"))
          yield* Effect.promise(() => writeFile(join(folder, space!, "bad"), "{}"))
          assert.deepInclude(yield* Effect.flip(nkv.get("ns", "bad")), { _tag: "ConnectorError", reason: "Corrupted" })
          assert.deepStrictEqual(yield* keys(nkv, "ns"), ["good"])
          yield* nkv.clear("ns")
          assert.deepStrictEqual(yield* nkv.get("ns", "bad"), Option.none())
        }))
    }))

  it.scopedLive("a folder has one holder", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const second = Effect.scoped(Effect.flip(Layer.build(LocalNKV.contract({ folder }))))
      const error = yield* opened(folder, () => second)
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Locked" })
    }))
})
