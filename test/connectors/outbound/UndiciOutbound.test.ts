import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Schema } from "effect"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { brotliCompressSync, gzipSync } from "node:zlib"
import * as Undici from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { agent, as } from "../../../src/security/Candidate.ts"
import * as NetworkPolicy from "../../../src/subsystems/io/NetworkPolicy.ts"
import * as Outbound from "../../../src/subsystems/io/Outbound.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const asAgent = as(agent("a1"))

const get = (url: string, allow: ReadonlyArray<string>, maxBytes?: number) =>
  Effect.flatMap(Outbound.Outbound, (outbound) => outbound.request({ method: "GET", url, maxBytes })).pipe(
    asAgent,
    Effect.provide(Undici.UndiciOutbound.layer({ allow }))
  )

/** The service on a connector whose names resolve as the test says. */
const resolving = (resolve: Undici.Resolve, allow: ReadonlyArray<string> = []) =>
  Layer.provide(
    Outbound.layer,
    Layer.scoped(
      Outbound.OutboundConnector,
      Undici.make({
        allow: Schema.decodeSync(Schema.Array(NetworkPolicy.RuleFromString))(allow),
        deny: [],
        connections: 4
      }, resolve)
    )
  )

const built = <E>(layer: Layer.Layer<Outbound.Outbound, E>) =>
  Effect.map(Layer.build(layer), Context.get(Outbound.Outbound))

const loopback = { address: "127.0.0.1", family: 4 }
const hello = HttpServer.make((_, response) => response.end("hello"))
const zeros = Buffer.alloc(5_000_000)

