/** Runs that are held survive the end of the process, where the cache does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Agents } from "../../src/agents/Agents.ts"
import { RedisCache } from "../../src/connectors/cache/RedisCache.ts"
import * as TestKernel from "../../src/testing/TestKernel.ts"
import { hasRedis, redisServer } from "../fixtures/RedisServer.ts"
import * as System from "../fixtures/System.ts"
import type { Short } from "./documents.ts"
import { agentA, asA, asB, components, gated, open, pass, reaches, resultOf, until, waiting } from "./processes.ts"

/** Twice the same program on one Redis: what the second gets from the first is in there. */
const twice = <A, B, E, F>(
  first: Effect.Effect<A, E, Agents>,
  second: (from: A) => Effect.Effect<B, F, Agents>
): Effect.Effect<B, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const { url } = yield* redisServer()
    const system = () => TestKernel.layer({ teams: System.teams, components, cache: RedisCache.layer({ url }) })
    const from = yield* Effect.provide(first, system())
    return yield* Effect.provide(second(from), system())
  })

const each: Short = { name: "ForEach", in: ["Input"], data: { format: "results-array", concurrency: 2 } }
const chain = agentA({ A: gated, B: pass }, ["E.x -> A.v", "A.out -> B.v"])

/** Held after its first component. */
const held = (value: unknown) =>
  Effect.gen(function*() {
    const { agents, start } = yield* chain
    const run = yield* start(value)
    yield* waiting(value)
    yield* agents.pause(run)
    yield* open(value)
    yield* reaches(run, "paused")
    return run
  })

if (hasRedis()) {
  describe("a run that is held", () => {
    it.scopedLive("goes on where it was, in another process, with its events", () =>
      twice(asA(held("r1")), (run) =>
        Effect.gen(function*() {
          const { agents } = yield* chain
          assert.deepStrictEqual((yield* agents.inspect(run)).next, ["B"])
          yield* agents.resume(run)
          assert.deepStrictEqual(resultOf((yield* agents.result(run)).answer), { v: "r1", out: "r1" })
        }).pipe(asA)))

    it.scopedLive("also within a loop", () =>
      twice(
        Effect.gen(function*() {
          const { agents, start } = yield* loop
          const run = yield* start(["a", "b", "c"])
          yield* Effect.all([waiting("a"), waiting("b")])
          yield* agents.pause(run)
          yield* Effect.all([open("a"), open("b")])
          yield* reaches(run, "paused")
          return run
        }).pipe(asA),
        (run) =>
          Effect.gen(function*() {
            const { agents } = yield* loop
            yield* agents.resume(run)
            yield* open("c")
            assert.deepStrictEqual(resultOf((yield* agents.result(run)).answer)["v"], ["a", "a", "b", "b", "c", "c"])
          }).pipe(asA)
      ))

    it.scopedLive("also a job", () =>
      twice(
        Effect.gen(function*() {
          const { agents, call } = yield* job
          const { answer } = yield* call("j1")
          const run = { agent: "agentA", run: String(resultOf(answer)["JobID"]) }
          yield* waiting("j1")
          yield* agents.pause(run)
          yield* open("j1")
          yield* reaches(run, "paused")
          return run
        }).pipe(asA),
        (run) =>
          Effect.gen(function*() {
            const { agents } = yield* job
            yield* agents.resume(run)
            assert.deepStrictEqual(resultOf((yield* agents.result(run)).answer), { v: "j1", out: "j1" })
          }).pipe(asA)
      ))

    it.scopedLive("does not go on with another document, and is not there for another tenant", () =>
      twice(asA(held("r2")), (run) =>
        Effect.gen(function*() {
          const { agents } = yield* asA(agentA({ A: pass }, ["E.x -> A.v"]))
          const error = yield* asA(Effect.flip(agents.resume(run)))
          assert.deepInclude(error, { _tag: "InvalidState", runId: run.run })
          assert.include(error.message, "changed since the run was paused")
          assert.strictEqual((yield* asB(Effect.flip(agents.resume(run))))._tag, "AgentNotFound")
          const b = yield* asB(agentA({ A: pass }, ["E.x -> A.v"], { id: "agentB" }))
          const theirs = { agent: "agentB", run: run.run }
          assert.strictEqual((yield* asB(Effect.flip(b.agents.resume(theirs))))._tag, "RunNotFound")
        })))

    it.scopedLive("is gone from the cache when it has ended", () =>
      twice(
        Effect.gen(function*() {
          const run = yield* held("r3")
          const agents = yield* Agents
          yield* agents.resume(run)
          yield* agents.result(run)
          yield* until(agents.counts, ({ paused, running }) => paused + running === 0)
          return run
        }).pipe(asA),
        (run) =>
          Effect.gen(function*() {
            const { agents } = yield* chain
            assert.strictEqual((yield* Effect.flip(agents.resume(run)))._tag, "RunNotFound")
          }).pipe(asA)
      ))
  })
}

const loop = agentA({ L: each, A: gated, B: pass, O: pass }, [
  "E.x -> L.Input",
  "L.Loop -> A.v",
  "A.out -> B.v",
  "L.Result -> O.v"
])
const job = agentA({ J: { name: "Async", in: ["v"] }, A: gated, B: pass }, ["E.x -> J.v", "J.v -> A.v", "A.out -> B.v"])
