import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { createServer } from "node:net"
import * as JsonHttp from "../../src/connectors/JsonHttp.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"

const open = JsonHttp.make("Test", Duration.seconds(2))

describe("JsonHttp", () => {
  it.scopedLive("sends and reads JSON, and gives every status as an answer", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ body, headers, method, url }, response) => {
        response.setHeader("retry-after", "3")
        HttpServer.json(response, 429, { method, url, type: headers["content-type"], body })
      })
      const http = yield* open
      const answer = yield* http("get", { method: "PUT", url: `${server.url}/x?y=1`, body: { a: "ä" } })
      assert.strictEqual(answer.status, 429)
      assert.deepStrictEqual(answer.json, {
        method: "PUT",
        url: "/x?y=1",
        type: "application/json",
        body: "{\"a\":\"ä\"}"
      })
      assert.deepStrictEqual(JsonHttp.retryAfter(answer), { retryAfter: Duration.seconds(3) })
      assert.isUndefined(answer.header("x-missing"))
    }))

  it.scopedLive("a page is no answer, but an error may come as one; redirects are not followed", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => {
        if (url === "/elsewhere") response.writeHead(302, { location: "/ok" }).end()
        else response.writeHead(url === "/ok" ? 200 : 502).end("<html>")
      })
      const http = yield* open
      const get = (path: string) => http("get", { method: "GET", url: `${server.url}${path}` })
      assert.strictEqual((yield* Effect.flip(get("/ok"))).reason, "Protocol")
      assert.deepInclude(yield* get("/broken"), { status: 502, json: undefined })
      assert.strictEqual((yield* get("/elsewhere")).status, 302)
    }))

  it.scopedLive("an answer without an end, without bounds, or of another protocol is an error, and told as what it is", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) => {
        response.writeHead(200)
        if (url === "/large") response.end(`"${"x".repeat(9_000_000)}"`)
        else if (url === "/cut") response.write("{", () => response.destroy())
      })
      const http = yield* JsonHttp.make("Test", Duration.millis(500))
      const reason = (url: string) =>
        Effect.map(Effect.flip(http("get", { method: "GET", url })), ({ reason }) => reason)
      assert.strictEqual(yield* reason(`${server.url}/large`), "Protocol")
      assert.strictEqual(yield* reason(`${server.url}/cut`), "Unavailable")
      assert.strictEqual(yield* reason(`${server.url}/never`), "Timeout")
      const port = yield* Effect.acquireRelease(
        Effect.promise(() =>
          new Promise<{ readonly port: number; readonly close: () => void }>((resolve) => {
            const other = createServer((socket) => socket.end("220 smtp ready\r\n")).listen(0, "127.0.0.1", () => {
              const address = other.address()
              resolve({ port: typeof address === "object" ? address?.port ?? 0 : 0, close: () => other.close() })
            })
          })
        ),
        ({ close }) => Effect.sync(close)
      )
      assert.strictEqual(yield* reason(`http://127.0.0.1:${port.port}/`), "Protocol")
    }))

  it("takes only addresses it can add a path to", () => {
    const accepts = Schema.decodeUnknownOption(JsonHttp.BaseUrl)
    assert.deepInclude(accepts("https://a.example/b//"), { _tag: "Some", value: "https://a.example/b" })
    for (const text of ["", "a.example", "ftp://a.example", "http://u:p@a.example", "http://a.example?x=1", 1]) {
      assert.strictEqual(accepts(text)._tag, "None", String(text))
    }
  })
})
