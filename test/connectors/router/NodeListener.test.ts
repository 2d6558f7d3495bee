import * as Cookies from "@effect/platform/Cookies"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Queue, Stream, Tracer } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import * as NodeListener from "../../../src/connectors/router/NodeListener.ts"
import type { App } from "../../../src/subsystems/io/Router.ts"

/** The address of the app, for the time of the scope. */
const listening = (app: App) =>
  Effect.gen(function*() {
    const server = createServer(yield* NodeListener.make(app))
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { signal, ...init })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const request = (read: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<unknown, unknown>): App =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, read).pipe(
    Effect.map((value) => HttpServerResponse.unsafeJson(value)),
    Effect.catchAll((error) => Effect.succeed(HttpServerResponse.text(String(error), { status: 400 })))
  )

describe("what an app is asked", () => {
  it.scopedLive("comes as text, JSON or a form, and as text more than once", () =>
    Effect.gen(function*() {
      const url = yield* listening(request((one) =>
        one.url === "/form"
          ? Effect.map(one.urlParamsBody, (fields) => [...fields])
          : Effect.all([one.text, one.json, one.text])
      ))
      const json = yield* ask(url, { method: "POST", body: `{"é":1}` })
      assert.deepStrictEqual(JSON.parse(json.text), [`{"é":1}`, { "é": 1 }, `{"é":1}`])
      const form = yield* ask(`${url}/form`, { method: "POST", body: "a=1&a=2" })
      assert.deepStrictEqual(JSON.parse(form.text), [["a", "1"], ["a", "2"]])
      const wrong = yield* ask(url, { method: "POST", body: "{" })
      assert.strictEqual(wrong.status, 400)
      assert.include(wrong.text, "RequestError")
    }))

  it.scopedLive("comes as bytes, all at once or one by one, and never more than the app allows", () =>
    Effect.gen(function*() {
      const url = yield* listening(request((one) =>
        HttpServerRequest.withMaxBodySize(
          one.url === "/stream"
            ? Stream.runFold(one.stream, 0, (length, bytes) => length + bytes.length)
            : Effect.map(one.arrayBuffer, ({ byteLength }) => byteLength),
          Option.some(100_000)
        )
      ))
      const post = (path: string, length: number) => ask(url + path, { method: "POST", body: "x".repeat(length) })
      assert.strictEqual((yield* post("/", 100_000)).text, "100000")
      assert.strictEqual((yield* post("/stream", 300_000)).text, "300000")
      // The platform closes the connection of a body that it refuses.
      assert.isTrue(Exit.isFailure(yield* Effect.exit(post("/", 100_001))))
    }))

  it.scopedLive("tells where it comes from, its cookies, and what was made of it on the way", () =>
    Effect.gen(function*() {
      const url = yield* listening(request((one) => {
        const changed = one.modify({ url: "/other", remoteAddress: "203.0.113.7" }).modify({})
        return Effect.succeed([
          one.method,
          one.cookies["a"],
          Option.getOrNull(one.remoteAddress),
          changed.url,
          changed.originalUrl,
          Option.getOrNull(changed.remoteAddress),
          changed.headers["cookie"]
        ])
      }))
      const { text } = yield* ask(`${url}/path?q=1`, { method: "DELETE", headers: { cookie: "a=b; c=d" } })
      assert.deepStrictEqual(JSON.parse(text), [
        "DELETE",
        "b",
        "127.0.0.1",
        "/other",
        "/path?q=1",
        "203.0.113.7",
        "a=b; c=d"
      ])
    }))
})

