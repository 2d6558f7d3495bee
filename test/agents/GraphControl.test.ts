/** Random graphs that are stopped, held, saved and stepped through: the answer is that of a run nobody touches. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Exit, FastCheck, Fiber, Scope } from "effect"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import type { AgentRun } from "../../src/agents/AgentRun.ts"
import { cache, running } from "./documents.ts"
import { count, expected, live, maxRounds, sameAs, timed } from "./graphRuns.ts"
import { atOnce, documentOf, type Graph, graphs, registryOf, type Timing } from "./graphs.ts"

const options = { maxNodes: 40, cycles: true, loops: true }
const withJobs = { ...options, jobs: true }
const withoutJobs = { ...options, jobs: false }

const agentOf = (graph: Graph, timing: Timing, emit?: (event: AgentEventBody) => void) =>
  running(documentOf(graph), { registry: registryOf(timing), maxRounds, ...(emit === undefined ? {} : { emit }) })

const moments = (many: number) => Effect.repeatN(Effect.yieldNow(), many)

/** Until nothing of a run is under way: it is held, or over. */
const rest = (run: AgentRun) =>
  Effect.suspend(() => run.isOver || run.status === "paused" ? Effect.void : Deferred.await(run.rest))

/** A graph and a moment, of those that are not refused. */
const property = (
  options: Parameters<typeof graphs>[0],
  usual: number,
  check: (graph: Graph, seed: number, moment: number) => Promise<void>
) =>
  Effect.promise(() =>
    FastCheck.assert(
      FastCheck.asyncProperty(graphs(options), FastCheck.integer(), FastCheck.nat(80), async (graph, seed, moment) => {
        const rule = expected(graph)
        FastCheck.pre(rule !== undefined && (!(rule instanceof Error) || "message" in rule && rule.message !== ""))
        await check(graph, seed, moment)
      }),
      { numRuns: count(usual) }
    )
  )

describe("a random graph", () => {
  it.live(
    "stopped at any moment ends with a typed error, or was over",
    () =>
      property(withJobs, 150, (graph, seed, moment) =>
        live(
          Effect.gen(function*() {
            const { begin, runs } = yield* agentOf(graph, timed(seed))
            const run = yield* begin({ body: { x: 7 } })
            yield* runs.launch(run)
            yield* moments(moment)
            yield* runs.stop(run, "enough")
            const result = yield* Effect.either(Deferred.await(run.outcome))
            if (Either.isLeft(result) && result.left._tag === "RunStopped") {
              assert.strictEqual(result.left.reason, "enough")
            } else sameAs(expected(graph), result)
            assert.isTrue(run.isOver)
            const { paused, running } = yield* runs.counts
            assert.deepStrictEqual({ paused, running }, { paused: 0, running: 0 })
          }).pipe(Effect.scoped, Effect.provide(cache))
        )),
    300_000
  )

  it.live(
    "held at any moment and let go again answers as if it never was",
    () =>
      property(withJobs, 150, (graph, seed, moment) =>
        live(
          Effect.gen(function*() {
            const { begin, runs } = yield* agentOf(graph, timed(seed))
            const run = yield* begin({ body: { x: 7 } })
            const fiber = yield* Effect.fork(Effect.either(runs.complete(run)))
            for (let holds = 0; holds < 3 && !run.isOver; holds++) {
              yield* moments(moment)
              if (run.isOver) break
              yield* runs.pause(run)
              yield* rest(run)
              if (!run.isOver) yield* runs.resume(run, "continue")
            }
            sameAs(expected(graph), yield* Fiber.join(fiber))
          }).pipe(Effect.scoped, Effect.provide(cache))
        )),
    300_000
  )

  it.live(
    "saved at any moment goes on in another process, and answers the same",
    () =>
      property(withoutJobs, 150, (graph, seed, moment) =>
        live(
          Effect.gen(function*() {
            const first = yield* Scope.make()
            const { begin, runs } = yield* Scope.extend(agentOf(graph, timed(seed)), first)
            const run = yield* begin({ body: { x: 7 } })
            yield* runs.launch(run)
            yield* moments(moment)
            if (!run.isOver) yield* runs.pause(run)
            yield* rest(run)
            const result = run.isOver ? yield* Effect.either(Deferred.await(run.outcome)) : undefined
            yield* Scope.close(first, Exit.void)
            if (result !== undefined) return sameAs(expected(graph), result)
            const next = yield* agentOf(graph, timed(seed + 1))
            const restored = yield* next.runs.find(next.process, run.id)
            yield* next.runs.resume(restored, "continue")
            sameAs(expected(graph), yield* Effect.either(Deferred.await(restored.outcome)))
          }).pipe(Effect.scoped, Effect.provide(cache))
        )),
    300_000
  )

  it.live(
    "stepped through from its beginning runs each step once, one at a time",
    () =>
      property({ ...withoutJobs, maxNodes: 24 }, 100, (graph) =>
        live(
          Effect.gen(function*() {
            const steps: Array<string> = []
            const { begin, runs } = yield* agentOf(graph, atOnce, (event) => {
              if (event._tag === "StepStarted") steps.push(event.key)
            })
            const run = yield* begin({ body: { x: 7 } }, { debug: { hold: true }, events: false })
            yield* runs.launch(run)
            yield* rest(run)
            while (!run.isOver) {
              const before = steps.length
              yield* runs.resume(run, "into")
              assert.isAtMost(steps.length - before, 1)
            }
            const rule = expected(graph)
            sameAs(rule, yield* Effect.either(Deferred.await(run.outcome)))
            if (rule !== undefined && !(rule instanceof Error)) assert.deepStrictEqual(steps.sort(), rule.steps)
          }).pipe(Effect.scoped, Effect.provide(cache))
        )),
    300_000
  )
})
