/** Stepping through runs, looking into them, and putting values in the place of components. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Advance, RunRef } from "../../src/agents/Agents.ts"
import { agentA, asA, pass, reaches, resultOf, summaryOf, system } from "./processes.ts"

const each = { name: "ForEach", in: ["Input"], data: { format: "results-array" } }

describe("debugging", () => {
  layer(system(), { excludeTestServices: true })((it) => {
    const chain = agentA({ A: pass, B: pass, C: pass }, ["E.x -> A.v", "A.out -> B.v", "B.out -> C.v"])
    const looped = agentA({ L: each, A: pass, O: pass }, ["E.x -> L.Input", "L.Loop -> A.v", "L.Result -> O.v"])

    const nextOf = (run: RunRef) => Effect.map(summaryOf(run), ({ next, status }) => next ?? status)
    const path = (run: RunRef, how: Advance, { agents }: Effect.Effect.Success<typeof chain>) =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        yield* reaches(run, "paused")
        while ((yield* summaryOf(run)).status === "paused") {
          seen.push(yield* nextOf(run))
          yield* agents.resume(run, how)
        }
        return seen
      })

    it.effect("steps from the first component to the last", () =>
      Effect.gen(function*() {
        const agent = yield* chain
        const run = yield* agent.start(1, { debug: { hold: true } })
        assert.deepStrictEqual(yield* path(run, "into", agent), [["E"], ["A"], ["B"], ["C"]])
        const { steps } = yield* agent.agents.inspect(run)
        assert.deepStrictEqual(steps.at(-1), {
          key: "C",
          componentId: "C",
          inputs: { v: 1 },
          outputs: { v: 1, out: 1 }
        })
      }).pipe(asA))

    it.effect("into a loop, or over it", () =>
      Effect.gen(function*() {
        const agent = yield* looped
        const into = yield* agent.start(["a", "b"], { debug: { hold: true } })
        assert.deepStrictEqual(yield* path(into, "into", agent), [["E"], ["L"], ["L[0]/A"], ["L[1]/A"], ["O"]])
        const over = yield* agent.start(["a", "b"], { debug: { hold: true } })
        assert.deepStrictEqual(yield* path(over, "over", agent), [["E"], ["L"], ["O"]])
      }).pipe(asA))

    it.effect("stops in front of breakpoints, each time it comes there", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* looped
        const run = yield* start(["a", "b"], { debug: { breakpoints: ["A"] } })
        yield* reaches(run, "paused")
        assert.deepStrictEqual(yield* nextOf(run), ["L[0]/A"])
        yield* agents.resume(run)
        yield* reaches(run, "paused")
        assert.deepStrictEqual(yield* nextOf(run), ["L[1]/A"])
        assert.deepStrictEqual((yield* agents.debug(run, { breakpoints: [] })).breakpoints, [])
        yield* agents.resume(run)
        assert.isFalse((yield* agents.result(run)).failed)
      }).pipe(asA))

    it.effect("mocks stand for a component every time, injected outputs once; `_error` makes it fail", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* looped
        const run = yield* start(["a", "b", "c"], {
          debug: { breakpoints: ["A"], mocks: { A: { out: "mock" } } }
        })
        yield* reaches(run, "paused")
        yield* agents.debug(run, { breakpoints: [], inject: { A: { out: "once" } } })
        yield* agents.resume(run)
        const { answer } = yield* agents.result(run)
        assert.deepStrictEqual(resultOf(answer)["v"], ["once", "mock", "mock"])
        const failing = yield* start(["a"], { debug: { mocks: { A: { _error: "as if" } } } })
        assert.deepStrictEqual(resultOf((yield* agents.result(failing)).answer)["v"], ["as if"])
      }).pipe(asA))

    it.effect("one component alone, also within a loop, with inputs that are made to fit", () =>
      Effect.gen(function*() {
        const { agents } = yield* looped
        const { id } = yield* agents.startComponent("agentA", { component: "A", inputs: { v: [1] } })
        const { answer } = yield* agents.result({ agent: "agentA", run: id })
        assert.deepStrictEqual(answer, { id: "A", name: "Pass", result: { v: [1], out: [1] } })
        const unknown = yield* Effect.flip(agents.startComponent("agentA", { component: "B" }))
        assert.deepInclude(unknown, { _tag: "ComponentNotFound", available: ["E", "L", "A", "O"] })
      }).pipe(asA))

    it.effect("a run that was not started for it cannot be changed; unknown components are named", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* chain
        const run = yield* start(1)
        yield* agents.result(run)
        assert.strictEqual((yield* Effect.flip(agents.debug(run, { mocks: { A: {} } })))._tag, "RunNotReady")
        const bad = yield* Effect.flip(start(1, { debug: { breakpoints: ["Z"] } }))
        assert.deepInclude(bad, { _tag: "ComponentNotFound", component: "Z" })
        assert.strictEqual((yield* Effect.flip(agents.resume(run, "into")))._tag, "RunNotReady")
      }).pipe(asA))
  })
})
