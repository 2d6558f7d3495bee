import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { Audit, type AuditEntry } from "../../../src/security/Audit.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Outbound, type OutboundRequest } from "../../../src/subsystems/io/Outbound.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const as = Candidate.as(Candidate.agent("a1"))

/** Sends one request with the servers' ports opened. */
const send = (request: OutboundRequest, ...servers: ReadonlyArray<HttpServer.HttpServer>) =>
  Effect.flatMap(Outbound, (outbound) => outbound.request(request)).pipe(
    as,
    Effect.provide(UndiciOutbound.layer({ allow: servers.map(({ rule }) => rule) }))
  )

const built = <E>(layer: Layer.Layer<Outbound, E>) => Effect.map(Layer.build(layer), Context.get(Outbound))

const text = ({ body }: { readonly body: Uint8Array }) => Buffer.from(body).toString()

/** Answers with what it got. */
const echo = HttpServer.make((request, response) => HttpServer.json(response, 200, request))

const redirecting = (status: number, to: () => string) =>
  HttpServer.make((request, response) => {
    if (request.url === "/") response.writeHead(status, { location: to() }).end()
    else HttpServer.json(response, 200, request)
  })

describe("Outbound", () => {
  it.scopedLive("sends method, headers and body, and reads status, headers, body and URL", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => {
        response.writeHead(418, { "x-one": "1", "set-cookie": ["a=1", "b=2"] }).end("short and stout")
      })
      const answer = yield* send(
        { method: "PUT", url: `${server.url}/a?b=c#d`, headers: { "X-Mine": "me", "X-Two": ["1", "2"] }, body: "hé" },
        server
      )
      assert.strictEqual(answer.status, 418)
      assert.strictEqual(answer.headers["x-one"], "1")
      assert.deepStrictEqual(answer.headers["set-cookie"], ["a=1", "b=2"])
      assert.strictEqual(text(answer), "short and stout")
      assert.strictEqual(answer.url, `${server.url}/a?b=c`)
      const [got] = server.requests
      assert.strictEqual(got?.method, "PUT")
      assert.strictEqual(got?.url, "/a?b=c")
      assert.strictEqual(got?.headers["x-mine"], "me")
      assert.strictEqual(got?.headers["x-two"], "1, 2")
      assert.strictEqual(got?.body, "hé")
    }))

  it.scopedLive("refuses nobody and whatever the policy refuses, before anything is sent", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const outbound = yield* built(UndiciOutbound.layer({}))
      const nobody = yield* Effect.flip(outbound.request({ method: "GET", url: server.url }))
      assert.strictEqual(nobody._tag, "NoCandidate")
      const refused = yield* Effect.flip(
        as(
          outbound.request({
            method: "GET",
            url: `http://u:secret@127.0.0.1:${server.port}/secret?token=secret#secret`
          })
        )
      )
      assert.strictEqual(refused._tag, "OutboundRefused")
      assert.include(refused.message, `http://127.0.0.1:${server.port} refused: its address is not public (loopback)`)
      assert.notInclude(JSON.stringify(refused), "secret")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("refuses text that is no URL without repeating it", () =>
    Effect.gen(function*() {
      const refused = yield* Effect.flip(send({ method: "GET", url: "//user:secret@nowhere" }))
      assert.include(refused.message, "it is not an absolute URL")
      assert.notInclude(JSON.stringify(refused), "secret")
    }))

  it.scopedLive("tells the audit who was refused what, and who was let where when all is asked for", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const entries: Array<AuditEntry> = []
      const audit = Layer.succeed(Audit, {
        level: "all",
        record: (entry) => Effect.sync(() => entries.push(entry))
      })
      const outbound = yield* built(Layer.provide(UndiciOutbound.layer({ allow: [server.rule] }), audit))
      yield* as(outbound.request({ method: "GET", url: `${server.url}/x?k=secret` }))
      yield* Effect.flip(as(outbound.request({ method: "GET", url: "http://10.0.0.1/" })))
      yield* Effect.flip(outbound.request({ method: "GET", url: server.url }))
      assert.deepStrictEqual(
        entries.map(({ candidate, resource, verdict }) => [candidate?.id, resource, verdict]),
        [["a1", server.url, "granted"], ["a1", "http://10.0.0.1", "denied"], [undefined, "", "denied"]]
      )
    }))

  it.scopedLive("turns user and password of a URL into a header, unless there is one", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const url = `http://us%40er:p%3Aw@127.0.0.1:${server.port}/`
      const answer = yield* send({ method: "GET", url }, server)
      yield* send({ method: "GET", url, headers: { authorization: "Bearer t" } }, server)
      assert.deepStrictEqual(
        server.requests.map(({ headers }) => headers.authorization),
        [`Basic ${Buffer.from("us@er:p:w").toString("base64")}`, "Bearer t"]
      )
      assert.strictEqual(answer.url, `${server.url}/`)
    }))

  it.scopedLive("keeps the headers of the connection to itself and refuses malformed ones", () =>
    Effect.gen(function*() {
      const server = yield* echo
      yield* send({
        method: "POST",
        url: server.url,
        body: "four",
        headers: { Host: "metadata.google.internal", "Content-Length": "9999", Connection: "upgrade", Upgrade: "h2c" }
      }, server)
      const { headers } = server.requests[0]!
      assert.strictEqual(headers.host, `127.0.0.1:${server.port}`)
      assert.strictEqual(headers["content-length"], "4")
      assert.isUndefined(headers.upgrade)
      for (
        const bad of [{ "x-a": "1\r\nx-b: 2" }, { "x a": "1" }, { "": "1" }, { "x-a": "\u0000" }, { "x-a": "日本" }]
      ) {
        const refused = yield* Effect.flip(send({ method: "GET", url: server.url, headers: bad }, server))
        assert.strictEqual(refused._tag === "OutboundRefused" && refused.reason, "InvalidHeader")
      }
      assert.lengthOf(server.requests, 1)
    }))

  describe("redirects", () => {
    it.scopedLive("become GET, or keep method and body, as the status demands", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        for (const status of [301, 302, 303, 307, 308]) {
          for (const method of ["POST", "PUT", "HEAD"] as const) {
            const server = yield* redirecting(status, () => "/there?x=1")
            const answer = yield* send({
              method,
              url: server.url,
              headers: { "content-type": "text/plain", "x-mine": "1" },
              ...(method === "HEAD" ? {} : { body: "data" })
            }, server)
            assert.strictEqual(answer.url, `${server.url}/there?x=1`)
            const last = server.requests[1]!
            assert.strictEqual(last.headers["x-mine"], "1")
            assert.strictEqual(last.headers["content-type"], last.method === "GET" ? undefined : "text/plain")
            seen.push(`${status} ${method} ${last.method} ${last.body}`.trim())
          }
        }
        assert.deepStrictEqual(seen, [
          "301 POST GET",
          "301 PUT PUT data",
          "301 HEAD HEAD",
          "302 POST GET",
          "302 PUT PUT data",
          "302 HEAD HEAD",
          "303 POST GET",
          "303 PUT GET",
          "303 HEAD HEAD",
          "307 POST POST data",
          "307 PUT PUT data",
          "307 HEAD HEAD",
          "308 POST POST data",
          "308 PUT PUT data",
          "308 HEAD HEAD"
        ])
      }))

    it.scopedLive("leave every header that may be a credential with the origin it was meant for", () =>
      Effect.gen(function*() {
        const other = yield* echo
        const first = yield* redirecting(307, () => `http://u:p@127.0.0.1:${other.port}/x`)
        yield* send(
          {
            method: "POST",
            url: first.url,
            body: "{}",
            headers: {
              Authorization: "Bearer secret",
              Cookie: "s=secret",
              "X-Api-Key": "secret",
              "Content-Type": "application/json",
              Accept: "a/b"
            }
          },
          first,
          other
        )
        const { headers } = other.requests[0]!
        assert.notInclude(JSON.stringify(headers), "secret")
        assert.isUndefined(headers.authorization)
        assert.strictEqual(headers["content-type"], "application/json")
        assert.strictEqual(headers.accept, "a/b")
        assert.include(JSON.stringify(first.requests[0]?.headers), "secret")
      }))

    for (
      const target of [
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/",
        "http://2852039166/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://metadata.google.internal/",
        "http://localhost:1/",
        "file:///etc/passwd"
      ]
    ) {
      it.scopedLive(`to ${target} are refused`, () =>
        Effect.gen(function*() {
          const server = yield* redirecting(302, () => target)
          const refused = yield* Effect.flip(send({ method: "GET", url: server.url }, server))
          assert.strictEqual(refused._tag === "OutboundRefused" && refused.reason, "Policy")
        }))
    }

    it.scopedLive("to another port of an allowed host are refused", () =>
      Effect.gen(function*() {
        const inner = yield* echo
        const server = yield* redirecting(302, () => inner.url)
        const refused = yield* Effect.flip(send({ method: "GET", url: server.url }, server))
        assert.strictEqual(refused._tag, "OutboundRefused")
        assert.lengthOf(inner.requests, 0)
      }))

    it.scopedLive("are bounded, and with a bound of 0 answered as they are", () =>
      Effect.gen(function*() {
        const server = yield* HttpServer.make((request, response) => {
          const hop = Number(request.url.slice(1))
          if (hop === 3) response.end("there")
          else response.writeHead(302, { location: `/${hop + 1}` }).end()
        })
        const url = `${server.url}/0`
        assert.strictEqual(text(yield* send({ method: "GET", url, maxRedirects: 3 }, server)), "there")
        const tooMany = yield* Effect.flip(send({ method: "GET", url, maxRedirects: 2 }, server))
        assert.strictEqual(tooMany._tag === "ConnectorError" && tooMany.reason, "Protocol")
        const asIs = yield* send({ method: "GET", url, maxRedirects: 0 }, server)
        assert.deepStrictEqual([asIs.status, asIs.headers["location"], asIs.url], [302, "/1", url])
      }))
  })

  it.scopedLive("ends an exchange that takes too long, headers and body included, and closes its connection", () =>
    Effect.gen(function*() {
      const silent = yield* HttpServer.make(() => {})
      const dripping = yield* HttpServer.make((_, response) => {
        const timer = setInterval(() => response.write("."), 10)
        response.on("close", () => clearInterval(timer))
      })
      for (const server of [silent, dripping]) {
        const error = yield* Effect.flip(send({ method: "GET", url: server.url, timeout: "150 millis" }, server))
        assert.strictEqual(error._tag === "ConnectorError" && error.reason, "Timeout")
        yield* Effect.promise(() => server.aborted)
      }
    }))

  it.scopedLive("closes the connection when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) => void response.write("begun"))
      const outbound = yield* built(UndiciOutbound.layer({ allow: [server.rule] }))
      const fiber = yield* Effect.fork(as(outbound.request({ method: "GET", url: server.url })))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length === 1 })
      yield* fiber.interruptAsFork(fiber.id())
      yield* Effect.promise(() => server.aborted)
    }))
})