describe("UndiciOutbound", () => {
  it.scopedLive("refuses a name that resolves to a private address", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const outbound = yield* built(resolving((_, answer) => answer(null, [loopback])))
      const refused = yield* Effect.flip(
        asAgent(outbound.request({ method: "GET", url: `http://rebind.example:${server.port}/?q=secret` }))
      )
      assert.strictEqual(refused._tag === "OutboundRefused" && refused.reason, "Policy")
      assert.include(refused.message, "loopback")
      assert.notInclude(refused.message, "secret")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("connects to the very address it judged, whatever the name resolves to next", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => response.setHeader("connection", "close").end("hello"))
      let lookups = 0
      const resolve: Undici.Resolve = (_, answer) =>
        answer(null, [lookups++ === 0 ? loopback : { address: "127.0.0.2", family: 4 }])
      const outbound = yield* built(resolving(resolve, [server.rule]))
      const request = asAgent(outbound.request({ method: "GET", url: `http://rebind.example:${server.port}/` }))
      assert.strictEqual((yield* request).status, 200)
      assert.strictEqual(lookups, 1)
      const refused = yield* Effect.flip(request)
      assert.strictEqual(refused._tag, "OutboundRefused")
      assert.strictEqual(lookups, 2)
      assert.lengthOf(server.requests, 1)
    }))

  it.scopedLive("leaves the refused addresses of a name out", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const resolve: Undici.Resolve = (_, answer) => answer(null, [{ address: "10.0.0.1", family: 4 }, loopback])
      const outbound = yield* built(resolving(resolve, [server.rule]))
      const answer = yield* asAgent(outbound.request({ method: "GET", url: `http://two.example:${server.port}/` }))
      assert.strictEqual(Buffer.from(answer.body).toString(), "hello")
    }))

  it.scopedLive("lets an allowed name resolve to a private address", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const outbound = yield* built(resolving((_, answer) => answer(null, [loopback]), ["*.internal"]))
      const answer = yield* asAgent(outbound.request({ method: "GET", url: `http://api.internal:${server.port}/` }))
      assert.strictEqual(answer.status, 200)
    }))

  it.scopedLive("judges an address in the URL itself, also when the service did not", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const connector = yield* Effect.map(
        Layer.build(Undici.UndiciOutbound.contract({})),
        Context.get(Outbound.OutboundConnector)
      )
      const refused = yield* Effect.flip(
        connector.exchange({ method: "GET", url: new URL(server.url), headers: {}, body: undefined, maxBytes: 100 })
      )
      assert.strictEqual(refused._tag, "OutboundRefused")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("decompresses gzip and brotli", () =>
    Effect.gen(function*() {
      for (const [encoding, compress] of [["gzip", gzipSync], ["br", brotliCompressSync]] as const) {
        const server = yield* HttpServer.make((_, response) => {
          response.writeHead(200, { "content-encoding": encoding }).end(compress("hello"))
        })
        const answer = yield* get(server.url, [server.rule])
        assert.strictEqual(Buffer.from(answer.body).toString(), "hello")
        assert.isUndefined(answer.headers["content-encoding"])
        assert.isUndefined(answer.headers["content-length"])
      }
    }))

  it.scopedLive("bounds a body, announced or not, also when it grows in decompression", () =>
    Effect.gen(function*() {
      const bomb = gzipSync(zeros)
      assert.isBelow(bomb.length, 10_000)
      const handlers = {
        announced: (response) => response.writeHead(200, { "content-length": zeros.length }).end(zeros),
        chunked: (response) => {
          response.write(zeros.subarray(0, 100_000))
          response.end(zeros)
        },
        bomb: (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
        /** Many compressed nothings: no output at all, but endless input. */
        empties: (response) =>
          response.writeHead(200, { "content-encoding": "gzip" }).end(
            Buffer.concat(Array.from({ length: 10_000 }, () => gzipSync("")))
          )
      } satisfies Record<string, (response: import("node:http").ServerResponse) => void>
      for (const handler of Object.values(handlers)) {
        const server = yield* HttpServer.make((_, response) => handler(response))
        const error = yield* Effect.flip(get(server.url, [server.rule], 50_000))
        assert.strictEqual(error._tag, "ResponseTooLarge")
        assert.include(error.message, "50000 bytes")
      }
    }))

  it.scopedLive("accepts a body of exactly the bound, and none at all", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => {
        if (url === "/none") response.writeHead(204, { "content-encoding": "gzip" }).end()
        else response.end("12345")
      })
      assert.strictEqual((yield* get(server.url, [server.rule], 5)).body.length, 5)
      assert.strictEqual((yield* Effect.flip(get(server.url, [server.rule], 4)))._tag, "ResponseTooLarge")
      assert.strictEqual((yield* get(`${server.url}/none`, [server.rule])).body.length, 0)
    }))

  it.scopedLive("says why a server was not reached or not understood", () =>
    Effect.gen(function*() {
      const port = yield* raw((socket) => socket.end("not http at all\r\n\r\n"))
      const cut = yield* raw((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"))
      const gzip = yield* HttpServer.make((_, response) => {
        response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip")
      })
      const reason = (url: string) =>
        Effect.map(Effect.flip(get(url, ["127.0.0.1", "*.invalid"])), (error) =>
          error._tag === "ConnectorError" ? error.reason : error._tag)
      assert.strictEqual(yield* reason(`http://127.0.0.1:${port}/`), "Protocol")
      assert.strictEqual(yield* reason(`http://127.0.0.1:${cut}/`), "Unavailable")
      assert.strictEqual(yield* reason(gzip.url), "Protocol")
      assert.strictEqual(yield* reason("http://127.0.0.1:1/"), "Unavailable")
      assert.strictEqual(yield* reason("http://nowhere.invalid/"), "Unavailable")
    }))

  it.scopedLive("reads its rules from the environment and refuses to start on a bad one", () =>
    Effect.gen(function*() {
      const server = yield* hello
      const live = (allow: string) =>
        Effect.flatMap(Outbound.Outbound, (outbound) => outbound.request({ method: "GET", url: server.url })).pipe(
          asAgent,
          Effect.provide(Undici.UndiciOutboundLive),
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["OUTBOUND_ALLOW", allow]])))
        )
      assert.strictEqual((yield* live(`10.0.0.0/8, ${server.rule}`)).status, 200)
      const error = yield* Effect.flip(live("10.0.0.0/99"))
      assert.include(String(error), `"10.0.0.0/99" is not a rule`)
      const boot = yield* Effect.flip(
        built(Undici.UndiciOutbound.layer({ deny: ["http://x"] }))
      )
      assert.include(boot.message, `"http://x" is not a rule`)
      assert.include(boot.message, "Outbound.Settings.deny")
    }))
})

/** A TCP server that answers the first bytes it gets; its port. */
const raw = (answer: (socket: import("node:net").Socket) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() =>
        new Promise<import("node:net").Server>((resolve) => {
          const server = createServer((socket) => socket.once("data", () => answer(socket)))
          server.listen(0, "127.0.0.1", () => resolve(server))
        })
      ),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as AddressInfo).port
  )
