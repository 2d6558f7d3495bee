import { assert, describe, it } from "@effect/vitest"
import { Clock, ConfigProvider, Duration, Effect, Layer, Option, Stream } from "effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { LocalStorage, LocalStorageLive } from "../../../src/connectors/storage/LocalStorage.ts"
import * as Acl from "../../../src/security/Acl.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Storage } from "../../../src/subsystems/io/Storage.ts"
import { suite } from "../../../src/testing/conformance/storage.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

suite("Local", Layer.unwrapScoped(Effect.map(tempFolder, (folder) => LocalStorage.contract({ folder }))))

const ann = Candidate.user("ann")
const text = (value: string) => new TextEncoder().encode(value)

/** What `use` does with a freshly opened store, as ann. */
const opened = <A, E>(folder: string, use: (storage: Storage["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(Candidate.as(Effect.flatMap(Storage, use), ann), LocalStorage.layer({ folder }))

const filesIn = (folder: string) =>
  Effect.promise(async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((one) => one.isFile()).map(({ name, parentPath }) => join(parentPath, name))
  })

/** A process that holds the folder: `write` keeps on writing one object until it is killed. */
const holder = (folder: string, mode: "hold" | "write") =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const script = fileURLToPath(new URL("../../fixtures/StorageHolder.ts", import.meta.url))
      const child = spawn(process.execPath, ["--import", "tsx", script, folder, mode], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      await once(child.stdout, "data")
      return child
    }),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )

