import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { Scrapfly } from "../../../src/connectors/webpages/Scrapfly.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { WebPagesConnector } from "../../../src/subsystems/io/WebPages.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { read, services } from "./pages.ts"

const answering = (status: number, body: unknown) =>
  HttpServer.make((_, response) => HttpServer.json(response, status, body))
const by = (server: HttpServer.HttpServer, secrets: Readonly<Record<string, string>> = { scrapfly: "the key" }) =>
  services(Scrapfly.layer({ url: server.url }), [server.rule], secrets)

describe("Scrapfly", () => {
  it.scopedLive("is asked in its own words", () =>
    Effect.gen(function*() {
      const server = yield* answering(200, {
        config: {},
        context: { cost: { total: 6 } },
        result: {
          content: "# Hi",
          success: true,
          status: "DONE",
          status_code: 200,
          url: "https://a.example/end",
          error: null
        }
      })
      const page = yield* Effect.provide(
        read({
          url: "https://a.example/?q=1&r=2",
          autoScroll: true,
          antiBot: true,
          countries: ["US", "GB"]
        }),
        by(server)
      )
      assert.deepStrictEqual(page, { url: "https://a.example/end", title: "", content: "# Hi" })
      const { pathname, searchParams } = new URL(server.requests[0]!.url, server.url)
      assert.strictEqual(pathname, "/scrape")
      assert.deepStrictEqual(Object.fromEntries(searchParams), {
        key: "the key",
        url: "https://a.example/?q=1&r=2",
        format: "markdown",
        cost_budget: "80",
        asp: "true",
        render_js: "true",
        auto_scroll: "true",
        country: "us,gb"
      })
    }))

  it.scopedLive("says why a page could not be had, and never its key", () =>
    Effect.gen(function*() {
      const refused = yield* answering(200, { result: { content: null, success: false, status_code: 403 } })
      const error = yield* Effect.flip(Effect.provide(read({ url: "https://a.example/" }), by(refused)))
      assert.include(error.message, "403")
      const wrong = yield* answering(401, { message: "Invalid API key", http_code: 401 })
      const unauthorized = yield* Effect.flip(Effect.provide(read({ url: "https://a.example/" }), by(wrong)))
      assert.include(unauthorized.message, "Invalid API key")
      assert.notInclude(JSON.stringify(unauthorized), "the key")
      const missing = yield* Effect.flip(Effect.provide(read({ url: "https://a.example/" }), by(wrong, {})))
      assert.include(missing.message, `"scrapfly"`)
      assert.lengthOf(wrong.requests, 1)
    }))
})

faults.suite("Scrapfly", {
  server: Effect.map(
    answering(200, { result: { content: "# Hi", success: true, status_code: 200, url: "https://a.example/end" } }),
    ({ port }) => port
  ),
  connector: ({ port, timeoutMillis }) =>
    Layer.merge(
      Scrapfly.contract({ url: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
      UndiciOutbound.layer({ allow: [`127.0.0.1:${port}`] })
    ),
  read: Effect.flatMap(WebPagesConnector, (pages) =>
    pages.read({
      url: "https://a.example/",
      format: "markdown",
      renderJs: false,
      autoScroll: false,
      antiBot: false,
      countries: []
    }, Redacted.make("the key"))).pipe(Candidate.as(Candidate.agent("a1")))
})
