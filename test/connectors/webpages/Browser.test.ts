import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { Browser } from "../../../src/connectors/webpages/Browser.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { WebPages, WebPagesConnector } from "../../../src/subsystems/io/WebPages.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { article, read, services, site } from "./pages.ts"

const found = spawnSync("sh", ["-c", "command -v chromium"]).stdout.toString().trim()
const executable = process.env["SRE_REQUIRE_SERVICES"] === "1" || found !== "" ? found || "chromium" : undefined

const made =
  `<html><head><title>Made</title></head><body><main id="m"></main><script src="/made.js"></script></body></html>`
const script = (inner: string) => `
  const text = document.createElement("article")
  text.innerHTML = ${JSON.stringify(article)}
  document.getElementById("m").append(text)
  ${inner}`

describe.skipIf(executable === undefined)("Browser (needs chromium)", () => {
  it.scopedLive("reads what the scripts of a page make, with what they load", () =>
    Effect.gen(function*() {
      const server = yield* site({
        "/": [200, "text/html", made],
        "/made.js": [
          200,
          "text/javascript",
          script(`
          fetch("/data").then((r) => r.text()).then((t) => { text.querySelector("h2").textContent = t })`)
        ],
        "/data": [200, "text/plain", "Where they came from"]
      })
      const page = yield* Effect.provide(
        Effect.retry(
          Effect.filterOrFail(read({ url: `${server.url}/`, autoScroll: true }), ({ content }) =>
            content.includes("came from")),
          { times: 3 }
        ),
        services(Browser.layer({ executable: executable!, sandbox: false }), [server.rule])
      )
      assert.strictEqual(page.title, "Made")
      assert.include(page.content, "## Where they came from")
      assert.notInclude(page.content, "cookies")
    }), 60_000)

  it.scopedLive("lets no script reach what the policy refuses, and no page either", () =>
    Effect.gen(function*() {
      const inside = yield* site({ "/secret": [200, "text/plain", "SECRET"] })
      const server = yield* site({
        "/": [200, "text/html", made],
        "/made.js": [
          200,
          "text/javascript",
          script(`
          new WebSocket("ws://${inside.rule}/secret")
          new Image().src = "${inside.url}/secret"
          fetch("${inside.url}/secret", { mode: "no-cors" }).catch(() => {})`)
        ]
      })
      yield* Effect.gen(function*() {
        const { content } = yield* read({ url: `${server.url}/`, autoScroll: true })
        assert.include(content, "Where they live")
        assert.include((yield* Effect.flip(read({ url: `${inside.url}/secret` }))).message, "not public")
        assert.include((yield* Effect.flip(read({ url: `${server.url}/gone` }))).message, "404")
      }).pipe(Effect.provide(services(Browser.layer({ executable: executable!, sandbox: false }), [server.rule])))
      assert.lengthOf(inside.requests, 0)
      assert.strictEqual(inside.connections(), 0)
    }), 60_000)

  it.scopedLive("one tenant's pages leave places to others", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const server = yield* HttpServer.make(({ url }, response) => {
        asked.push(url)
        if (url !== "/held") response.writeHead(200, { "content-type": "text/html" }).end(article)
      })
      yield* Effect.gen(function*() {
        const held = yield* Effect.replicateEffect(Effect.fork(read({ url: `${server.url}/held` })), 3)
        yield* Effect.yieldNow()
        yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => asked.includes("/held") })
        const other = Effect.flatMap(WebPages, (pages) => pages.read({ url: `${server.url}/` }))
        assert.include((yield* Candidate.as(other, Candidate.agent("a2"))).content, "Where they live")
        // Of three one was let in, and there was a place beside it.
        assert.lengthOf(asked.slice(0, asked.indexOf("/")).filter((url) => url === "/held"), 1)
        yield* Fiber.interruptAll(held)
      }).pipe(
        Effect.provide(services(Browser.layer({ executable: executable!, sandbox: false, pages: 2 }), [server.rule]))
      )
    }), 60_000)

  it.scopedLive("closes the page when nobody waits for it any more", () =>
    Effect.gen(function*() {
      const server = yield* site({ "/": [200, "text/html", made], "/made.js": [200, "text/javascript", "for (;;) {}"] })
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.fork(read({ url: `${server.url}/` }))
        yield* Effect.repeat(Effect.sleep("20 millis"), {
          until: () => server.requests.some(({ url }) => url === "/made.js")
        })
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(services(Browser.layer({ executable: executable!, sandbox: false }), [server.rule])))
    }), 60_000)
})

/** Where the site is: the address is the caller's, not the connector's. */
class Place extends Context.Tag("test/Browser/Place")<Place, string>() {}

if (executable !== undefined) {
  faults.suite("Browser", {
    server: Effect.map(
      site({
        "/": [200, "text/html", made],
        "/made.js": [200, "text/javascript", script("")]
      }),
      ({ port }) => port
    ),
    connector: ({ port, timeoutMillis }) =>
      Layer.mergeAll(
        Layer.succeed(Place, `http://127.0.0.1:${port}/`),
        // A browser takes its time by itself, too.
        Browser.contract({ executable, sandbox: false, timeout: Math.max(timeoutMillis, 10_000) }),
        UndiciOutbound.layer({ allow: [`127.0.0.1:${port}`] })
      ),
    read: Effect.gen(function*() {
      const pages = yield* WebPagesConnector
      const { title } = yield* pages.read({
        url: yield* Place,
        format: "markdown",
        renderJs: true,
        autoScroll: false,
        antiBot: false,
        countries: []
      }, undefined)
      return title
    }).pipe(Candidate.as(Candidate.agent("a1")))
  })
}
