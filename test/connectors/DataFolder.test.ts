import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { readdir, readFile, stat, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as DataFolder from "../../src/connectors/DataFolder.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

describe("open", () => {
  it.scopedLive("makes the folder for its owner alone, holds it, and lets go of it with the scope", () =>
    Effect.gen(function*() {
      const folder = join(yield* tempFolder, "a", "b")
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* DataFolder.open("Test", folder), folder)
        assert.strictEqual((yield* Effect.promise(() => stat(folder))).mode & 0o777, 0o700)
        const second = yield* Effect.flip(Effect.scoped(DataFolder.open("Test", folder)))
        assert.deepInclude(second, { connector: "Test", method: "open", reason: "Locked" })
      }))
      yield* DataFolder.open("Test", folder)
    }))

  it.scopedLive("by any name it is the same folder", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const link = join(yield* tempFolder, "link")
      yield* Effect.promise(() => symlink(folder, link))
      yield* DataFolder.open("Test", folder)
      assert.strictEqual((yield* Effect.flip(DataFolder.open("Test", link))).reason, "Locked")
    }))

  it.scopedLive("waiting for a lock can be interrupted", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* DataFolder.open("Test", folder)
      const fiber = yield* Effect.fork(Effect.scoped(DataFolder.open("Test", folder)))
      yield* Effect.sleep("150 millis")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }))
})

describe("writeAtomic", () => {
  it.scopedLive("replaces all of a file, and leaves the old one and nothing else when it cannot", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const path = join(folder, "file")
      yield* DataFolder.writeAtomic(path, "old")
      yield* DataFolder.writeAtomic(path, Buffer.from("new"), 0o640)
      assert.strictEqual(yield* Effect.promise(() => readFile(path, "utf8")), "new")
      assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o640)
      const started = yield* Deferred.make<void>()
      const slow = Effect.scoped(
        DataFolder.draft("Test", path, () => Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
      )
      const fiber = yield* Effect.fork(slow)
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), ["file"])
      const lost = yield* Effect.flip(DataFolder.writeAtomic(join(folder, "missing", "file"), ""))
      assert.strictEqual(lost.reason, "NotFound")
      assert.include(lost.message, join(folder, "missing"))
    }))
})

it.scopedLive("sweep removes what was being written and nothing else", () =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    yield* Effect.promise(() => Promise.all(["~tmp-1", "tmp", "~x"].map((name) => writeFile(join(folder, name), ""))))
    yield* DataFolder.sweep("Test", folder)
    assert.sameMembers(yield* Effect.promise(() => readdir(folder)), ["tmp", "~x"])
  }))

it("errors of the file system say what to do, by their code", () => {
  const reasonOf = (code: string) =>
    DataFolder.fromNodeError("Test", "put")(Object.assign(new Error("secret contents"), { code, path: "/data/x" }))
  const reasons = {
    ENOSPC: "Full",
    EDQUOT: "Full",
    EACCES: "Unauthorized",
    EROFS: "Unauthorized",
    ENOENT: "NotFound",
    EIO: "Unavailable"
  }
  for (const [code, reason] of Object.entries(reasons)) {
    const error = reasonOf(code)
    assert.deepStrictEqual([error.connector, error.method, error.reason], ["Test", "put", reason])
    assert.include(error.message, "/data/x")
    assert.notInclude(error.message, "secret contents")
  }
})