describe("LocalStorage", () => {
  it.scopedLive("objects, their lists and their metadata last over a restart", () =>
    Effect.gen(function*() {
      const folder = join(yield* tempFolder, "made", "here")
      yield* opened(folder, (storage) =>
        Effect.all([
          storage.write("a/b.txt", text("kept"), { metadata: { n: 1 } }),
          storage.share("a/b.txt", Candidate.anyone, ["read"])
        ]))
      yield* opened(folder, (storage) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* storage.acl("a/b.txt"), Acl.grant(Acl.ownedBy(ann), Candidate.anyone, ["read"]))
          assert.deepStrictEqual((yield* storage.info("a/b.txt")).metadata, { n: 1 })
          const bob = yield* Candidate.as(storage.read("smythfs://ann.user/a/b.txt"), Candidate.user("bob"))
          assert.deepStrictEqual(bob, text("kept"))
        }))
      assert.strictEqual((yield* Effect.promise(() => stat(folder))).mode & 0o777, 0o700)
      for (const file of yield* filesIn(folder)) {
        assert.strictEqual((yield* Effect.promise(() => stat(file))).mode & 0o777, 0o600)
      }
    }))

  it.scopedLive("uses the folder of SRE_DATA", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const environment = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_DATA", folder]])))
      yield* Effect.flatMap(Storage, (storage) => storage.write("x", text("x"))).pipe(
        Candidate.as(ann),
        Effect.provide(Layer.provide(LocalStorageLive, environment))
      )
      assert.include(yield* Effect.promise(() => readdir(folder)), "storage")
    }))

  it.scopedLive("a folder that cannot be made is an error that names it", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "file")
      yield* Effect.promise(() => writeFile(file, ""))
      for (const folder of [file, join(file, "below"), "/proc/nothing/here"]) {
        const error = yield* Effect.flip(Layer.build(LocalStorage.contract({ folder })))
        assert.include(error.message, folder.startsWith("/proc") ? "/proc/nothing" : file)
      }
    }))

  it.scopedLive("a read-only folder is an error that names it and says so", (context) =>
    Effect.gen(function*() {
      const folder = yield* mounted("size=64k,ro")
      if (folder === undefined) return context.skip("mounting a file system is not permitted here")
      const error = yield* Effect.flip(Layer.build(LocalStorage.contract({ folder })))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.include(error.message, folder)
      assert.include(error.message, "read-only")
    }))

  it.scopedLive("a full disk fails the write alone: what was there stays, and nothing is left behind", (context) =>
    Effect.gen(function*() {
      const folder = yield* mounted("size=64k")
      if (folder === undefined) return context.skip("mounting a file system is not permitted here")
      yield* opened(folder, (storage) =>
        Effect.gen(function*() {
          yield* storage.write("a", text("old"))
          const error = yield* Effect.flip(storage.write("a", new Uint8Array(200_000)))
          assert.deepInclude(error, { _tag: "ConnectorError", reason: "Full" })
          assert.deepStrictEqual(yield* storage.read("a"), text("old"))
          yield* storage.write("b", new Uint8Array(10_000))
        }))
      assert.strictEqual((yield* filesIn(folder)).length, 2)
    }))

  it.scopedLive("a damaged object is refused and hides no other", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* opened(folder, (storage) =>
        Effect.gen(function*() {
          yield* storage.write("good", text("good"))
          const damages: ReadonlyArray<(bytes: Buffer) => Buffer> = [
            () => Buffer.alloc(0),
            () => Buffer.from("{}"),
            (bytes) => bytes.subarray(0, bytes.length - 1),
            (bytes) => Buffer.concat([bytes, Buffer.from("more")]),
            // Another owner in the list, as somebody with an editor might try.
            (bytes) => Buffer.from(bytes.toString("latin1").replace("\"id\":\"ann\"", "\"id\":\"bob\""), "latin1"),
            (bytes) => Buffer.from(bytes.map((byte, index) => index === 5 ? byte ^ 1 : byte))
          ]
          for (const [index, damage] of damages.entries()) {
            yield* storage.write(`bad${index}`, text("secret"))
            const file = (yield* filesIn(folder)).find((path) => path.endsWith(`bad${index}`))!
            yield* Effect.promise(async () => writeFile(file, damage(await readFile(file))))
            for (const method of ["read", "info", "acl"] as const) {
              const refused = yield* Effect.flip<unknown, unknown, never>(storage[method](`bad${index}`))
              assert.deepInclude(refused, { _tag: "ConnectorError", reason: "Corrupted" })
            }
            const bob = Candidate.as(storage.read(`smythfs://ann.user/bad${index}`), Candidate.user("bob"))
            assert.deepInclude(yield* Effect.flip(bob), { reason: "Corrupted" })
          }
          assert.deepStrictEqual(yield* storage.read("good"), text("good"))
          const listed = yield* Stream.runCollect(Stream.unwrap(storage.list("")))
          assert.deepStrictEqual(Array.from(listed, ({ key }) => key), ["good"])
        }))
    }))

  it.scopedLive("what has expired is removed from the disk when the store is opened, also beside files of others", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* Effect.promise(() => writeFile(join(folder, ".DS_Store"), ""))
      yield* opened(folder, (storage) =>
        Effect.all([
          storage.write("gone", text("x"), { timeToLive: Duration.millis(1) }),
          storage.write("kept", text("x"), { timeToLive: Duration.days(1) })
        ]))
      yield* Effect.sleep("5 millis")
      yield* opened(
        folder,
        () => Effect.repeat(filesIn(folder), { until: (files) => files.every((file) => !file.endsWith("gone")) })
      )
      assert.strictEqual((yield* filesIn(folder)).length, 2)
    }))

  it.scopedLive("what a killed process was writing is cleared away, and what only looks like it stays", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* Effect.promise(() => mkdir(join(folder, "user%3aann"), { recursive: true }))
      yield* Effect.promise(() => writeFile(join(folder, "user%3aann", "~tmp-left"), "half"))
      yield* opened(folder, (storage) => storage.write("~tmp-x", text("mine")))
      yield* opened(
        folder,
        (storage) => Effect.map(storage.read("~tmp-x"), (bytes) => assert.deepStrictEqual(bytes, text("mine")))
      )
      assert.strictEqual((yield* filesIn(folder)).length, 1)
    }))

  it.scopedLive(
    "a folder has one holder: a second opening is refused, here and from another process",
    () =>
      Effect.gen(function*() {
        const folder = yield* tempFolder
        const refused = Effect.scoped(Effect.flip(Layer.build(LocalStorage.contract({ folder }))))
        yield* opened(folder, () =>
          Effect.map(refused, (error) => {
            assert.deepInclude(error, { _tag: "ConnectorError", reason: "Locked" })
            assert.include(error.message, folder)
            assert.include(error.message, "SRE_DATA")
          }))
        yield* Effect.scoped(Effect.zipRight(
          holder(folder, "hold"),
          Effect.map(refused, (error) => assert.deepInclude(error, { reason: "Locked" }))
        ))
        yield* opened(folder, (storage) => storage.write("after", text("a killed holder")))
      }),
    40_000
  )

  it.scopedLive("a process killed while it writes leaves whole objects and nothing else", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const child = yield* holder(folder, "write")
      yield* Effect.sleep("300 millis")
      child.kill("SIGKILL")
      yield* Effect.promise(() => once(child, "exit"))
      const started = yield* Clock.currentTimeMillis
      yield* opened(folder, (storage) =>
        Effect.gen(function*() {
          const bytes = yield* storage.read("object")
          assert.strictEqual(bytes.length, 3_000_000)
          assert.isTrue(bytes.every((byte) => byte === bytes[0]))
          assert.isAtMost(Option.getOrThrow(yield* Effect.option(storage.info("object"))).modified, started)
        }))
      assert.strictEqual((yield* filesIn(folder)).length, 1)
    }), 40_000)
})

const run = promisify(execFile)

/** A small file system of its own, where the system lets us mount one. */
const mounted = (options: string) =>
  Effect.gen(function*() {
    const folder = yield* tempFolder
    return yield* Effect.acquireRelease(
      Effect.promise(() =>
        run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]).then(() => folder, () => undefined)
      ),
      (mounted) => mounted === undefined ? Effect.void : Effect.promise(() => run("umount", [mounted]))
    )
  })
