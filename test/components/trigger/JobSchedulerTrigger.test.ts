import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import * as Component from "../../../src/components/Component.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Scheduler from "../../../src/subsystems/compute/Scheduler.ts"
import { agentDocument } from "../../agents/documents.ts"
import { until } from "../../agents/processes.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"
import { keptOf, owner, type Served, serving } from "./system.ts"

type Settings = Readonly<Record<string, unknown>>

const document = (id: string, settings: Settings, then = "Keep") =>
  agentDocument(
    {
      T: { name: "JobSchedulerTrigger", data: { triggerEndpoint: "tick", ...settings } },
      K: { name: then, in: ["v"] }
    },
    ["T.Payload -> K.v"],
    { id }
  )

const arrived = (id: string, count: number) => until(Effect.sync(() => keptOf(id)), (all) => all.length >= count)

const jobs = ({ context }: Served, id: string) => {
  const scheduler = Context.get(context, Scheduler.Scheduler)
  return {
    list: Candidate.as(scheduler.list, Candidate.agent(id)),
    history: Candidate.as(scheduler.history("trigger-tick"), Candidate.agent(id))
  }
}

/** Until as many runs of the job are written down. */
const settled = (served: Served, id: string, count: number) =>
  until(jobs(served, id).history, (runs) => runs.length >= count)