describe("what an app answers", () => {
  it.scopedLive("is sent whatever it is made of, with its status, headers and cookies", () =>
    Effect.gen(function*() {
      const form = new FormData()
      form.set("field", "value")
      const answers: Readonly<Record<string, HttpServerResponse.HttpServerResponse>> = {
        "/empty": HttpServerResponse.empty({ status: 204, headers: { "x-one": "1" } }),
        "/bytes": HttpServerResponse.uint8Array(new TextEncoder().encode("bytes"), { status: 201 }),
        "/raw": HttpServerResponse.raw("räw"),
        "/node": HttpServerResponse.raw(Readable.from([Buffer.from("no"), Buffer.from("de")])),
        "/web": HttpServerResponse.raw(new Response("web").body),
        "/stream": HttpServerResponse.stream(Stream.encodeText(Stream.make("str", "eam"))),
        "/form": HttpServerResponse.formData(form),
        "/cookies": HttpServerResponse.setCookies(HttpServerResponse.text("both"), [
          ["a", "1", { httpOnly: true }],
          ["b", "2"]
        ]).pipe(Effect.runSync)
      }
      const url = yield* listening(Effect.map(HttpServerRequest.HttpServerRequest, (one) => answers[one.url]!))
      const seen = yield* Effect.forEach(
        ["/empty", "/bytes", "/raw", "/node", "/web", "/stream"],
        (path) => Effect.map(ask(url + path), ({ status, text }) => `${status} ${text}`)
      )
      assert.deepStrictEqual(seen, ["204 ", "201 bytes", "200 räw", "200 node", "200 web", "200 stream"])
      assert.strictEqual((yield* ask(`${url}/empty`)).headers.get("x-one"), "1")
      const sent = yield* ask(`${url}/form`)
      assert.match(sent.headers.get("content-type") ?? "", /^multipart\/form-data; boundary=/)
      assert.include(sent.text, "name=\"field\"")
      const { cookies } = Cookies.fromSetCookie((yield* ask(`${url}/cookies`)).headers.getSetCookie())
      assert.deepStrictEqual(Object.keys(cookies), ["a", "b"])
    }))

  it.scopedLive("has no body for HEAD, and a stream is not even begun", () =>
    Effect.gen(function*() {
      let begun = false
      const body = Stream.fromEffect(Effect.sync(() => {
        begun = true
        return new Uint8Array(3)
      }))
      const url = yield* listening(Effect.succeed(HttpServerResponse.stream(body, { contentLength: 3 })))
      const { headers, status, text } = yield* ask(url, { method: "HEAD" })
      assert.deepStrictEqual([status, headers.get("content-length"), text, begun], [200, "3", "", false])
    }))

  it.scopedLive("is made no faster than the client takes it, and to its end", () =>
    Effect.gen(function*() {
      const pieces = 400
      let made = 0
      const body = Stream.repeatEffect(Effect.sync(() => {
        made++
        return new Uint8Array(100_000)
      }))
      const url = yield* listening(Effect.sync(() => HttpServerResponse.stream(Stream.take(body, pieces))))
      const response = yield* Effect.promise(() => fetch(url))
      yield* Effect.sleep("300 millis")
      assert.isBelow(made, pieces)
      const bytes = yield* Effect.promise(() => response.arrayBuffer())
      assert.deepStrictEqual([made, bytes.byteLength], [pieces, pieces * 100_000])
    }))

  it.scopedLive("breaks off when it fails half-way, so that nobody takes the part for the whole", () =>
    Effect.gen(function*() {
      const rest = Stream.fromEffect(Effect.delay(Effect.fail("the disk is gone"), "100 millis"))
      const body = Stream.concat(Stream.make(new Uint8Array(3)), rest)
      const url = yield* listening(Effect.succeed(HttpServerResponse.stream(body)))
      const response = yield* Effect.promise(() => fetch(url))
      assert.strictEqual(response.status, 200)
      assert.isTrue(yield* Effect.isFailure(Effect.tryPromise(() => response.arrayBuffer())))
    }))

  it.scopedLive("passes the handlers that were set for it", () =>
    Effect.gen(function*() {
      const app = HttpApp.withPreResponseHandler(
        Effect.succeed(HttpServerResponse.text("answer")),
        (_, answer) => Effect.succeed(HttpServerResponse.setHeader(answer, "x-late", "yes"))
      )
      const outer: App = Effect.zipRight(
        HttpApp.appendPreResponseHandler((_, answer) =>
          Effect.succeed(HttpServerResponse.setHeader(answer, "x-late", "yes"))
        ),
        app
      )
      assert.strictEqual((yield* ask(yield* listening(outer))).headers.get("x-late"), "yes")
    }))
})

describe("what a request holds", () => {
  it.scopedLive("is let go after the answer, also when the client goes in the middle of it", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const app: App = Effect.as(
        Effect.acquireRelease(Effect.void, () => Deferred.succeed(closed, undefined)),
        HttpServerResponse.stream(Stream.fromEffect(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)))
      )
      const url = yield* listening(app)
      const client = yield* Effect.fork(ask(url))
      yield* Deferred.await(begun)
      assert.isFalse(yield* Deferred.isDone(closed))
      yield* Fiber.interrupt(client)
      yield* Deferred.await(closed)
    }))
})

describe("where somebody collects spans", () => {
  const traced = (app: App, names: Array<string>) =>
    Effect.flatMap(Effect.tracer, (native) =>
      Effect.provide(
        listening(app),
        Layer.setTracer(Tracer.make({
          span: (name, ...rest) => {
            names.push(name)
            return native.span(name, ...rest)
          },
          context: (run, fiber) => native.context(run, fiber)
        }))
      ))

  it.scopedLive("each request has one, and is answered as always, also with what went wrong", () =>
    Effect.gen(function*() {
      const names: Array<string> = []
      const url = yield* traced(
        Effect.flatMap(
          HttpServerRequest.HttpServerRequest,
          (one) => one.url === "/bug" ? Effect.die(new Error("bug")) : Effect.succeed(HttpServerResponse.text("seen"))
        ),
        names
      )
      assert.strictEqual((yield* ask(url)).text, "seen")
      assert.deepStrictEqual(names, ["http.server GET"])
      assert.strictEqual((yield* ask(`${url}/bug`)).status, 500)
    }))

  it.scopedLive("a client that goes stops the work for it, and the answer it was getting", () =>
    Effect.gen(function*() {
      const begun = yield* Queue.unbounded<string>()
      const stopped = yield* Queue.unbounded<string>()
      const forever = (what: string) =>
        Effect.zipRight(begun.offer(what), Effect.never).pipe(Effect.onInterrupt(() => stopped.offer(what)))
      const url = yield* traced(
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (one) =>
          one.url === "/stream"
            ? Effect.succeed(HttpServerResponse.stream(Stream.fromEffect(forever("stream"))))
            : forever("work")),
        []
      )
      for (const what of ["work", "stream"]) {
        const client = yield* Effect.fork(ask(`${url}/${what}`))
        assert.strictEqual(yield* begun.take, what)
        yield* Fiber.interrupt(client)
        assert.strictEqual(yield* stopped.take, what)
      }
    }))
})
