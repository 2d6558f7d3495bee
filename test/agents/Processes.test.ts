/** Runs that are held, let go, stopped and watched, in a whole system. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Chunk, Effect, Fiber, Layer, Stream } from "effect"
import { Agents, type RunRef } from "../../src/agents/Agents.ts"
import { OpenAILLM } from "../../src/connectors/llm/OpenAILLM.ts"
import { JSONModels } from "../../src/connectors/models/JSONModels.ts"
import { UndiciOutbound } from "../../src/connectors/outbound/UndiciOutbound.ts"
import { NullVault } from "../../src/connectors/vault/NullVault.ts"
import * as LLM from "../../src/subsystems/llm/LLM.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import {
  agentA,
  asA,
  asB,
  asTeamA,
  gated,
  gates,
  open,
  pass,
  reaches,
  resultOf,
  summaryOf,
  system,
  until,
  waiting
} from "./processes.ts"

const each = (data: Record<string, unknown> = {}) => ({
  name: "ForEach",
  in: ["Input"],
  data: { format: "minimal", ...data }
})

describe("pause", () => {
  layer(system(), { excludeTestServices: true })((it) => {
    it.effect("takes effect before the next step, and the summary says so", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"])
        const run = yield* start("p1")
        yield* waiting("p1")
        assert.strictEqual((yield* agents.pause(run)).status, "pausing")
        yield* open("p1")
        const paused = yield* reaches(run, "paused")
        assert.deepStrictEqual(paused.next, ["B"])
        assert.deepInclude(yield* agents.counts, { running: 0, paused: 1 })
        const { values } = yield* agents.inspect(run)
        assert.deepStrictEqual(values, [{ from: "E.x", to: "A.v", value: "p1" }, {
          from: "A.out",
          to: "B.v",
          value: "p1"
        }])
        yield* agents.resume(run)
        assert.deepStrictEqual(resultOf((yield* agents.result(run)).answer), { v: "p1", out: "p1" })
        assert.deepInclude(yield* agents.counts, { running: 0, paused: 0 })
        const late = yield* Effect.flip(agents.pause(run))
        assert.deepInclude(late, { _tag: "RunNotReady", status: "answered" })
      }).pipe(asA))

    it.effect("is taken back by a resume before it took effect", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"])
        const run = yield* start("p2")
        yield* waiting("p2")
        yield* agents.pause(run)
        assert.strictEqual((yield* agents.resume(run)).status, "running")
        yield* open("p2")
        assert.isFalse((yield* agents.result(run)).failed)
      }).pipe(asA))

    it.effect("a call whose caller goes away while it is held goes on", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"])
        const caller = yield* Effect.fork(call("p3"))
        yield* waiting("p3")
        const { id } = (yield* agents.runs("agentA")).find(({ status }) => status === "running")!
        const run = { agent: "agentA", run: id }
        yield* agents.pause(run)
        yield* open("p3")
        yield* reaches(run, "paused")
        yield* Fiber.interrupt(caller)
        yield* agents.resume(run)
        assert.strictEqual((yield* agents.result(run)).runId, id)
      }).pipe(asA))

    it.effect("holds a loop between the steps of its items", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ L: each({ concurrency: 2 }), A: gated, B: pass, O: pass }, [
          "E.x -> L.Input",
          "L.Loop -> A.v",
          "A.out -> B.v",
          "L.Result -> O.v"
        ])
        const run = yield* start([1, 2, 3])
        yield* Effect.all([waiting(1), waiting(2)])
        yield* agents.pause(run)
        yield* Effect.all([open(1), open(2)])
        assert.deepStrictEqual((yield* reaches(run, "paused")).next, ["L[0]/B", "L[1]/B"])
        yield* agents.resume(run)
        yield* open(3)
        const { answer } = yield* agents.result(run)
        assert.deepStrictEqual(resultOf(answer)["v"], [{ v: 1, out: 1 }, { v: 2, out: 2 }, { v: 3, out: 3 }])
      }).pipe(asA))
  })
})

const stopped = (run: RunRef) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    assert.strictEqual((yield* agents.stop(run, "enough")).status, "stopped")
    const error = yield* Effect.flip(agents.result(run))
    assert.deepInclude(error, { _tag: "RunStopped", reason: "enough", run: run.run })
    assert.deepInclude(yield* agents.counts, { running: 0, paused: 0, jobs: 0 })
    // Once more is nothing.
    assert.strictEqual((yield* agents.stop(run, "again")).status, "stopped")
  })

describe("stop", () => {
  layer(system({ allow: ["127.0.0.1"] }), { excludeTestServices: true })((it) => {
    it.effect("interrupts what sleeps", () =>
      Effect.gen(function*() {
        const { start } = yield* agentA({ A: { name: "FSleep", in: ["Input"], data: { delay: 600 } } }, [
          "E.x -> A.Input"
        ])
        const run = yield* start(1)
        yield* reaches(run, "running")
        yield* stopped(run)
      }).pipe(asA))

    it.effect("interrupts an HTTP call, whose connection is closed", () =>
      Effect.gen(function*() {
        const server = yield* HttpServer.make(() => undefined)
        const { start } = yield* agentA(
          { A: { name: "APICall", in: ["v"], data: { method: "GET", url: server.url } } },
          [
            "E.x -> A.v"
          ]
        )
        const run = yield* start(1)
        yield* until(Effect.sync(() => server.requests.length), (count) => count === 1)
        yield* stopped(run)
        yield* Effect.promise(() => server.aborted)
      }).pipe(Effect.scoped, asA))

    it.effect("interrupts all items of a loop", () =>
      Effect.gen(function*() {
        const { start } = yield* agentA({ L: each({ concurrency: 3 }), A: gated }, ["E.x -> L.Input", "L.Loop -> A.v"])
        const run = yield* start(["a", "b", "c", "d"])
        yield* Effect.all([waiting("a"), waiting("b"), waiting("c")])
        yield* stopped(run)
        assert.strictEqual(gates.size, 0)
      }).pipe(asA))

    it.effect("stops the jobs of the run with it", () =>
      Effect.gen(function*() {
        const { start } = yield* agentA({ J: { name: "Async", in: ["v"] }, A: gated, W: gated }, [
          "E.x -> J.v",
          "J.v -> A.v",
          "J.JobID -> W.v"
        ])
        const run = yield* start("job")
        yield* waiting("job")
        yield* until(Effect.sync(() => gates.size), (size) => size === 2)
        yield* stopped(run)
        assert.strictEqual(gates.size, 0)
      }).pipe(asA))

    it.effect("of a run that is held forgets it", () =>
      Effect.gen(function*() {
        const { start } = yield* agentA({ A: pass }, ["E.x -> A.v"])
        const run = yield* start(1, { debug: { hold: true } })
        yield* reaches(run, "paused")
        yield* stopped(run)
      }).pipe(asA))

    it.effect("unloading an agent stops its runs, its jobs and its branches", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: gated }, ["E.x -> A.v"])
        const branch = yield* agents.fork("agentA", "A")
        yield* start("own")
        yield* agents.start(branch.id, { endpoint: "A", body: { v: "branch" } })
        yield* Effect.all([waiting("own"), waiting("branch")])
        yield* agents.unload("agentA")
        assert.strictEqual(gates.size, 0)
        assert.deepInclude(yield* agents.counts, { agents: 0, running: 0 })
        assert.strictEqual((yield* Effect.flip(agents.get(branch.id)))._tag, "AgentNotFound")
      }).pipe(asA))
  })
})

describe("stop of a model", () => {
  it.scopedLive("interrupts its stream", () =>
    Effect.gen(function*() {
      const server = yield* OpenAIServer.make({ text: "one two", finish: null, done: false, then: "silence" })
      const openai = OpenAILLM.contract({ apiKey: "sk-1", baseURL: server.baseURL })
      const llm = LLM.layer.pipe(
        Layer.provide([LLM.providers([openai]), NullVault.layer({}), JSONModels.layer({}), UndiciOutbound.layer({})])
      )
      yield* Effect.gen(function*() {
        const { agents, start } = yield* agentA({
          A: { name: "GenAILLM", in: ["Input"], data: { model: "gpt-4o", prompt: "{{Input}}", passthrough: true } }
        }, ["E.x -> A.Input"])
        const run = yield* start("hello")
        yield* Stream.runDrain(
          Stream.takeUntil(agents.events(run), ({ event }) => event._tag === "Content" || event._tag === "RunEnded")
        )
        yield* stopped(run)
        yield* Effect.promise(() => server.aborted)
      }).pipe(asA, Effect.provide(system({ llm })))
    }))
})

describe("jobs", () => {
  layer(system(), { excludeTestServices: true })((it) => {
    const withJob = (atEnd: string) =>
      agentA({ J: { name: "Async", in: ["v"], data: { atEnd } }, A: gated }, ["E.x -> J.v", "J.v -> A.v"])
    const jobs = Effect.map(
      Effect.flatMap(Agents, (agents) => agents.runs("agentA")),
      (runs) => runs.filter(({ what }) => what === "job J")
    )

    it.effect("outlive the run", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* withJob("outlive")
        const { answer } = yield* call("o")
        const job = { agent: "agentA", run: String(resultOf(answer)["JobID"]) }
        yield* open("o")
        assert.deepStrictEqual(resultOf((yield* agents.result(job)).answer), { out: "o" })
      }).pipe(asA))

    it.effect("or are waited for", () =>
      Effect.gen(function*() {
        const { call } = yield* withJob("await")
        const caller = yield* Effect.fork(call("w"))
        yield* waiting("w")
        assert.isNull(caller.unsafePoll())
        yield* open("w")
        yield* Fiber.join(caller)
        assert.isTrue((yield* jobs).some(({ status }) => status === "answered"))
      }).pipe(asA))

    it.effect("or are stopped with it", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* withJob("stop")
        const { answer } = yield* call("s")
        const error = yield* Effect.flip(agents.result({ agent: "agentA", run: String(resultOf(answer)["JobID"]) }))
        assert.deepInclude(error, { _tag: "RunStopped", reason: "the run that started it has ended" })
        assert.strictEqual(gates.size, 0)
      }).pipe(asA))

    it.effect("are bounded: one more fails its step, with a word about it", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({
          L: each({ concurrency: 100 }),
          J: { name: "Async", in: ["v"] },
          A: gated
        }, ["E.x -> L.Input", "L.Loop -> J.v", "J.v -> A.v"])
        const run = yield* start(Array.from({ length: 1001 }, (_, at) => `j${at}`))
        const { answer } = yield* agents.result(run)
        assert.include(JSON.stringify(answer), "1000 jobs are running, no more are started")
        assert.strictEqual((yield* agents.counts).jobs, 1000)
        yield* agents.unload("agentA")
        assert.deepInclude(yield* agents.counts, { jobs: 0 })
      }).pipe(asA))
  })
})

describe("events", () => {
  layer(system(), { excludeTestServices: true })((it) => {
    it.effect("are read again from any number on, until the end", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: pass }, ["E.x -> A.v"])
        const run = yield* start(1)
        const all = Chunk.toReadonlyArray(yield* Stream.runCollect(agents.events(run)))
        assert.strictEqual(all.at(-1)?.event._tag, "RunEnded")
        const later = Chunk.toReadonlyArray(yield* Stream.runCollect(agents.events(run, 3)))
        assert.deepStrictEqual(later, all.slice(3))
      }).pipe(asA))

    it.effect("a reader who comes too late is told how many are gone; the run does not wait for one", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ L: each(), A: pass }, ["E.x -> L.Input", "L.Loop -> A.v"])
        const run = yield* start(Array.from({ length: 1000 }, (_, at) => at))
        yield* agents.result(run)
        const all = Chunk.toReadonlyArray(yield* Stream.runCollect(agents.events(run)))
        const [{ event: gap, seq }, next] = all as [typeof all[number], typeof all[number]]
        assert.strictEqual(seq, 0)
        assert.isTrue(gap._tag === "Gap" && gap.missed === next.seq)
        assert.strictEqual(all.at(-1)?.event._tag, "RunEnded")
      }).pipe(asA))
  })
})

type Ask = Effect.Effect<unknown, { readonly _tag: string }>

describe("who may", () => {
  layer(system(), { excludeTestServices: true })((it) => {
    it.effect("see and hold a run: its caller and the owners of the agent; look into it: owners alone", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* asA(agentA({ A: gated }, ["E.x -> A.v"]))
        const run = yield* asA(start("mine"))
        yield* waiting("mine")
        assert.strictEqual((yield* asB(Effect.flip(agents.result(run))))._tag, "AgentNotFound")
        const asks: ReadonlyArray<Ask> = [agents.result(run), agents.pause(run), agents.stop(run), agents.inspect(run)]
        for (const ask of asks) {
          assert.strictEqual((yield* asTeamA(Effect.flip(ask)))._tag, "AccessDenied")
        }
        assert.deepStrictEqual(yield* asTeamA(agents.runs("agentA")), [])
        const theirs = {
          agent: "agentA",
          run: (yield* asTeamA(agents.start("agentA", { endpoint: "go", body: { x: "t" } }))).id
        }
        yield* waiting("t")
        assert.strictEqual((yield* asTeamA(agents.runs("agentA"))).length, 1)
        const debug = agents.start("agentA", { endpoint: "go", body: { x: 1 }, debug: {} })
        const alone = agents.startComponent("agentA", { component: "A" })
        const owned: ReadonlyArray<Ask> = [agents.inspect(theirs), debug, alone]
        for (const ask of owned) {
          assert.strictEqual((yield* asTeamA(Effect.flip(ask)))._tag, "AccessDenied")
        }
        assert.strictEqual((yield* asA(agents.inspect(theirs))).id, theirs.run)
        yield* asTeamA(agents.stop(theirs))
        assert.strictEqual((yield* asA(summaryOf(run))).status, "running")
        assert.strictEqual((yield* asA(Effect.flip(agents.result({ ...run, run: "run-no" }))))._tag, "RunNotFound")
        yield* asA(agents.stop(run))
      }))
  })
})
