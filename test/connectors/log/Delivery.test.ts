import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { record } from "../../../src/testing/conformance/log.ts"
import * as FaultProxy from "../../fixtures/FaultProxy.ts"
import { managedHost } from "../../fixtures/managed.ts"
import * as OtlpSink from "../../fixtures/OtlpSink.ts"
import { root } from "../../fixtures/source.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { elastic, eventually, isSent, linesIn, messages, numbered, open, recordingLogger } from "./sinks.ts"

describe("records on their way to a server", () => {
  for (const mode of ["busy", "down", "denied"] as const) {
    it.scopedLive(`nothing is lost and nothing comes twice while the server is ${mode}`, () =>
      Effect.gen(function*() {
        const { folder, server, settings } = yield* elastic
        server.mode = mode
        const log = yield* open(settings)
        yield* log.write(numbered(0, 3))
        yield* eventually(() => server.requests.length > 0)
        yield* log.write(numbered(3, 5))
        assert.strictEqual((yield* Effect.promise(() => linesIn(folder))).length, 5)
        server.mode = "fine"
        yield* isSent(folder)
        assert.deepStrictEqual(messages(server), numbered(0, 5).map(({ message }) => message))
      }))
  }

  it.scopedLive("items the server had no room for are sent again, those it has are not", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      server.mode = "full"
      const log = yield* open(settings)
      yield* log.write(numbered(0, 7))
      yield* isSent(folder)
      assert.sameMembers(messages(server), numbered(0, 7).map(({ message }) => message))
      assert.strictEqual(server.repeated(), 0)
    }))

  it.scopedLive("an answer that is lost leads to no second copy", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      server.mode = "deaf"
      const log = yield* open(settings)
      yield* log.write(numbered(0, 4))
      yield* eventually(() => server.documents.size === 4)
      server.mode = "fine"
      yield* isSent(folder)
      assert.strictEqual(server.documents.size, 4)
      assert.isAtLeast(server.repeated(), 4)
    }))

  it.scopedLive("a record that is refused for good is reported by its kind, not its contents, and stops no other", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      server.mode = "picky"
      const { layer, lines } = yield* recordingLogger
      const log = yield* Effect.provide(open(settings), layer)
      yield* log.write([record("one"), record("poison s3cret"), record("two")])
      yield* isSent(folder)
      assert.deepStrictEqual(messages(server), ["one", "two"])
      assert.deepStrictEqual(lines, ["SmythLog: 1 log records were refused: document_parsing_exception (400)"])
    }))

  it.scopedLive("a request that is too large is halved", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      server.mode = "tooLarge"
      const log = yield* open(settings)
      yield* log.write(numbered(0, 5))
      yield* isSent(folder)
      assert.deepStrictEqual(messages(server), numbered(0, 5).map(({ message }) => message))
    }))

  it.scopedLive("what waits is bounded: beyond, a write fails and says what to do", () =>
    Effect.gen(function*() {
      const { server, settings } = yield* elastic
      server.mode = "down"
      const log = yield* open({ ...settings, maxSpoolBytes: 1000 })
      const error = yield* Effect.flip(Effect.forever(log.write([record("x".repeat(100))])))
      assert.strictEqual(error.reason, "Full")
      assert.include(error.message, "maxSpoolBytes")
    }))

  it.scopedLive("what an earlier process left is sent, also behind a line it did not finish", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      server.mode = "down"
      const scope = yield* Scope.make()
      const log = yield* Scope.extend(open(settings), scope)
      yield* log.write(numbered(0, 2))
      yield* Scope.close(scope, Exit.void)
      const [name = ""] = (yield* Effect.promise(() => readdir(folder))).filter((one) => one.endsWith(".jsonl"))
      yield* Effect.promise(() => writeFile(join(folder, name), `{"kind":"activ`, { flag: "a" }))
      server.mode = "fine"
      yield* open(settings)
      yield* isSent(folder)
      assert.deepStrictEqual(messages(server), ["n-0", "n-1"])
    }))

  it.scopedLive(
    "a process that is killed loses nothing it wrote, and the next one sends nothing twice",
    () =>
      Effect.gen(function*() {
        const { folder, server, settings } = yield* elastic
        server.mode = "deaf"
        const script = join(root, "test", "fixtures", "LogWriter.ts")
        const written = yield* Effect.promise(async () => {
          const child = spawn(process.execPath, ["--import", "tsx", script, JSON.stringify(settings)], { cwd: root })
          const exited = once(child, "exit")
          let count = 0
          for await (const line of child.stdout) {
            count = Number(String(line).trim().split("\n").at(-1))
            if (count >= 20 && server.documents.size > 0) break
          }
          child.kill("SIGKILL")
          await exited
          return count
        })
        server.mode = "fine"
        yield* open(settings)
        yield* isSent(folder)
        const stored = messages(server)
        assert.isAtLeast(written, 20)
        assert.isAtLeast(stored.length, written)
        assert.deepStrictEqual(stored.sort(), stored.map((_, n) => `n-${n}`).sort())
        assert.isAbove(server.repeated(), 0)
      }),
    30_000
  )
})

