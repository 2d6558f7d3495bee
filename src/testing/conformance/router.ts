/** What every router must do. One that serves nothing must still take an app and give it back, and have an address. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, type Layer, Scope, Stream } from "effect"
import { type App, RouterConnector } from "../../subsystems/io/Router.ts"

/** The connector must be set to take any free port. */
export const suite = <E>(name: string, connector: Layer.Layer<RouterConnector, E>, options: {
  readonly serves: boolean
}) =>
  layer(connector, { excludeTestServices: true, timeout: "30 seconds" })(`${name} is a RouterConnector`, (it) => {
    it.scoped("has a host, and an address without a slash at its end, before and after it is asked to serve", () =>
      Effect.gen(function*() {
        const { baseUrl, host, serve } = yield* RouterConnector
        assert.isNotEmpty(host)
        for (const before of [true, false]) {
          const url = yield* baseUrl
          assert.match(new URL(url).protocol, /^https?:$/)
          assert.isFalse(url.endsWith("/"))
          if (before) yield* serve(path)
        }
      }))

    it.effect("serves for a scope, one after the other and side by side", () =>
      Effect.gen(function*() {
        const { serve } = yield* RouterConnector
        const once = Effect.scoped(Effect.zipRight(serve(path), serve(path)))
        yield* once
        yield* once
      }))

    if (!options.serves) return

    it.scoped("answers what its clients ask, at its address", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        yield* serve(path)
        const url = yield* baseUrl
        assert.deepStrictEqual(yield* get(`${url}/`), [200, "app GET /"])
        assert.deepStrictEqual(yield* get(`${url}/a%20b?q=%C3%A9`, { method: "DELETE" }), [
          200,
          "app DELETE /a%20b?q=%C3%A9"
        ])
      }))

    it.scoped("hands over bodies and sends streams as they come", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        yield* serve(
          Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ text }) =>
            Effect.map(
              Effect.orDie(text),
              (body) => HttpServerResponse.stream(Stream.encodeText(Stream.concat(Stream.make(body), Stream.never)))
            ))
        )
        const url = yield* baseUrl
        const first = yield* Effect.promise(async (signal) => {
          const { body } = await fetch(url, { method: "POST", body: "é".repeat(50_000), signal })
          let text = ""
          const decoder = new TextDecoder()
          for await (const chunk of body!) {
            text += decoder.decode(chunk as Uint8Array, { stream: true })
            if (text.length === 50_000) break
          }
          return text
        })
        assert.strictEqual(first, "é".repeat(50_000))
      }))

    it.scoped("takes and sends 10 MB as they are, and an empty body", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        yield* serve(Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ arrayBuffer }) =>
          Effect.map(Effect.orDie(arrayBuffer), (bytes) => HttpServerResponse.uint8Array(new Uint8Array(bytes)))))
        const url = yield* baseUrl
        for (const length of [0, 1, 10_000_000]) {
          const body = Uint8Array.from({ length }, (_, n) =>
            (n * 31 + (n >> 8)) & 255)
          const answer = yield* Effect.promise(async (signal) =>
            new Uint8Array(await (await fetch(url, { method: "POST", body, signal })).arrayBuffer())
          )
          assert.strictEqual(Buffer.compare(answer, body), 0)
        }
      }))

    it.scoped("a client that reads nothing is sent no more than fits in between", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        let made = 0
        const endless = Stream.repeatEffect(Effect.sync(() => {
          made++
          return new Uint8Array(100_000)
        }))
        yield* serve(Effect.succeed(HttpServerResponse.stream(endless)))
        const url = yield* baseUrl
        const { body } = yield* Effect.promise((signal) => fetch(url, { signal }))
        // Until buffers are full, and nothing more is made.
        let before = -1
        yield* Effect.repeat(Effect.sleep("300 millis"), {
          until: () => {
            const isStill = made === before
            before = made
            return isStill
          }
        })
        assert.isAbove(made, 0)
        assert.isBelow(made, 1000)
        yield* Effect.promise(() => body!.cancel())
      }))

    it.scoped("an app that dies takes nobody with it", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        yield* serve(Effect.flatMap(path, () => Effect.die(new Error("secret bug"))))
        const url = yield* baseUrl
        for (let time = 0; time < 2; time++) {
          const [status, text] = yield* get(url)
          assert.strictEqual(status, 500)
          assert.notInclude(String(text), "secret")
        }
      }))

    it.scoped("a client that goes stops the work for it", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        const begun = yield* Deferred.make<void>()
        const stopped = yield* Deferred.make<void>()
        yield* serve(
          Deferred.succeed(begun, undefined).pipe(
            Effect.zipRight(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
          )
        )
        const client = yield* Effect.fork(get(yield* baseUrl))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(client)
        yield* Deferred.await(stopped)
      }))

    it.effect("when its scope closes it takes no more, and finishes what is under way", () =>
      Effect.gen(function*() {
        const { baseUrl, serve } = yield* RouterConnector
        const begun = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const scope = yield* Scope.make()
        const waiting: App = Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Deferred.await(release)),
          Effect.as(HttpServerResponse.text("done"))
        )
        yield* Scope.extend(serve(waiting), scope)
        const url = yield* baseUrl
        const client = yield* Effect.fork(get(url))
        yield* Deferred.await(begun)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* Effect.sleep("20 millis")
        assert.isNull(closing.unsafePoll())
        yield* Deferred.succeed(release, undefined)
        assert.deepStrictEqual(yield* Fiber.join(client), [200, "done"])
        yield* Fiber.join(closing)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => fetch(url)))))
      }))
  })

const path: App = Effect.map(
  HttpServerRequest.HttpServerRequest,
  ({ method, url }) => HttpServerResponse.text(`app ${method} ${url}`)
)

const get = (url: string, init: RequestInit = {}) =>
  Effect.promise((signal) =>
    fetch(url, { signal, ...init }).then(async (response) => [response.status, await response.text()])
  )
