import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option, Schema } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { SQLScheduler } from "../../../src/connectors/scheduler/SQLScheduler.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Scheduler from "../../../src/subsystems/compute/Scheduler.ts"
import * as scheduler from "../../../src/testing/conformance/scheduler.ts"
import { databases, on } from "../../fixtures/Databases.ts"
import { hasPostgres, postgresServer } from "../../fixtures/PostgresServer.ts"
import { stop } from "../../fixtures/ServerProcess.ts"

const asAgent = Candidate.as(Candidate.agent("a1"))
const now = () => new Date().toISOString()

/** A process, as far as the database can tell: a pool of connections and a runner of its own. */
const runner = <A>(
  url: string,
  work: (data: string, occurrence: Scheduler.Occurrence) => Effect.Effect<A>,
  settings: { readonly lease?: number } = {}
) =>
  Layer.build(Layer.provideMerge(
    Scheduler.handler("work", Schema.String, work),
    SQLScheduler.layer({ url, poll: 50, ...settings })
  ))

if (hasPostgres()) {
  describe("SQLScheduler on PostgreSQL", () => {
    it.scopedLive("two runners run each of 200 jobs once, and both have their share", () =>
      Effect.gen(function*() {
        const { url } = yield* postgresServer
        const runs: Array<readonly [runner: string, job: string]> = []
        const done = yield* Deferred.make<void>()
        const make = (name: string) =>
          runner(url(), (job) =>
            Effect.gen(function*() {
              runs.push([name, job])
              yield* Effect.sleep("5 millis")
              if (new Set(runs.map(([, job]) => job)).size === 200) yield* Deferred.succeed(done, undefined)
            }))
        const one = yield* make("one")
        yield* make("two")
        const jobs = yield* Effect.provide(Scheduler.Scheduler, one)
        const ids = Array.from({ length: 200 }, (_, n) => `j${n}`)
        yield* Effect.forEach(
          ids,
          (id) => jobs.add(id, { task: { kind: "work", data: id }, schedule: { at: now() } }),
          { concurrency: 8 }
        ).pipe(asAgent)
        yield* Deferred.await(done)
        const histories = yield* Effect.forEach(ids, (id) =>
          Effect.repeat(jobs.history(id), { until: (runs) => runs.length > 0 })).pipe(asAgent)
        assert.deepStrictEqual(
          histories.map((one) =>
            one.map(({ outcome }) => outcome)
          ),
          ids.map(() => ["succeeded"])
        )
        assert.deepStrictEqual(runs.map(([, job]) => job).sort(), [...ids].sort())
        assert.deepStrictEqual(new Set(runs.map(([name]) => name)), new Set(["one", "two"]))
      }), 60_000)

    it.scopedLive(
      "the job of a process that was killed is taken over by another when its lease ends",
      () =>
        Effect.gen(function*() {
          const { url } = yield* postgresServer
          const taken = yield* Deferred.make<string>()
          const due = new Date()
          const child = yield* Effect.acquireRelease(
            Effect.sync(() =>
              spawn(process.execPath, [
                "--import",
                "tsx",
                join(import.meta.dirname, "../../fixtures/SchedulerProcess.ts"),
                url(),
                due.toISOString()
              ], { stdio: ["ignore", "pipe", "inherit"] })
            ),
            (child) => stop(child)
          )
          yield* Effect.promise(() => once(child.stdout, "data"))
          const here = yield* runner(url(), (data, { due }) => Deferred.succeed(taken, `${data} ${due}`), {
            lease: 500
          })
          const jobs = yield* Effect.provide(Scheduler.Scheduler, here)
          yield* Effect.sleep("1 second")
          assert.isFalse(yield* Deferred.isDone(taken))
          child.kill("SIGKILL")
          assert.strictEqual(yield* Deferred.await(taken), `held ${due.getTime()}`)
          const [record] = yield* Effect.repeat(asAgent(jobs.history("held")), { until: (runs) => runs.length > 0 })
          assert.strictEqual(record?.outcome, "succeeded")
          assert.deepStrictEqual(Option.getOrThrow(yield* asAgent(jobs.get("held"))).status, "ended")
        }),
      60_000
    )

    it.scopedLive(
      "a runner that closes gives back what it was running, and another has it at once",
      () =>
        Effect.gen(function*() {
          const { url } = yield* postgresServer
          const started = yield* Deferred.make<void>()
          const finished = yield* Deferred.make<void>()
          yield* Effect.scoped(Effect.gen(function*() {
            const first = yield* runner(
              url(),
              () => Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
            )
            const jobs = yield* Effect.provide(Scheduler.Scheduler, first)
            yield* asAgent(jobs.add("long", { task: { kind: "work", data: "x" }, schedule: { at: now() } }))
            yield* Deferred.await(started)
          }))
          // With the default lease of 30 seconds: waiting for its end would be too long for this test.
          yield* runner(url(), () => Deferred.succeed(finished, undefined))
          yield* Deferred.await(finished)
        }),
      20_000
    )
  })
}

for (const [name, database] of databases) {
  scheduler.suite(`SQLScheduler on ${name}`, on(database, (url) => SQLScheduler.contract({ url, runJobs: false })))
}
