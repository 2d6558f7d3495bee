/** What every sender of HTTP requests must do, against real servers on loopback. `connector` takes what its policy opens. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import type { ServerResponse } from "node:http"
import { createServer, type Server, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { type Exchange, OutboundConnector } from "../../src/subsystems/io/Outbound.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"

export const suite = <E>(
  name: string,
  connector: (allow: ReadonlyArray<string>) => Layer.Layer<OutboundConnector, E>
) =>
  layer(connector(["127.0.0.1", "*.invalid"]), { excludeTestServices: true, timeout: "30 seconds" })(
    `${name} is an OutboundConnector`,
    (it) => {
      const exchange = (url: string, more: Partial<Exchange> = {}) =>
        Effect.flatMap(OutboundConnector, (outbound) => outbound.exchange(request(url, more)))
      const failure = (url: string, more: Partial<Exchange> = {}) => Effect.flip(exchange(url, more))

      it.scoped("sends what it is given, byte for byte, and gives back what came", () =>
        Effect.gen(function*() {
          const server = yield* HttpServer.make((_, response) => {
            response.writeHead(201, { "X-Mixed-Case": "yes", "set-cookie": ["a=1", "b=2"] }).end(bytes)
          })
          for (const body of [bytes, "text ✓", "", undefined]) {
            const answer = yield* exchange(`${server.url}/a%20b?q=%C3%A9&q=2`, {
              method: "PUT",
              headers: { "content-type": "application/x-test", "x-many": ["1", "2"] },
              body
            })
            assert.strictEqual(answer.status, 201)
            assert.deepInclude(answer.headers, { "x-mixed-case": "yes", "set-cookie": ["a=1", "b=2"] })
            assert.deepStrictEqual(Buffer.from(answer.body), bytes)
            const received = server.requests.at(-1)!
            assert.deepInclude(received, { method: "PUT", url: "/a%20b?q=%C3%A9&q=2" })
            assert.deepInclude(received.headers, { "content-type": "application/x-test", "x-many": "1, 2" })
            assert.deepStrictEqual(received.bytes, Buffer.from(body ?? ""))
          }
        }))

      it.scoped("opens an answer and gives its body as it comes, decompressed, no more of it than allowed", () =>
        Effect.gen(function*() {
          const large = Buffer.alloc(300_000, "ab")
          const server = yield* HttpServer.make(({ url }, response) => {
            const encoding = url.slice(1)
            const body = encoding === "gzip" ? gzipSync(large) : encoding === "br" ? brotliCompressSync(large) : large
            response.writeHead(200, encoding === "" ? {} : { "content-encoding": encoding }).end(body)
          })
          const opened = (path: string, maxBytes = 1_000_000) =>
            Effect.scoped(
              Effect.flatMap(OutboundConnector, (outbound) =>
                outbound.open(request(`${server.url}/${path}`, { maxBytes }))).pipe(
                  Effect.flatMap(({ body, headers }) =>
                    Effect.map(Stream.runCollect(body), (chunks) => ({ headers, bytes: Buffer.concat([...chunks]) }))
                  )
                )
            )
          for (const path of ["", "gzip", "br"]) {
            const { bytes, headers } = yield* opened(path)
            assert.isTrue(bytes.equals(large), path)
            assert.notProperty(headers, "content-encoding")
            assert.strictEqual((yield* Effect.flip(opened(path, 299_999)))._tag, "ResponseTooLarge")
          }
        }))

      it.scoped("says of an answer whether all of it has come, and gives what came first before the rest", () =>
        Effect.gen(function*() {
          const server = yield* HttpServer.make(({ method, url }, response) => {
            switch (url) {
              case "/announced":
                return void response.writeHead(200, { "content-length": 5 }).end("whole")
              case "/chunked":
                response.write("who")
                return void response.end("le")
              case "/empty":
                return void response.writeHead(204).end()
              case "/late":
                response.write("who")
                return void setTimeout(() =>
                  response.end("le"), 50)
              case "/broken":
                response.writeHead(200, { "content-length": 9 }).write("who")
                return void setTimeout(() => response.destroy(), 50)
            }
            return void response.end(method)
          })
          const opened = (path: string, maxBytes = 5) =>
            Effect.scoped(
              Effect.flatMap(OutboundConnector, (outbound) =>
                outbound.open(request(`${server.url}/${path}`, { maxBytes }))).pipe(
                  Effect.flatMap(({ body, isWhole }) =>
                    Effect.map(
                      Stream.runCollect(body),
                      (chunks) => ({ isWhole, text: Buffer.concat([...chunks]).toString() })
                    )
                  )
                )
            )
          assert.deepStrictEqual(yield* opened("announced"), { isWhole: true, text: "whole" })
          assert.strictEqual((yield* opened("chunked")).text, "whole")
          assert.deepStrictEqual(yield* opened("empty"), { isWhole: true, text: "" })
          assert.deepStrictEqual(yield* opened("late"), { isWhole: false, text: "whole" })
          assert.strictEqual((yield* Effect.flip(opened("announced", 4)))._tag, "ResponseTooLarge")
          assert.strictEqual((yield* Effect.flip(opened("late", 4)))._tag, "ResponseTooLarge")
          assert.strictEqual((yield* Effect.flip(opened("broken", 20)))._tag, "ConnectorError")
        }))

      it.scoped("closes the connection of an opened answer with its scope, read or not", () =>
        Effect.gen(function*() {
          const begun = HttpServer.make((_, response) =>
            void response.write("begun")
          )
          const opened = (server: HttpServer.HttpServer) =>
            Effect.flatMap(OutboundConnector, (outbound) => outbound.open(request(server.url)))
          const unread = yield* begun
          assert.strictEqual((yield* Effect.scoped(opened(unread))).status, 200)
          yield* Effect.promise(() => unread.aborted)
          const reading = yield* begun
          const pieces: Array<string> = []
          const fiber = yield* Effect.fork(Effect.scoped(Effect.flatMap(opened(reading), ({ body }) =>
            Stream.runForEach(body, (piece) =>
              Effect.sync(() =>
                pieces.push(Buffer.from(piece).toString())
              )))))
          yield* Effect.repeat(Effect.sleep("5 millis"), {
            until: () =>
              pieces.length > 0
          })
          assert.deepStrictEqual(pieces, ["begun"])
          yield* Fiber.interrupt(fiber)
          yield* Effect.promise(() => reading.aborted)
        }))

      it.scoped("takes any status for an answer, a redirect too", () =>
        Effect.gen(function*() {
          const server = yield* HttpServer.make(({ url }, response) => {
            response.writeHead(Number(url.slice(1)), { location: "/200" }).end()
          })
          for (const status of [200, 204, 302, 307, 404, 418, 500, 503]) {
            assert.strictEqual((yield* exchange(`${server.url}/${status}`)).status, status)
          }
          assert.lengthOf(server.requests, 8)
        }))

      it.scoped("connects to no address that its policy refuses", () =>
        Effect.gen(function*() {
          const server = yield* HttpServer.make((_, response) => response.end("hello"))
          const closed = Context.get(yield* Layer.build(Layer.fresh(connector([]))), OutboundConnector)
          for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]) {
            const url = `http://${host}:${server.port}/secret`
            const refused = yield* Effect.flip(closed.exchange(request(url)))
            assert.deepInclude({ ...refused }, { _tag: "OutboundRefused", reason: "Policy" }, host)
            assert.notInclude(refused.message, "secret")
          }
          assert.strictEqual(server.connections(), 0)
        }))

      it.scoped("undoes gzip and brotli, and says nothing of it", () =>
        Effect.gen(function*() {
          for (const [encoding, compress] of [["gzip", gzipSync], ["br", brotliCompressSync]] as const) {
            const server = yield* HttpServer.make((_, response) => {
              response.writeHead(200, { "content-encoding": encoding }).end(compress("hello"))
            })
            const answer = yield* exchange(server.url)
            assert.strictEqual(Buffer.from(answer.body).toString(), "hello")
            assert.isUndefined(answer.headers["content-encoding"])
            assert.isUndefined(answer.headers["content-length"])
          }
        }))

      it.scoped("bounds a body, announced or not, also when it grows in decompression", () =>
        Effect.gen(function*() {
          const bomb = gzipSync(zeros)
          assert.isBelow(bomb.length, 10_000)
          const answers: ReadonlyArray<(response: ServerResponse) => void> = [
            (response) => response.writeHead(200, { "content-length": zeros.length }).end(zeros),
            (response) => {
              response.write(zeros.subarray(0, 100_000))
              response.end(zeros)
            },
            (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
            // Many compressed nothings: no output at all, but endless input.
            (response) =>
              response.writeHead(200, { "content-encoding": "gzip" }).end(
                Buffer.concat(Array.from({ length: 10_000 }, () => gzipSync("")))
              )
          ]
          for (const answer of answers) {
            const server = yield* HttpServer.make((_, response) => answer(response))
            const error = yield* failure(server.url, { maxBytes: 50_000 })
            assert.strictEqual(error._tag, "ResponseTooLarge")
            assert.include(error.message, "50000 bytes")
          }
        }))

      it.scoped("takes a body of exactly the bound, and none at all", () =>
        Effect.gen(function*() {
          const server = yield* HttpServer.make(({ url }, response) => {
            if (url === "/none") response.writeHead(204, { "content-encoding": "gzip" }).end()
            else response.end("12345")
          })
          assert.strictEqual((yield* exchange(server.url, { maxBytes: 5 })).body.length, 5)
          assert.strictEqual((yield* failure(server.url, { maxBytes: 4 }))._tag, "ResponseTooLarge")
          assert.strictEqual((yield* exchange(`${server.url}/none`)).body.length, 0)
        }))

      it.scoped("says why a server was not reached or not understood, and not what was asked of it", () =>
        Effect.gen(function*() {
          const babble = yield* raw((socket) => socket.end("not http at all\r\n\r\n"))
          const cut = yield* raw((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"))
          const gzip = yield* HttpServer.make((_, response) => {
            response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip")
          })
          const cases = [
            [babble, "Protocol"],
            [cut, "Unavailable"],
            [gzip.url, "Protocol"],
            ["http://127.0.0.1:1", "Unavailable"],
            ["http://nowhere.invalid", "Unavailable"]
          ] as const
          for (const [url, reason] of cases) {
            const error = yield* failure(`${url}/secret-path`, { headers: { authorization: "secret-key" } })
            assert.deepInclude({ ...error }, { _tag: "ConnectorError", reason }, url)
            assert.notInclude(JSON.stringify(error), "secret")
          }
        }))

      it.scoped("an interruption closes the connection, before the answer and within it", () =>
        Effect.gen(function*() {
          for (const begin of [() => {}, (response: ServerResponse) => void response.writeHead(200).write("half")]) {
            const server = yield* HttpServer.make((_, response) => begin(response))
            const asking = yield* Effect.fork(exchange(server.url))
            while (server.requests.length === 0) yield* Effect.sleep("5 millis")
            yield* Fiber.interrupt(asking)
            yield* Effect.promise(() => server.aborted)
          }
        }))
    }
  )

const bytes = Buffer.from([0, 255, 10, 13, 128, 195, 40])
const zeros = Buffer.alloc(5_000_000)

const request = (url: string, more: Partial<Exchange> = {}): Exchange => ({
  method: "GET",
  url: new URL(url),
  headers: {},
  body: undefined,
  maxBytes: 1_000_000,
  ...more
})

/** A TCP server that answers the first bytes it gets; its URL. */
const raw = (answer: (socket: Socket) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const server = createServer((socket) => socket.once("data", () => answer(socket)))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )
