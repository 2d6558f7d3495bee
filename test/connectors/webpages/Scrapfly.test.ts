import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Scrapfly } from "../../../src/connectors/webpages/Scrapfly.ts"
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
