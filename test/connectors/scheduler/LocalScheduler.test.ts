import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option, Schema } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { LocalScheduler } from "../../../src/connectors/scheduler/LocalScheduler.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Scheduler from "../../../src/subsystems/compute/Scheduler.ts"
import * as scheduler from "../../../src/testing/conformance/scheduler.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const asAgent = Candidate.as(Candidate.agent("a1"))

describe("LocalScheduler", () => {
  it.scopedLive("makes no file before the first job", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "deep", "jobs.sqlite")
      yield* Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        assert.deepStrictEqual(yield* jobs.list, [])
        assert.deepStrictEqual(yield* jobs.get("one"), Option.none())
        assert.deepStrictEqual(yield* jobs.history("one"), [])
        yield* jobs.remove("one")
        assert.strictEqual((yield* Effect.flip(jobs.pause("one")))._tag, "JobNotFound")
        assert.isFalse(existsSync(file))
      }).pipe(asAgent, Effect.provide(LocalScheduler.layer({ file })))
    }))

  it.scopedLive("jobs survive a restart: due ones run, paused ones do not, and history stays", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "jobs.sqlite")
      const session = <A, E>(use: (ran: Effect.Effect<string>) => Effect.Effect<A, E, Scheduler.Scheduler>) =>
        Effect.gen(function*() {
          const ran = yield* Deferred.make<string>()
          const kinds = Scheduler.handler(
            "note",
            Schema.String,
            (text) =>
              Effect.flatMap(Candidate.current, (who) => Deferred.succeed(ran, `${Candidate.format(who)} ${text}`))
          )
          const system = Layer.provideMerge(kinds, LocalScheduler.layer({ file }))
          return yield* Effect.provide(use(Deferred.await(ran)).pipe(asAgent), system)
        })
      yield* session(() =>
        Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          const soon = new Date(Date.now() + 700).toISOString()
          yield* jobs.add("once", { task: { kind: "note", data: "after the restart" }, schedule: { at: soon } })
          yield* jobs.add("paused", { task: { kind: "note", data: "never" }, schedule: { interval: "1s" } })
          yield* jobs.pause("paused")
        })
      )
      yield* Effect.sleep("800 millis")
      yield* session((ran) =>
        Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          assert.strictEqual(yield* ran, "agent:a1 after the restart")
          yield* Effect.repeat(jobs.history("once"), { until: (runs) => runs.length > 0 })
        })
      )
      yield* session(() =>
        Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          assert.deepStrictEqual((yield* jobs.history("once")).map(({ outcome }) => outcome), ["succeeded"])
          assert.deepStrictEqual((yield* jobs.list).map(({ id, status }) => [id, status]), [
            ["once", "ended"],
            ["paused", "paused"]
          ])
          assert.deepStrictEqual(yield* jobs.history("paused"), [])
        })
      )
    }))

  it.scopedLive("a file that is none of SQLite's is a typed failure of the call, and harms nobody else", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const add = Effect.flatMap(
        Scheduler.Scheduler,
        (jobs) => jobs.add("x", { task: { kind: "note", data: 1 }, schedule: { interval: "1s" } })
      )
      const error = yield* Effect.flip(add).pipe(
        asAgent,
        Effect.provide(Layer.provideMerge(
          Scheduler.handler("note", Schema.Unknown, () => Effect.void),
          LocalScheduler.layer({ file: folder })
        ))
      )
      assert.strictEqual(error._tag, "ConnectorError")
    }))
})

scheduler.suite("LocalScheduler", LocalScheduler.contract({ file: ":memory:" }))
