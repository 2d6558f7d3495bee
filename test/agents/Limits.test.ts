/** How many runs there may be, who waits for a place, and who is refused. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Agents, type DebugOptions } from "../../src/agents/Agents.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { agentA, asA, asTeamA, components, gated, open, pass, reaches, system, until, waiting } from "./processes.ts"

const limited = (agents: NonNullable<Parameters<typeof system>[0]>["agents"] & {}) => system({ components, agents })
const one = agentA({ A: gated }, ["E.x -> A.v"])
const queued = (count: number) =>
  until(Effect.flatMap(Agents, ({ counts }) => counts), ({ queued }) => queued === count)

describe("a queue for one place", () => {
  layer(limited({ maxRuns: 1, maxQueued: 2, maxWait: "1 minute" }), { excludeTestServices: true })((it) => {
    it.effect("is first come first served, and refuses beyond its end", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* one
        const first = yield* Effect.fork(call("q1"))
        yield* waiting("q1")
        const second = yield* Effect.fork(call("q2"))
        yield* queued(1)
        const third = yield* Effect.fork(call("q3"))
        yield* queued(2)
        assert.deepInclude(yield* Effect.flip(call("q4")), { _tag: "Overloaded", limit: "queue", max: 2 })
        yield* open("q1")
        yield* waiting("q2")
        assert.deepInclude(yield* agents.counts, { running: 1, queued: 1 })
        yield* open("q2")
        yield* open("q3")
        yield* Fiber.joinAll([first, second, third])
        assert.deepInclude(yield* agents.counts, { running: 0, queued: 0 })
      }).pipe(asA))

    it.effect("who goes away gives the place on", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* one
        const first = yield* Effect.fork(call("g1"))
        yield* waiting("g1")
        const second = yield* Effect.fork(call("g2"))
        yield* queued(1)
        const third = yield* Effect.fork(call("g3"))
        yield* queued(2)
        yield* Fiber.interrupt(second)
        yield* queued(1)
        yield* Fiber.interrupt(first)
        yield* open("g3")
        yield* Fiber.join(third)
        assert.deepInclude(yield* agents.counts, { running: 0, queued: 0 })
      }).pipe(asA))

    it.effect("who waits can be seen, and stopped", () =>
      Effect.gen(function*() {
        const { agents, call, start } = yield* one
        const first = yield* Effect.fork(call("s1"))
        yield* waiting("s1")
        const run = yield* start("s2")
        yield* queued(1)
        yield* reaches(run, "queued")
        yield* agents.stop(run, "no more")
        assert.deepInclude(yield* Effect.flip(agents.result(run)), { _tag: "RunStopped", reason: "no more" })
        assert.deepInclude(yield* agents.counts, { running: 1, queued: 0 })
        yield* open("s1")
        yield* Fiber.join(first)
      }).pipe(asA))
  })

  layer(limited({ maxRuns: 1, maxQueued: 1, maxWait: "30 millis" }), { excludeTestServices: true })((it) => {
    it.effect("and whoever waits too long is told so", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* one
        const first = yield* Effect.fork(call("w1"))
        yield* waiting("w1")
        assert.deepInclude(yield* Effect.flip(call("w2")), { _tag: "Overloaded", limit: "wait", max: 30 })
        yield* Fiber.interrupt(first)
        assert.deepInclude(yield* agents.counts, { running: 0, queued: 0 })
      }).pipe(asA))
  })
})

describe("shutdown", () => {
  const shutting = (drainTimeout: "5 seconds" | "20 millis") =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(limited({ drainTimeout }), scope)
      const { agents, start } = yield* Effect.provide(one, context)
      return { agents, start, close: Effect.fork(Scope.close(scope, Exit.void)) }
    })

  it.live("lets what runs in the background end", () =>
    Effect.gen(function*() {
      const { agents, close, start } = yield* shutting("5 seconds")
      const run = yield* start("d1")
      yield* waiting("d1")
      const closing = yield* close
      yield* open("d1")
      yield* Fiber.join(closing)
      assert.isFalse((yield* agents.result(run)).failed)
    }).pipe(asA))

  it.live("stops what does not, also what has not begun", () =>
    Effect.gen(function*() {
      const { agents, close, start } = yield* shutting("20 millis")
      const runs = [yield* start("e1"), yield* start("e2")]
      yield* Effect.flatMap(close, Fiber.join)
      for (const run of runs) {
        const { _tag } = yield* Effect.flip(agents.result(run))
        assert.include(["RunStopped", "ShuttingDown"], _tag)
      }
    }).pipe(asA))
})

describe("bounds of their own", () => {
  layer(limited({ maxRunsPerAgent: 1, maxQueued: 0 }), { excludeTestServices: true })((it) => {
    it.effect("an agent that is busy keeps no other from running", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* one
        const other = yield* Effect.flatMap(agents.fork("agentA", "A"), ({ id }) => Effect.succeed(id))
        const first = yield* Effect.fork(call("a1"))
        yield* waiting("a1")
        assert.deepInclude(yield* Effect.flip(call("a2")), { _tag: "Overloaded", limit: "agent", max: 1 })
        const branch = yield* Effect.fork(agents.call(other, { endpoint: "A", body: { v: "a3" } }))
        yield* open("a3")
        yield* Fiber.join(branch)
        yield* open("a1")
        yield* Fiber.join(first)
      }).pipe(asA))
  })

  layer(limited({ maxRunsPerCandidate: 1, maxQueued: 5 }), { excludeTestServices: true })((it) => {
    it.effect("a caller who has to wait lets others pass", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* asA(one)
        const first = yield* Effect.fork(asA(call("c1")))
        yield* waiting("c1")
        const second = yield* Effect.fork(asA(call("c2")))
        yield* asA(queued(1))
        const others = yield* Effect.fork(asTeamA(call("c3")))
        yield* open("c3")
        yield* Fiber.join(others)
        assert.deepInclude(yield* asA(agents.counts), { running: 1, queued: 1 })
        yield* open("c1")
        yield* open("c2")
        yield* Fiber.joinAll([first, second])
      }))
  })

  layer(limited({ maxPausedPerAgent: 1 }), { excludeTestServices: true })((it) => {
    it.effect("more runs than allowed are not held", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"])
        const held = yield* start("h1", { debug: { hold: true } })
        yield* reaches(held, "paused")
        const run = yield* start("h2")
        yield* waiting("h2")
        assert.deepInclude(yield* Effect.flip(agents.pause(run)), { _tag: "Overloaded", limit: "paused", max: 1 })
        yield* open("h2")
        assert.isFalse((yield* agents.result(run)).failed)
        yield* agents.stop(held)
      }).pipe(asA))
  })

  layer(limited({ maxPaused: 4, maxPausedPerTenant: 1 }), { excludeTestServices: true })((it) => {
    it.effect("the agents of one team have no more held than their team may, debugged or not", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"])
        const held = yield* start("t1", { debug: { hold: true } })
        yield* reaches(held, "paused")
        yield* agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"], { id: "a1" })
        const startOther = (x: string, debug?: DebugOptions) =>
          Effect.map(
            agents.start("a1", { endpoint: "go", body: { x }, ...debug && { debug } }),
            ({ id }) => ({ agent: "a1", run: id })
          )
        const refused = yield* Effect.flip(agents.result(yield* startOther("t2", { breakpoints: ["B"] })))
        assert.deepInclude(refused, { _tag: "Overloaded", limit: "paused", max: 1 })
        const run = yield* startOther("t3")
        yield* waiting("t3")
        assert.deepInclude(yield* Effect.flip(agents.pause(run)), { _tag: "Overloaded", limit: "paused", max: 1 })
        yield* open("t3")
        yield* agents.stop(held)
        const next = yield* startOther("t4", { hold: true })
        yield* reaches(next, "paused")
        yield* agents.stop(next)
      }).pipe(asA))
  })

  layer(limited({ backPressure: { heapUsedBytes: 1 } }), { excludeTestServices: true })((it) => {
    it.effect("a process that is too busy takes no run, and says what it lacks", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* one
        const error = yield* Effect.flip(call("busy"))
        assert.deepInclude(error, { _tag: "Overloaded", limit: "resources", resource: "the heap in bytes" })
        assert.deepInclude(yield* agents.counts, { running: 0, queued: 0 })
      }).pipe(Candidate.as(Candidate.user("a"))))
  })
})
