import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Clock,
  Deferred,
  type Duration,
  Effect,
  Layer,
  Option,
  Ref,
  Schema,
  TestClock,
  TestServices
} from "effect"
import { DummyAccount } from "../../../src/connectors/account/DummyAccount.ts"
import { LocalScheduler } from "../../../src/connectors/scheduler/LocalScheduler.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Scheduler from "../../../src/subsystems/compute/Scheduler.ts"

const ann = Candidate.as(Candidate.user("ann"))
const bob = Candidate.as(Candidate.user("bob"))
const teams = DummyAccount.layer({
  data: { crew: { users: { ann: {} }, agents: { a1: {} } }, other: { users: { bob: {} }, agents: {} } }
})

const note = (data: unknown = "x") => ({ kind: "note", data })

/** What ran, as `candidate data at-second`; `use` gets the runs so far. */
const system = <A, E>(
  use: (ran: Ref.Ref<ReadonlyArray<string>>) => Effect.Effect<A, E, Scheduler.Scheduler>,
  work: (data: string) => Effect.Effect<unknown, { readonly message: string }> = () => Effect.void,
  settings: Parameters<typeof LocalScheduler.layer>[0] = {}
) =>
  Effect.gen(function*() {
    const ran = yield* Ref.make<ReadonlyArray<string>>([])
    const kinds = Scheduler.handler("note", Schema.String, (data) =>
      Effect.gen(function*() {
        const who = yield* Candidate.current
        const seconds = (yield* Clock.currentTimeMillis) / 1000
        yield* Ref.update(ran, (all) => [...all, `${Candidate.format(who)} ${data} ${seconds}`])
        return yield* work(data)
      }))
    const scheduler = Layer.provide(LocalScheduler.layer({ file: ":memory:", ...settings }), teams)
    return yield* Effect.provide(use(ran), Layer.provideMerge(kinds, scheduler))
  })

/** Everything that can happen at this time has: twice in a row the same is asleep. */
const quiet = Effect.gen(function*() {
  const asleep = Effect.map(TestClock.sleeps(), (all) => Chunk.toReadonlyArray(all).join())
  let same = 0
  for (let before = ""; same < 4;) {
    yield* TestServices.provideLive(Effect.sleep("3 millis"))
    const now = yield* asleep
    same = now === before ? same + 1 : 0
    before = now
  }
})

const pass = (duration: Duration.DurationInput) =>
  Effect.zipRight(Effect.zipRight(quiet, TestClock.adjust(duration)), quiet)

