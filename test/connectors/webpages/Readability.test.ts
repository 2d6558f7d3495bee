import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { Readability } from "../../../src/connectors/webpages/Readability.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { WebPagesConnector } from "../../../src/subsystems/io/WebPages.ts"
import * as faults from "../../conformance/faults.ts"
import { article, read, type Routes, services, site } from "./pages.ts"

const robots = "User-agent: *\nDisallow: /private\nUser-agent: effect-sre\nDisallow: /own\nAllow: /own/but\n"

describe("Readability", () => {
  it.scopedLive("gives the article as Markdown, text or HTML, without what surrounds it", () =>
    Effect.gen(function*() {
      const server = yield* site({ "/": [200, "text/html; charset=utf-8", article] })
      yield* Effect.gen(function*() {
        const page = yield* read({ url: `${server.url}/` })
        assert.strictEqual(page.title, "Kangaroos")
        assert.include(page.content, "## Where they live")
        assert.include(page.content, `[More](${server.url}/more)`)
        assert.notInclude(page.content, "cookies")
        assert.notInclude(page.content, "Buy our things")
        const text = (yield* read({ url: `${server.url}/`, format: "text" })).content
        assert.match(text, /^Where they live$/m)
        assert.notMatch(text, /[#[\]]/)
        assert.include((yield* read({ url: `${server.url}/`, format: "html" })).content, "<h2>Where they live</h2>")
      }).pipe(Effect.provide(services(Readability.layer({}), [server.rule])))
    }))

  it.scopedLive("gives the whole of a page without an article, other text as it is, and refuses the rest", () =>
    Effect.gen(function*() {
      const server = yield* site({
        "/short": [200, "text/html", "<title>s</title><p>Short &amp; <b>sweet</b>"],
        "/latin": [200, "text/html", Buffer.from("<meta charset=latin1><p>gr\xfcn", "latin1")],
        "/text": [200, "text/plain", "<not html>"],
        "/picture": [200, "image/png", "x"],
        "/broken": [500, "text/html", "<p>sorry"]
      })
      yield* Effect.gen(function*() {
        assert.include((yield* read({ url: `${server.url}/short` })).content, "Short & **sweet**")
        assert.include((yield* read({ url: `${server.url}/latin` })).content, "grün")
        assert.strictEqual((yield* read({ url: `${server.url}/text` })).content, "<not html>")
        for (const [path, message] of [["/picture", "image/png"], ["/broken", "500"], ["/gone", "404"]] as const) {
          const error = yield* Effect.flip(read({ url: `${server.url}${path}` }))
          assert.strictEqual(error._tag, "PageUnreadable")
          assert.include(error.message, message)
        }
      }).pipe(Effect.provide(services(Readability.layer({}), [server.rule])))
    }))

  it.scopedLive("a page that has no end holds nobody up", () =>
    Effect.gen(function*() {
      const server = yield* site({ "/": [200, "text/html", "<p>".repeat(50_000)] })
      yield* Effect.gen(function*() {
        const reading = yield* Effect.fork(read({ url: `${server.url}/` }))
        yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => server.requests.length === 2 })
        yield* Effect.repeatN(Effect.sleep("20 millis"), 50)
        assert.isTrue(Option.isNone(yield* Fiber.poll(reading)))
        yield* Fiber.interrupt(reading)
      }).pipe(Effect.provide(services(Readability.layer({}), [server.rule])))
    }))

  it.scopedLive("loads nothing of what a page names, and runs none of it", () =>
    Effect.gen(function*() {
      const parts = `<link rel="stylesheet" href="/a.css"><script src="/a.js"></script><script>fetch("/b")</script>
        <base href="http://10.0.0.1/"><style>@import "/c.css"</style><img src="/a.png" onerror="fetch('/d')">
        <iframe src="/f.html"></iframe><object data="/o"></object><video src="/v" autoplay></video><body onload="fetch('/e')">`
      const server = yield* site({ "/": [200, "text/html", parts + article] })
      const page = yield* Effect.provide(
        read({ url: `${server.url}/` }),
        services(Readability.layer({}), [server.rule])
      )
      assert.include(page.content, "Where they live")
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(server.requests.map(({ url }) => url), ["/robots.txt", "/"])
    }))

  it.scopedLive("keeps away from what robots.txt says, and asks for it once", () =>
    Effect.gen(function*() {
      const page = [200, "text/html", "<p>yes"] as const
      const server = yield* site({
        "/robots.txt": [200, "text/plain", robots],
        "/own/but": page,
        "/own": page,
        "/private": page
      })
      yield* Effect.gen(function*() {
        for (const path of ["/own", "/own/x"]) {
          const error = yield* Effect.flip(read({ url: `${server.url}${path}` }))
          assert.strictEqual(error._tag === "PageUnreadable" && error.reason, "Forbidden")
        }
        yield* read({ url: `${server.url}/own/but` })
        // A group of its own replaces the one for everybody.
        yield* read({ url: `${server.url}/private` })
        assert.lengthOf(server.requests.filter(({ url }) => url === "/robots.txt"), 1)
      }).pipe(Effect.provide(services(Readability.layer({}), [server.rule])))
      const other = services(Readability.layer({ userAgent: "other" }), [server.rule])
      const error = yield* Effect.flip(Effect.provide(read({ url: `${server.url}/private` }), other))
      assert.include(error.message, `"other"`)
    }))

  it.scopedLive("keeps away while a site cannot say what it wants, and no longer", () =>
    Effect.gen(function*() {
      const page = [200, "text/html", "<p>yes"] as const
      const routes: Record<string, Routes[string]> = { "/robots.txt": [503, "text/plain", ""], "/": page }
      const server = yield* site(routes)
      yield* Effect.gen(function*() {
        const closed = yield* Effect.flip(read({ url: server.url }))
        assert.strictEqual(closed._tag === "PageUnreadable" && closed.reason, "Forbidden")
        routes["/robots.txt"] = [200, "text/plain", robots]
        assert.include((yield* read({ url: server.url })).content, "yes")
      }).pipe(Effect.provide(services(Readability.layer({}), [server.rule])))
    }))

  it.scopedLive("reads no more than it may, and connects to no place the policy refuses", () =>
    Effect.gen(function*() {
      const server = yield* site({
        "/large": [200, "text/html", "x".repeat(5000)],
        "/away": [302, "text/plain", "http://169.254.169.254/latest/meta-data/"]
      })
      const layer = services(Readability.layer({ maxBytes: 4000 }), [server.rule])
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(read({ url: `${server.url}/large` })))._tag, "ResponseTooLarge")
        assert.include((yield* Effect.flip(read({ url: `${server.url}/away` }))).message, "metadata")
        assert.include((yield* Effect.flip(read({ url: "http://10.0.0.1/" }))).message, "not public")
        assert.include((yield* Effect.flip(read({ url: "file:///etc/passwd" }))).message, "http")
      }).pipe(Effect.provide(layer))
    }))
})

/** Where the site is: the address is the caller's, not the connector's. */
class Place extends Context.Tag("test/Readability/Place")<Place, string>() {}

faults.suite("Readability", {
  server: Effect.map(
    site({ "/robots.txt": [200, "text/plain", robots], "/": [200, "text/html", article] }),
    ({ port }) => port
  ),
  connector: ({ port, timeoutMillis }) =>
    Layer.mergeAll(
      Layer.succeed(Place, `http://127.0.0.1:${port}/`),
      Readability.contract({ timeout: timeoutMillis }),
      UndiciOutbound.layer({ allow: [`127.0.0.1:${port}`] })
    ),
  read: Effect.gen(function*() {
    const pages = yield* WebPagesConnector
    const { content } = yield* pages.read({
      url: yield* Place,
      format: "markdown",
      renderJs: false,
      autoScroll: false,
      antiBot: false,
      countries: []
    }, undefined)
    return content.replaceAll(/127\.0\.0\.1:\d+/g, "site")
  }).pipe(Candidate.as(Candidate.agent("a1")))
})
