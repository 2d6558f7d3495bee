import * as HttpApp from "@effect/platform/HttpApp"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { Agent, request } from "node:http"
import * as Server from "../../src/server/Server.ts"
import { post, send, serving } from "./serving.ts"

describe("what there is", () => {
  it.scopedLive("agents, with what their endpoints take", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* send(`${url}/agents`)
      assert.deepStrictEqual(json.agents.map(({ id }: { id: string }) => id), ["a1", "a2"])
      const one = (yield* send(`${url}/agents/a1`)).json
      assert.deepStrictEqual(one, json.agents[0])
      assert.deepInclude(one, { name: "Agent a1", description: "Be brief." })
      assert.deepStrictEqual(one.endpoints[0], {
        name: "echo",
        method: "POST",
        path: "/agents/a1/api/echo",
        description: "The echo endpoint",
        inputs: [
          { name: "text", type: "Any", required: true, description: "" },
          { name: "count", type: "Integer", required: false, description: "" }
        ]
      })
    }))

  it.scopedLive("an agent's OpenAPI document leads back to its endpoints", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* send(`${url}/agents/a1/openapi.json`)
      assert.strictEqual(json.servers[0].url, `${url}/agents/a1`)
      assert.property(json.paths, "/api/echo")
      assert.strictEqual((yield* post(`${json.servers[0].url}/api/echo`, { text: "x" })).status, 200)
    }))

  it.scopedLive("the API's own document names paths, statuses and the shape of errors", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const { json } = yield* send(`${url}/openapi.json`)
      const { responses } = json.paths["/agents/{id}/api/{endpoint}"].post
      assert.includeMembers(Object.keys(responses), ["200", "400", "401", "404", "413", "422", "429", "503", "504"])
      assert.includeMembers(json.components.schemas.BodyTooLarge.required, ["error", "message", "maxBytes"])
    }))

  it.scopedLive("health with resources, and readiness", () =>
    Effect.gen(function*() {
      const { url } = yield* serving()
      const health = yield* send(`${url}/health`)
      assert.strictEqual(health.json.status, "live")
      assert.isAbove(health.json.resources.residentBytes, 0)
      assert.deepStrictEqual((yield* send(`${url}/ready`)).json, { status: "ready" })
      assert.strictEqual((yield* send(`${url}/health`, { method: "HEAD" })).status, 200)
    }))
})

describe("a shutdown", () => {
  /** A server that can be closed while a test goes on. */
  const closable = (options: Parameters<typeof serving>[0] = {}) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      const server = yield* Scope.extend(serving(options), scope)
      return { ...server, close: Scope.close(scope, Exit.void) }
    })

  it.scopedLive("finishes what is under way and takes nothing more", () =>
    Effect.gen(function*() {
      const { begun, close, port, release, url } = yield* closable()
      const keepAlive = yield* Effect.acquireRelease(
        Effect.sync(() => new Agent({ keepAlive: true, maxSockets: 1 })),
        (agent) => Effect.sync(() => agent.destroy())
      )
      const get = (path: string) =>
        Effect.async<{ status: number; error: unknown }>((resume) => {
          request({ host: "127.0.0.1", port, path, agent: keepAlive }, (response) => {
            let body = ""
            response.on("data", (chunk) => body += chunk)
            response.on(
              "end",
              () => resume(Effect.succeed({ status: response.statusCode ?? 0, error: JSON.parse(body).error }))
            )
          }).on("error", (error) => resume(Effect.succeed({ status: 0, error: error.message }))).end()
        })
      assert.strictEqual((yield* get("/ready")).status, 200)
      const slow = yield* Effect.fork(post(`${url}/agents/a1/api/slow`, { text: "x" }))
      yield* Deferred.await(begun)
      const closing = yield* Effect.fork(close)
      // Until the run is released the server cannot be gone; it no longer answers new requests with anything but a refusal.
      yield* Effect.repeat(get("/ready"), { until: ({ status }) => status !== 200 })
      assert.isNull(closing.unsafePoll())
      yield* Deferred.succeed(release, undefined)
      const { json, status } = yield* Fiber.join(slow)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(json.result, { in: { text: "x" } })
      yield* Fiber.join(closing)
      assert.match(String((yield* get("/health")).error), /ECONNREFUSED|ECONNRESET/)
    }))

  it.scopedLive("does not wait for ever: what does not end is interrupted", () =>
    Effect.gen(function*() {
      const { begun, close, stopped, url } = yield* closable({ router: { drainTimeout: 50 } })
      const slow = yield* Effect.fork(Effect.exit(Effect.tryPromise(() =>
        fetch(`${url}/agents/a1/api/slow`, {
          method: "POST"
        })
      )))
      yield* Deferred.await(begun)
      yield* close
      yield* Deferred.await(stopped)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(slow)))
    }))
})

describe("the app alone", () => {
  it.scopedLive("can be mounted where there is another server", () =>
    Effect.gen(function*() {
      const { context } = yield* serving()
      const handler = yield* Effect.provide(
        Effect.gen(function*() {
          const app = yield* Server.app({ auth: "local" })
          return HttpApp.toWebHandlerRuntime(yield* Effect.runtime<never>())(app)
        }),
        context
      )
      const ask = (path: string, init: RequestInit = {}) =>
        Effect.promise(() =>
          handler(
            new Request(`http://localhost${path}`, {
              ...init,
              headers: { host: "localhost", "content-type": "application/json" }
            })
          )
        )
      assert.strictEqual((yield* ask("/health")).status, 200)
      const echo = yield* ask("/agents/a1/api/echo", { method: "POST", body: `{"text":"x"}` })
      assert.strictEqual(echo.status, 200)
      assert.deepInclude(yield* Effect.promise(() => echo.json()), { result: { in: { text: "x" } } })
      const over = yield* ask("/agents/a1/api/echo", { method: "POST", body: "x".repeat(11 * 1024 * 1024) })
      assert.strictEqual(over.status, 413)
    }))
})