describe("Scheduler", () => {
  it.effect("runs a job at its interval as its owner, until it is removed", () =>
    system((ran) =>
      ann(Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        yield* jobs.add("reports/daily", { task: note(), schedule: { interval: "10s" } })
        for (let n = 0; n < 3; n++) yield* pass("10 seconds")
        assert.deepStrictEqual(yield* Ref.get(ran), ["user:ann x 10", "user:ann x 20", "user:ann x 30"])
        const history = yield* jobs.history("reports/daily")
        assert.deepStrictEqual(history.map(({ attempts, due, outcome }) => [due.getTime(), outcome, attempts]), [
          [30_000, "succeeded", 1],
          [20_000, "succeeded", 1],
          [10_000, "succeeded", 1]
        ])
        yield* jobs.remove("reports/daily")
        yield* pass("1 minute")
        assert.lengthOf(yield* Ref.get(ran), 3)
        assert.deepStrictEqual(yield* jobs.list, [])
      }))
    ))

  it.effect("runs by cron in a time zone, and once at a time", () =>
    system((ran) =>
      ann(Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        yield* jobs.add("c", { task: note("cron"), schedule: { cron: "30 1,2 * * *", timeZone: "Europe/Berlin" } })
        yield* jobs.add("o", { task: note("once"), schedule: { at: "1970-01-01T00:45:00Z" } })
        yield* pass("30 minutes")
        yield* pass("15 minutes")
        yield* pass("45 minutes")
        assert.deepStrictEqual(yield* Ref.get(ran), ["user:ann cron 1800", "user:ann once 2700", "user:ann cron 5400"])
        const all = yield* jobs.list
        assert.deepStrictEqual(all.map(({ id, next, status }) => [id, status, Option.isSome(next)]), [
          ["c", "active", true],
          ["o", "ended", false]
        ])
      }))
    ))

  it.effect("does not overlap a job with itself: what came meanwhile is run once, skipped, or run after the other", () =>
    system((ran) =>
      ann(Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        const every = { interval: "10s" }
        yield* jobs.add("once", { task: note("once"), schedule: every })
        yield* jobs.add("skip", { task: note("skip"), schedule: every, missed: "skip" })
        yield* jobs.add("all", { task: note("all"), schedule: every, missed: { all: 2 } })
        for (let n = 0; n < 14; n++) yield* pass("5 seconds")
        const times = (kind: string) =>
          Effect.map(Ref.get(ran), (all) =>
            all.filter((one) => one.includes(kind)).map((one) => Number(one.split(" ")[2])))
        assert.deepStrictEqual(yield* times("once"), [10, 35, 60])
        assert.deepStrictEqual(yield* times("skip"), [10, 40, 70])
        assert.deepStrictEqual(yield* times("all"), [10, 35, 60])
        const due = (id: string) =>
          Effect.map(jobs.history(id), (runs) =>
            runs.map(({ due }) => due.getTime() / 1000).reverse())
        assert.deepStrictEqual((yield* due("once")).slice(0, 2), [10, 30])
        assert.deepStrictEqual((yield* due("all")).slice(0, 2), [10, 20])
      })), () => Effect.sleep("25 seconds")))

  it.effect("one team's long jobs leave places to others, however many of them are due", () =>
    Effect.gen(function*() {
      const ends = yield* Deferred.make<void>()
      yield* system((ran) =>
        Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          const at = (data: string, second: number) => ({
            task: note(data),
            schedule: { at: `1970-01-01T00:00:0${second}Z` }
          })
          for (const n of [1, 2, 3]) {
            yield* ann(jobs.add(`job${n}`, at("long", n)))
            yield* Candidate.as(jobs.add(`job${n}`, at("long", n)), Candidate.agent("a1"))
          }
          yield* bob(jobs.add("one", at("short", 4)))
          yield* bob(jobs.add("two", at("short", 5)))
          for (let n = 0; n < 6; n++) yield* pass("1 second")
          const began = Effect.map(Ref.get(ran), (all) => all.map((one) => one.split(" ").slice(0, 2).join(" ")))
          const first = ["user:ann long", "agent:a1 long", "user:bob short", "user:bob short"]
          assert.sameMembers([...yield* began], first)
          yield* Deferred.succeed(ends, undefined)
          yield* quiet
          assert.lengthOf(yield* began, 8)
        }), (data) =>
        data === "long" ? Deferred.await(ends) : Effect.void, { concurrency: 4 })
    }))

  it.effect("tries again with growing waits, and writes down what went wrong in the end", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      yield* system((ran) =>
        ann(Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          yield* jobs.add("shaky", {
            task: note("shaky"),
            schedule: { at: "1970-01-01T00:00:01Z" },
            retries: { times: 5, delay: "2s" }
          })
          yield* jobs.add("broken", {
            task: note("broken"),
            schedule: { at: "1970-01-01T00:00:01Z" },
            retries: { times: 1 }
          })
          for (let n = 0; n < 20; n++) yield* pass("1 second")
          const times = (yield* Ref.get(ran)).filter((one) => one.includes("shaky")).map((one) =>
            Number(one.split(" ")[2])
          )
          assert.deepStrictEqual(times, [1, 3, 7])
          assert.deepInclude((yield* jobs.history("shaky"))[0], { outcome: "succeeded", attempts: 3 })
          assert.deepInclude((yield* jobs.history("broken"))[0], { outcome: "failed", attempts: 2, error: "no luck" })
        })), (data) =>
        data === "broken"
          ? Effect.fail({ message: "no luck" })
          : Effect.flatMap(
            Ref.updateAndGet(tries, (n) => n + 1),
            (n) => n < 3 ? Effect.fail({ message: "not yet" }) : Effect.void
          ))
    }))

  it.effect("interrupts a try that takes too long, and a crash of the handler is a failed run", () =>
    Effect.gen(function*() {
      const interrupted = yield* Deferred.make<void>()
      yield* system(() =>
        ann(Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          yield* jobs.add("slow", { task: note("slow"), schedule: { at: "1970-01-01T00:00:01Z" }, timeout: "5s" })
          yield* jobs.add("crash", { task: note("crash"), schedule: { at: "1970-01-01T00:00:01Z" } })
          yield* pass("1 second")
          yield* pass("5 seconds")
          yield* Deferred.await(interrupted)
          assert.deepInclude((yield* jobs.history("slow"))[0], { outcome: "failed", error: "it took longer than 5s" })
          assert.deepInclude((yield* jobs.history("crash"))[0], { outcome: "failed", error: "boom" })
        })), (data) =>
        data === "crash"
          ? Effect.die(new Error("boom"))
          : Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
    }))

  it.effect("a paused job does not run, a resumed one from the next time on; replacing keeps the history", () =>
    system((ran) =>
      ann(Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        yield* jobs.add("j", { task: note("a"), schedule: { interval: "10s" } })
        yield* pass("10 seconds")
        yield* jobs.pause("j")
        yield* pass("25 seconds")
        assert.strictEqual(Option.getOrThrow(yield* jobs.get("j")).status, "paused")
        yield* jobs.resume("j")
        yield* pass("5 seconds")
        yield* jobs.add("j", { task: note("b"), schedule: { interval: "1m" }, name: "other" })
        yield* pass("60 seconds")
        assert.deepStrictEqual(yield* Ref.get(ran), ["user:ann a 10", "user:ann a 40", "user:ann b 100"])
        assert.lengthOf(yield* jobs.history("j"), 3)
        assert.strictEqual(Option.getOrThrow(yield* jobs.get("j")).job.name, "other")
      }))
    ))

  it.effect("removing a job ends the run that is under way", () =>
    Effect.gen(function*() {
      const interrupted = yield* Deferred.make<void>()
      yield* system(() =>
        ann(Effect.gen(function*() {
          const jobs = yield* Scheduler.Scheduler
          yield* jobs.add("j", { task: note(), schedule: { at: "1970-01-01T00:00:01Z" } })
          yield* pass("1 second")
          yield* jobs.remove("j")
          yield* pass("30 seconds")
          yield* Deferred.await(interrupted)
        })), () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
    }))

  it.effect("jobs are private; a team's are its members', and run as the team", () =>
    system((ran) =>
      Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        const job = { task: note(), schedule: { interval: "10s" } }
        yield* ann(jobs.add("mine", job))
        yield* ann(jobs.add("smythfs://crew.team/shared", { ...job, task: note("user:root") }))
        assert.deepStrictEqual(yield* bob(jobs.list), [])
        for (const key of ["smythfs://ann.user/mine", "smythfs://crew.team/shared"]) {
          for (const call of [jobs.get, jobs.pause, jobs.resume, jobs.remove, jobs.history]) {
            assert.strictEqual((yield* Effect.flip(bob(call(key))))._tag, "AccessDenied")
          }
          assert.strictEqual((yield* Effect.flip(bob(jobs.add(key, job))))._tag, "AccessDenied")
        }
        assert.strictEqual((yield* Effect.flip(jobs.list))._tag, "NoCandidate")
        yield* pass("10 seconds")
        assert.sameMembers([...yield* Ref.get(ran)], ["user:ann x 10", "team:crew user:root 10"])
      })
    ))

  it.effect("bad jobs are refused with what is wrong with them", () =>
    system(() =>
      ann(Effect.gen(function*() {
        const jobs = yield* Scheduler.Scheduler
        const refused = (job: unknown) => Effect.map(Effect.flip(jobs.add("j", job as never)), ({ message }) => message)
        const every = { interval: "1m" }
        assert.include(yield* refused({ task: { kind: "notes", data: 1 }, schedule: every }), "Did you mean \"note\"?")
        assert.include(yield* refused({ task: note(7), schedule: every }), "task.data: Expected string")
        assert.include(
          yield* refused({ task: note(), schedule: { interval: "0s" } }),
          "schedule.interval: expected a length"
        )
        assert.include(yield* refused({ task: note(), schedule: every, retries: { times: 99 } }), "retries.times")
        assert.include(yield* refused({ task: note(), schedule: every, owner: "user:root" }), "owner: is unexpected")
        assert.include(
          yield* refused({ task: note(), schedule: { ...every, endDate: "1969-01-01T00:00:00Z" } }),
          "no time to come"
        )
        assert.include(yield* refused({ task: note("y".repeat(100_000)), schedule: every }), "longer than")
        assert.strictEqual((yield* Effect.flip(jobs.add("../j", { task: note(), schedule: every })))._tag, "InvalidKey")
        assert.strictEqual((yield* Effect.flip(jobs.pause("none")))._tag, "JobNotFound")
        assert.deepStrictEqual(yield* jobs.list, [])
      }))
    ))
})