/** Each destination: where it listens, and what it keeps, each record once. */
const destinations = {
  elasticsearch: Effect.map(elastic, ({ folder, server, settings }) => ({
    folder,
    settings,
    port: server.port,
    kept: Effect.sync(() => messages(server))
  })),
  otlp: Effect.gen(function*() {
    const sink = yield* OtlpSink.make()
    const folder = yield* tempFolder
    return {
      folder,
      settings: { destination: "otlp", url: sink.url, folder, flushInterval: 10, drainTimeout: 200 } as const,
      port: sink.port,
      // A collector may get a record again; it has the same identity then.
      kept: Effect.sync(() =>
        Array.from(new Map(sink.logs().map(({ attributes, body }) => [attributes["log.record.uid"], body])).values())
      )
    }
  }),
  http: Effect.gen(function*() {
    const { folder: hostFolder, port, team, token, url } = yield* managedHost
    const folder = yield* tempFolder
    const endpoint = `${url}/smyth/v1/teams/${team}/log/records`
    const settings = {
      destination: "http",
      url: endpoint,
      token,
      folder,
      flushInterval: 10,
      drainTimeout: 200
    } as const
    const lines = Effect.promise(() => linesIn(join(hostFolder, "log")))
    const kept = Effect.map(lines, (all) => all.map((line) => (JSON.parse(line) as { message: string }).message))
    return { folder, settings, port, kept }
  })
}

describe("records on a network that fails", () => {
  for (const name of ["elasticsearch", "otlp", "http"] as const) {
    it.scopedLive(
      `every record arrives once at ${name}, in its order, whatever the network does meanwhile`,
      () =>
        Effect.gen(function*() {
          const { folder, kept, port, settings } = yield* destinations[name]
          const proxy = yield* FaultProxy.make(port)
          const url = settings.url.replace(`:${port}`, `:${proxy.port}`)
          const log = yield* open({ ...settings, url, timeout: 300 })
          const faults: ReadonlyArray<FaultProxy.Fault> = [
            { cutAfterBytes: 0 },
            { cutAfterBytes: 40 },
            { stall: Infinity },
            "refuse",
            { dripMillis: 1 },
            { stall: 20 }
          ]
          for (const [n, fault] of faults.entries()) {
            yield* proxy.set(fault)
            yield* log.write(numbered(4 * n, 4 * n + 4))
            yield* Effect.sleep("100 millis")
          }
          yield* proxy.set("pass")
          yield* isSent(folder)
          assert.deepStrictEqual(yield* kept, numbered(0, 24).map(({ message }) => message))
        }),
      60_000
    )
  }

  it.scopedLive("shutdown does not wait for a server that says nothing", () =>
    Effect.gen(function*() {
      const { folder, server, settings } = yield* elastic
      const proxy = yield* FaultProxy.make(server.port)
      yield* proxy.set({ stall: Infinity })
      yield* Effect.scoped(
        Effect.gen(function*() {
          const log = yield* open({ ...settings, url: `http://127.0.0.1:${proxy.port}` })
          yield* log.write(numbered(0, 2))
          yield* eventually(() => proxy.connections() > 0)
        })
      ).pipe(Effect.timeout("5 seconds"))
      assert.strictEqual((yield* Effect.promise(() => linesIn(folder))).length, 2)
    }))
})
