import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope, Stream } from "effect"
import express, { type Express } from "express"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { ExpressRouter } from "../../../src/connectors/router/ExpressRouter.ts"
import type { BootError } from "../../../src/kernel/BootError.ts"
import { type App, Router } from "../../../src/subsystems/io/Router.ts"
import { suite } from "../../../src/testing/conformance/router.ts"

const echo: App = Effect.flatMap(
  HttpServerRequest.HttpServerRequest,
  ({ method, text, url }) =>
    Effect.map(Effect.orDie(text), (body) => HttpServerResponse.text(`sre ${method} ${url} ${body}`))
)

const send = (url: string, init: RequestInit = {}) =>
  Effect.promise((signal) =>
    fetch(url, { signal, ...init }).then(async (response) => [response.status, await response.text()] as const)
  )

const post = (url: string, type: string, body: string) =>
  send(url, { method: "POST", body, headers: { "content-type": type } })

/** A host with routes of its own before and behind what `configure` and the router add. */
const hosting = (path: string, configure: (app: Express) => void = () => {}) =>
  Effect.gen(function*() {
    const app = express()
    app.get("/own", (_, response) => void response.send("own"))
    configure(app)
    const server = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const server = app.listen(0, "127.0.0.1")
        await once(server, "listening")
        return server
      }),
      (server) =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
        )
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const context = yield* Layer.build(ExpressRouter.layer({ app, path, baseUrl: `${url}/`, drainTimeout: 5000 }))
    return { app, url, router: Context.get(context, Router) }
  })

describe("ExpressRouter in the host's app", () => {
  it.scopedLive("answers below its path, beside the host's own routes", () =>
    Effect.gen(function*() {
      const { router, url } = yield* hosting("/sre")
      yield* router.serve(echo)
      assert.strictEqual(yield* router.baseUrl, `${url}/sre`)
      assert.deepStrictEqual(yield* send(`${url}/own`), [200, "own"])
      assert.deepStrictEqual(yield* send(`${url}/sre/a%20b?q=1`), [200, "sre GET /a%20b?q=1 "])
      assert.deepStrictEqual(yield* post(`${url}/sre/x`, "text/plain", "é"), [200, "sre POST /x é"])
      assert.strictEqual((yield* send(`${url}/other`))[0], 404)
    }))

  it.scopedLive("a body that a parser of the host has read comes through", () =>
    Effect.gen(function*() {
      const { router, url } = yield* hosting("/", (app) => {
        app.use(express.json(), express.urlencoded({ extended: false }), express.text(), express.raw())
      })
      yield* router.serve(echo)
      const bodies = [
        ["application/json", `{"a":[1,"é"]}`],
        ["application/x-www-form-urlencoded", "a=1&a=2&b=%C3%A9"],
        ["text/plain", "plain é"],
        ["application/octet-stream", "raw"]
      ] as const
      for (const [type, body] of bodies) {
        assert.deepStrictEqual(yield* post(`${url}/x`, type, body), [200, `sre POST /x ${body}`])
      }
      assert.deepStrictEqual(yield* send(`${url}/x`, { method: "POST" }), [200, "sre POST /x "])
    }))

  it.scopedLive("a body that was read and is gone is an error of the host that says what to do", () =>
    Effect.gen(function*() {
      let told: unknown
      const { app, router, url } = yield* hosting("/", (app) => {
        app.use((request, _, next) => void request.resume().once("end", () => next()))
      })
      yield* router.serve(echo)
      app.use((error: Error, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
        told = error.message
        response.status(500).send("host's own")
      })
      assert.deepStrictEqual(yield* post(`${url}/x`, "application/json", "{}"), [500, "host's own"])
      assert.include(String(told), "before this body parser")
      assert.deepStrictEqual(yield* send(`${url}/x`), [200, "sre GET /x "])
    }))

  it.scopedLive("streams come as they are made, and wait for a slow client", () =>
    Effect.gen(function*() {
      let made = 0
      const chunk = new Uint8Array(256 * 1024)
      const { router, url } = yield* hosting("/sre")
      yield* router.serve(
        Effect.succeed(HttpServerResponse.stream(
          Stream.rechunk(
            Stream.repeatEffect(Effect.sync(() => {
              made++
              return chunk
            })),
            1
          )
        ))
      )
      const client = yield* Effect.fork(Effect.promise(async (signal) => {
        const { body } = await fetch(`${url}/sre/`, { signal })
        await body!.getReader().read()
        await new Promise(() => {})
      }))
      const growth = Effect.gen(function*() {
        const before = made
        yield* Effect.sleep("100 millis")
        return made - before
      })
      // Nobody reads on: no more is made once the buffers of the connection are full.
      yield* Effect.repeat(growth, { until: (more) => made > 0 && more === 0 })
      assert.isBelow(made, 400)
      yield* Fiber.interrupt(client)
    }))

  it.scopedLive("a client that goes stops the work for it", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      const { router, url } = yield* hosting("/sre")
      yield* router.serve(
        Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
        )
      )
      const client = yield* Effect.fork(send(`${url}/sre/`))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(client)
      yield* Deferred.await(stopped)
    }))

  it.scopedLive("when its scope closes it finishes what is under way, and the host goes on without it", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const { app, router, url } = yield* hosting("/sre")
      const scope = yield* Scope.make()
      const waiting: App = Deferred.succeed(begun, undefined).pipe(
        Effect.zipRight(Deferred.await(release)),
        Effect.as(HttpServerResponse.text("done"))
      )
      yield* Scope.extend(router.serve(waiting), scope)
      app.use((_, response) => void response.send("behind"))
      const client = yield* Effect.fork(send(`${url}/sre/`))
      yield* Deferred.await(begun)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.repeat(send(`${url}/sre/`), {
        until: ([, text]) => text === "behind",
        schedule: Schedule.spaced("10 millis")
      })
      assert.isNull(closing.unsafePoll())
      yield* Deferred.succeed(release, undefined)
      assert.deepStrictEqual(yield* Fiber.join(client), [200, "done"])
      yield* Fiber.join(closing)
    }))

  it.effect("needs to be told where the host listens, and takes only an app", () =>
    Effect.gen(function*() {
      const refused = (settings: unknown) =>
        Effect.flip(
          Effect.scoped(Layer.build(ExpressRouter.fromUnknown(settings, "Router.Settings")))
        ) as Effect.Effect<
          BootError
        >
      assert.strictEqual((yield* refused({ app: express() })).path, "Router.Settings.baseUrl")
      assert.strictEqual((yield* refused({ app: "express" })).path, "Router.Settings.app")
    }))
})

suite("Express", ExpressRouter.contract({ port: 0 }), { serves: true })
