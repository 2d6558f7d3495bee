/** What runs leave behind: nothing but what they came to. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { agentA, asA, pass, resultOf, system } from "./processes.ts"

setFlagsFromString("--expose-gc")
const gc = runInNewContext("gc") as () => void

const heapUsed = Effect.sync(() => {
  gc()
  return process.memoryUsage().heapUsed
})

describe("memory", () => {
  layer(system(), { excludeTestServices: true })((it) => {
    it.effect("a loop of 100,000 items keeps their results, and nothing of its bodies", () =>
      Effect.gen(function*() {
        const { call } = yield* agentA({
          L: { name: "ForEach", in: ["Input"], data: { format: "results-array" } },
          A: { ...pass, out: ["out"] },
          B: { name: "Pass", in: ["v"], out: [] },
          O: pass
        }, ["E.x -> L.Input", "L.Loop -> A.v", "A.out -> B.v", "L.Result -> O.v"])
        const items = Array.from({ length: 100_000 }, (_, at) => at)
        yield* call(items.slice(0, 1000))
        const before = yield* heapUsed
        const { answer } = yield* call(items)
        const after = yield* heapUsed
        assert.strictEqual((resultOf(answer)["v"] as ReadonlyArray<unknown>).length, 200_000)
        // Two numbers in three lists for each item; a state kept for each would take a kilobyte.
        assert.isBelow((after - before) / items.length, 200)
      }).pipe(asA), 120_000)

    it.effect("20,000 runs leave the table empty", () =>
      Effect.gen(function*() {
        const { agents, call } = yield* agentA({ A: pass }, ["E.x -> A.v"])
        yield* Effect.forEach(Array.from({ length: 1000 }), (_, at) => call(at), { discard: true })
        const before = yield* heapUsed
        yield* Effect.forEach(Array.from({ length: 20_000 }), (_, at) => call(at), { concurrency: 50, discard: true })
        const after = yield* heapUsed
        assert.deepStrictEqual(yield* agents.runs("agentA"), [])
        const counts: object = yield* agents.counts
        assert.deepInclude(counts, { running: 0, queued: 0, paused: 0, jobs: 0, known: 0 })
        assert.isBelow((after - before) / 20_000, 200)
      }).pipe(asA), 120_000)

    it.effect("runs that ended are kept as far as they are small", () =>
      Effect.gen(function*() {
        const { agents, start } = yield* agentA({ A: pass }, ["E.x -> A.v"])
        const runs = yield* Effect.forEach(Array.from({ length: 60 }), () => start("x".repeat(2_000_000)))
        yield* Effect.forEach(runs.slice(-1), agents.result)
        const kept = (yield* agents.runs("agentA")).map(({ id }) => id)
        assert.isBelow(kept.length, 40)
        assert.include(kept, runs.at(-1)?.run)
      }).pipe(asA))
  })
})
