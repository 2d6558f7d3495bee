import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { gzipSync } from "node:zlib"
import * as HttpServer from "../../../fixtures/HttpServer.ts"
import { answering, call, failure, png, reply, type Settings } from "../apicall.ts"

describe("APICall responses", () => {
  it.scopedLive("are read by their media type", () =>
    Effect.gen(function*() {
      const response = (status: number, type: string | undefined, body: string | Uint8Array) =>
        Effect.map(reply(status, type, body), ({ Response }) => Response)
      assert.deepStrictEqual(yield* response(200, "application/json", `{"a":[1,null]}`), { a: [1, null] })
      assert.deepStrictEqual(yield* response(200, "application/hal+json; charset=utf-8", `[1]`), [1])
      assert.strictEqual(yield* response(200, "application/json", "0"), 0)
      assert.strictEqual(yield* response(200, "application/json", "null"), null)
      assert.deepStrictEqual(yield* response(200, "application/json", ""), {})
      assert.strictEqual(yield* response(200, "text/html", "<p>1</p>"), "<p>1</p>")
      assert.strictEqual(yield* response(200, "application/xml", "<a/>"), "<a/>")
      assert.strictEqual(yield* response(200, "text/plain; charset=iso-8859-1", Buffer.from([0xe9])), "é")
      assert.strictEqual(yield* response(200, undefined, "just text"), "just text")
      assert.strictEqual(yield* response(200, "x/unknown", "just text"), "just text")
      assert.strictEqual(yield* response(204, undefined, ""), "")
    }))

  it.scopedLive("give their headers", () =>
    Effect.map(
      reply(200, "text/plain", "x"),
      ({ Headers }) => assert.strictEqual((Headers as Settings)["content-type"], "text/plain")
    ))

  it.scopedLive("that are bytes become a stored file", () =>
    Effect.gen(function*() {
      for (const type of ["image/png", undefined]) {
        const file = (yield* reply(200, type, png))["Response"] as Settings
        assert.strictEqual(file["size"], png.length)
        assert.match(String(file["url"]), /^smythfs:\/\//)
      }
    }))

  it.scopedLive("of a failing status are the failure, with the parsed body beside it", () =>
    Effect.gen(function*() {
      const server = yield* answering(422, "application/json", `{"why":"no"}`)
      const error = yield* failure(server, { url: server.url })
      assert.strictEqual(error.message, "Request failed with status code 422")
      assert.deepStrictEqual(error.outputs?.["Response"], { why: "no" })
      assert.strictEqual((error.outputs?.["Headers"] as Settings)["content-type"], "application/json")
    }))

  it.scopedLive("that are not the JSON they claim fail, with the text beside the error", () =>
    Effect.gen(function*() {
      const server = yield* answering(200, "application/json", "<html>")
      const error = yield* failure(server, { url: server.url })
      assert.include(error.message, "not JSON")
      assert.strictEqual(error.outputs?.["Response"], "<html>")
    }))

  it.scopedLive("that are large become a stored file of their whole length, whatever their type", () =>
    Effect.gen(function*() {
      const size = 12 * 1024 ** 2
      for (const encoding of ["identity", "gzip"]) {
        const body = encoding === "gzip" ? gzipSync(Buffer.alloc(size, "x")) : Buffer.alloc(size, "x")
        const server = yield* HttpServer.make((_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-encoding": encoding }).end(body)
        })
        const { Headers, Response } = yield* call(server, { url: `${server.url}/export?x=1` })
        const file = Response as Settings
        assert.strictEqual(file["size"], size)
        assert.strictEqual(file["mimetype"], "application/json")
        assert.strictEqual(file["name"], "export.json")
        assert.strictEqual((Headers as Settings)["content-type"], "application/json")
      }
    }))

  it.scopedLive("that stop in the middle fail, a large one too", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => {
        response.writeHead(200, { "content-type": "application/octet-stream", "content-length": 40 * 1024 ** 2 })
        response.write(Buffer.alloc(Number(url.slice(1))), () => response.destroy())
      })
      for (const bytes of [10, 11 * 1024 ** 2]) {
        const error = yield* failure(server, { url: `${server.url}/${bytes}` })
        assert.match(error.message, /Unavailable|Protocol/)
      }
    }))

  it.scopedLive("that do not go on in time fail", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => void (url === "/" && response.write("begun")))
      for (const path of ["/", "/silent"]) {
        const error = yield* failure(server, { url: `${server.url}${path}`, timeout: "0.2" })
        assert.include(error.message, "Timeout")
      }
    }))

  it.scopedLive("that never come leave nothing behind when the run is stopped", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => void response.write("begun"))
      const fiber = yield* Effect.fork(call(server, { url: server.url }))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length === 1 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
    }))
})
