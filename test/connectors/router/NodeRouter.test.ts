import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { connect } from "node:net"
import { NodeRouter } from "../../../src/connectors/router/NodeRouter.ts"
import type { BootError } from "../../../src/kernel/BootError.ts"
import { type App, Router } from "../../../src/subsystems/io/Router.ts"
import { suite } from "../../../src/testing/conformance/router.ts"

const router = (settings: Parameters<typeof NodeRouter.layer>[0] = {}) =>
  Effect.map(Layer.build(NodeRouter.layer({ port: 0, ...settings })), Context.get(Router))

const path: App = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => HttpServerResponse.text(`app ${url}`))

const get = (url: string) =>
  Effect.promise((signal) => fetch(url, { signal }).then(async (response) => [response.status, await response.text()]))

describe("NodeRouter", () => {
  it.scopedLive("a port in use fails the start, and says how to choose another", () =>
    Effect.gen(function*() {
      const { baseUrl, serve } = yield* router()
      yield* serve(path)
      const port = Number(new URL(yield* baseUrl).port)
      const error = yield* Effect.flip(serve(path, { port }))
      assert.deepInclude(error, { service: "Router", connector: "Node", path: "Router.Settings.port" })
      assert.include(error.message, `port ${port} of 127.0.0.1 is in use`)
      assert.include(error.message, "--port")
    }))

  it.scopedLive("so does an address this machine does not have", () =>
    Effect.gen(function*() {
      const { serve } = yield* router()
      const error = yield* Effect.flip(serve(path, { host: "203.0.113.1" }))
      assert.strictEqual(error.path, "Router.Settings.host")
      assert.include(error.message, "203.0.113.1")
    }))

  it.scopedLive("settings that make no sense fail the start", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(NodeRouter.contract({ port: 70_000 }))) as Effect.Effect<BootError>
      assert.strictEqual(error.path, "Router.Settings.port")
    }))

  it.scopedLive("clients are told the address behind a proxy", () =>
    Effect.gen(function*() {
      const { baseUrl, serve } = yield* router({ baseUrl: "https://agents.example/sre/" })
      yield* serve(path)
      assert.strictEqual(yield* baseUrl, "https://agents.example/sre")
    }))

  it.scopedLive("before it listens it knows where it will", () =>
    Effect.gen(function*() {
      const { baseUrl, host } = yield* router({ host: "::1", port: 4111 })
      assert.deepStrictEqual([yield* baseUrl, host], ["http://[::1]:4111", "::1"])
    }))

  it.scopedLive("more connections than the bound are closed", () =>
    Effect.gen(function*() {
      const { baseUrl, serve } = yield* router({ maxConnections: 1 })
      yield* serve(path)
      const port = Number(new URL(yield* baseUrl).port)
      const open = () =>
        Effect.acquireRelease(Effect.sync(() => connect(port, "127.0.0.1")), (socket) =>
          Effect.sync(() => socket.destroy()))
      const first = yield* open()
      yield* Effect.async<void>((resume) =>
        void first.once("connect", () => resume(Effect.void))
      )
      const second = yield* open()
      yield* Effect.async<void>((resume) => {
        second.on("error", () => {})
        second.once("close", () => resume(Effect.void))
      })
      assert.isFalse(first.destroyed)
    }))

  it.scopedLive("a connection that says nothing is closed", () =>
    Effect.gen(function*() {
      const { baseUrl, serve } = yield* router({ idleTimeout: 50 })
      yield* serve(path)
      const silent = connect(Number(new URL(yield* baseUrl).port), "127.0.0.1")
      yield* Effect.async<void>((resume) => void silent.resume().once("close", () => resume(Effect.void)))
    }))
})

describe("mounting", () => {
  it.scopedLive("what is mounted answers below its prefix, the longest one first, and nothing else", () =>
    Effect.gen(function*() {
      const { baseUrl, mount, serve } = yield* router()
      const named = (name: string): App => Effect.succeed(HttpServerResponse.text(name))
      yield* mount("/files", named("files"))
      yield* serve(path)
      yield* mount("/files/public", named("public"))
      const url = yield* baseUrl
      const seen = yield* Effect.forEach(
        ["/files", "/files/a/b?x=/files/public", "/files/public/a", "/filesystem", "/", "/a/files"],
        (one) => Effect.map(get(`${url}${one}`), ([, text]) => text)
      )
      assert.deepStrictEqual(seen, ["files", "files", "public", "app /filesystem", "app /", "app /a/files"])
      const error = yield* Effect.flip(mount("/files", path))
      assert.include(error.message, `"/files"`)
    }))

  it.scopedLive("it ends with its scope", () =>
    Effect.gen(function*() {
      const { baseUrl, mount, serve } = yield* router()
      yield* serve(path)
      const url = yield* baseUrl
      yield* Effect.scoped(Effect.zipRight(mount("/files", Effect.succeed(HttpServerResponse.text("files"))), get(url)))
      assert.deepStrictEqual(yield* get(`${url}/files`), [200, "app /files"])
    }))
})

// Last: the suite's `layer` replaces the `it.effect` of all that is described after it.
suite("Node", NodeRouter.contract({ port: 0 }), { serves: true })