describe("JobSchedulerTrigger", () => {
  it.scopedLive("starts a run with its payload at each interval, from its registration to its end", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const payload = `{"report": "daily"}`
      const served = yield* serving({ folder, documents: [document("j1", { interval: "1s", payload })] })
      const { agents } = served
      assert.deepStrictEqual(yield* jobs(served, "j1").list, [])
      assert.deepStrictEqual(yield* owner(agents.register("j1", "tick")), {
        name: "tick",
        component: "JobSchedulerTrigger",
        kind: "poll",
        registered: true
      })
      yield* settled(served, "j1", 2)
      assert.deepStrictEqual(keptOf("j1").slice(0, 2).map(({ value }) => value), Array(2).fill({ report: "daily" }))
      assert.deepInclude(keptOf("j1")[0]?.run.request, { endpoint: "tick", headers: {} })
      yield* owner(agents.unregister("j1", "tick"))
      assert.deepStrictEqual(yield* jobs(served, "j1").list, [])
      const count = keptOf("j1").length
      yield* Effect.sleep("1200 millis")
      assert.lengthOf(keptOf("j1"), count)
    }))

  it.scopedLive("keeps to a cron in its time zone, and to ten seconds when it is told nothing", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const served = yield* serving({
        folder,
        documents: [
          document("j2", { cron: "30 9 * * *", timeZone: "Europe/Berlin" }),
          document("j2s", { cron: "* * * * * *", payload: "no object" }),
          document("j2d", {})
        ]
      })
      for (const id of ["j2", "j2s", "j2d"]) yield* owner(served.agents.register(id, "tick"))
      const [daily] = yield* jobs(served, "j2").list
      const next = daily?.next._tag === "Some" ? daily.next.value : undefined
      assert.strictEqual(next?.toLocaleTimeString("de-DE", { timeZone: "Europe/Berlin" }), "09:30:00")
      assert.deepInclude((yield* jobs(served, "j2d").list)[0]?.job.schedule, { interval: "10s" })
      assert.deepStrictEqual((yield* arrived("j2s", 1))[0]?.value, {})
    }))

  it.scopedLive("goes on after a restart, as soon as its agent is loaded, and with the schedule it has then", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const start = (documents: ReadonlyArray<unknown>) => serving({ folder, documents })
      const often = document("j3", { interval: "1s" })
      yield* Effect.scoped(Effect.flatMap(start([often]), ({ agents }) => owner(agents.register("j3", "tick"))))
      const before = keptOf("j3").length
      yield* Effect.scoped(Effect.gen(function*() {
        const served = yield* start([])
        yield* Effect.sleep("1200 millis")
        // Nobody is there to run it: it waits, and has not failed.
        assert.lengthOf(keptOf("j3"), before)
        yield* owner(Effect.flatMap(AgentDefinition.fromUnknown(often), served.agents.load))
        yield* arrived("j3", before + 1)
        const runs = yield* settled(served, "j3", 1)
        assert.sameMembers(Array.from(new Set(runs.map(({ outcome }) => outcome))), ["succeeded"])
      }))
      const served = yield* start([document("j3", { interval: "1d" })])
      const [job] = yield* jobs(served, "j3").list
      assert.deepStrictEqual(job?.job.schedule.interval, "1d")
    }))

  it.scopedLive("waits while its agent is not loaded, and is gone with the component", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const served = yield* serving({ folder, documents: [document("j4", { interval: "1s" })] })
      const { agents } = served
      const load = (document: unknown) => owner(Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load))
      yield* owner(agents.register("j4", "tick"))
      yield* owner(agents.unload("j4"))
      yield* Effect.sleep("1200 millis")
      assert.lengthOf(yield* jobs(served, "j4").list, 1)
      assert.deepStrictEqual(keptOf("j4"), [])
      const other = { T: { name: "JobSchedulerTrigger", data: { triggerEndpoint: "tock" } } }
      yield* load(agentDocument(other, [], { id: "j4" }))
      yield* until(jobs(served, "j4").list, (all) => all.length === 0)
      assert.deepStrictEqual(keptOf("j4"), [])
    }))

  it.scopedLive("does not start a second time what is under way when its schedule changes", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const release = yield* Deferred.make<void>()
      let begun = 0
      const Hold = Component.make("Hold", {
        description: "Waits.",
        category: "data",
        openInputs: true,
        run: () => Effect.suspend(() => (begun++, Effect.as(Deferred.await(release), {})))
      })
      const { agents } = yield* serving({
        folder,
        documents: [document("j9", { interval: "1s" }, "Hold")],
        components: [Hold]
      })
      yield* owner(agents.register("j9", "tick"))
      yield* until(Effect.sync(() => begun), (count) => count === 1)
      const changed = document("j9", { interval: "2s" }, "Hold")
      yield* owner(Effect.flatMap(AgentDefinition.fromUnknown(changed), agents.load))
      yield* Effect.sleep("2500 millis")
      assert.strictEqual(begun, 1)
      yield* Deferred.succeed(release, undefined)
      yield* until(Effect.sync(() => begun), (count) => count === 2)
    }))

  it.scopedLive("tells the runs that failed in the history of the job", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const served = yield* serving({ folder, documents: [document("j5", { interval: "1s" }, "Fail")] })
      yield* owner(served.agents.register("j5", "tick"))
      const [run] = yield* settled(served, "j5", 1)
      assert.strictEqual(run?.outcome, "failed")
      assert.match(run?.error ?? "", /1 of 1 runs failed/)
    }))

  it.scopedLive("a schedule that makes no sense is told when it is loaded, and refused when it is registered", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const settings = [{ cron: "61 * * * *" }, { cron: "* * * * *", interval: "1h" }, { timeZone: "Europe/Berlin" }]
      const documents = settings.map((setting, n) => document(`j6-${n}`, setting))
      const { agents } = yield* serving({ folder, documents })
      for (const n of settings.keys()) {
        const { warnings } = yield* owner(agents.get(`j6-${n}`))
        assert.match(warnings[0]?.problem ?? "", /schedule makes no sense/)
        assert.strictEqual((yield* Effect.flip(owner(agents.register(`j6-${n}`, "tick"))))._tag, "TriggerFailed")
        assert.isFalse((yield* owner(agents.triggers(`j6-${n}`)))[0]?.registered)
      }
      const error = yield* Effect.flip(
        serving({ folder: yield* tempFolder, documents: [document("j7", { interval: "0s" })] })
      )
      assert.include(String(error), "expected a length of time")
    }))

  it.scopedLive("nobody else can have a job for it", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const served = yield* serving({ folder, documents: [document("j8", { interval: "1h" })] })
      yield* owner(served.agents.register("j8", "tick"))
      const scheduler = Context.get(served.context, Scheduler.Scheduler)
      const asOther = Candidate.as(Candidate.agent("other"))
      const [job] = yield* jobs(served, "j8").list
      yield* asOther(scheduler.add("mine", { task: job!.job.task, schedule: { interval: "1s" } }))
      const [run] = yield* until(asOther(scheduler.history("mine")), (runs) => runs.length > 0)
      assert.strictEqual(run?.outcome, "failed")
      assert.deepStrictEqual(keptOf("j8"), [])
    }))
})
