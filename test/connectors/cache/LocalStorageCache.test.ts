import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { LocalStorageCache } from "../../../src/connectors/cache/LocalStorageCache.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Cache } from "../../../src/subsystems/memory/Cache.ts"
import { suite } from "../../../src/testing/conformance/cache.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const opened = <A, E>(folder: string, use: (cache: Cache["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(
    Candidate.as(Effect.flatMap(Cache, use), Candidate.user("ann")),
    LocalStorageCache.layer({ folder })
  )

describe("LocalStorageCache", () => {
  it.scopedLive("entries and what is left of their time last over a restart; expired ones give their space back", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* opened(folder, (cache) =>
        Effect.all([
          cache.set("kept", "1", { timeToLive: "1 hour" }),
          cache.set("../short/é", "2", { timeToLive: "10 millis" }).pipe(Effect.flip),
          cache.set("short", "2", { timeToLive: "10 millis" })
        ]))
      yield* Effect.sleep("20 millis")
      const files = Effect.promise(() => readdir(join(folder, "user%3aann")))
      assert.lengthOf(yield* files, 2)
      yield* opened(folder, (cache) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* cache.get("kept"), Option.some("1"))
          assert.isTrue(Option.isSome(yield* cache.timeToLive("kept")))
          assert.deepStrictEqual(yield* cache.get("short"), Option.none())
          yield* Effect.repeat(files, { until: ({ length }) => length === 1 })
        }))
    }))

  it.scopedLive("a folder has one holder", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const second = Effect.scoped(Effect.flip(Layer.build(LocalStorageCache.contract({ folder }))))
      assert.deepInclude(yield* opened(folder, () => second), { _tag: "ConnectorError", reason: "Locked" })
    }))
})

suite("LocalStorage", Layer.unwrapScoped(Effect.map(tempFolder, (folder) => LocalStorageCache.contract({ folder }))))
