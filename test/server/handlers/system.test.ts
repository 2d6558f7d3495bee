import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { post, send, serving } from "../serving.ts"

describe("health", () => {
  it.scopedLive("counts agents and runs, and measures the process", () =>
    Effect.gen(function*() {
      const { begun, url } = yield* serving({ agents: { maxRuns: 1 } })
      const slow = yield* Effect.fork(post(`${url}/agents/a1/api/slow`, {}))
      yield* Deferred.await(begun)
      const waiting = yield* Effect.fork(post(`${url}/agents/a1/api/slow`, {}))
      const { runs } = yield* send(`${url}/health`).pipe(
        Effect.map(({ json }) => json),
        Effect.repeat({ until: ({ runs }) => runs.queued > 0 })
      )
      assert.deepInclude(runs, { agents: 2, running: 1, queued: 1, paused: 0, jobs: 0 })
      const { resources, status } = (yield* send(`${url}/health`)).json
      assert.strictEqual(status, "live")
      assert.isAbove(resources.heapUsedBytes, 0)
      assert.isAbove(resources.residentBytes, 0)
      assert.isAbove(resources.fibers, 0)
      yield* Fiber.interruptAll([slow, waiting])
    }))
})

describe("metrics", () => {
  it.scopedLive("are there for Prometheus", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { headers, status, text } = yield* send(`${url}/metrics`)
      assert.strictEqual(status, 200)
      assert.include(headers.get("content-type"), "text/plain; version=0.0.4")
      assert.match(
        text,
        /^# HELP sre_runs_running Runs under way\n# TYPE sre_runs_running gauge\nsre_runs_running \d+$/m
      )
      assert.match(text, /^sre_resident_bytes \d+$/m)
      assert.match(text, /^sre_fibers \d+$/m)
      assert.notMatch(text, /\{/)
    }))
})
