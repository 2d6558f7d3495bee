import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { WebScrape } from "../../../src/components/external/WebScrape.ts"
import { Readability } from "../../../src/connectors/webpages/Readability.ts"
import { Scrapfly } from "../../../src/connectors/webpages/Scrapfly.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { services, site } from "../../connectors/webpages/pages.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { runComponent } from "../harness.ts"

const run = (server: HttpServer.HttpServer, inputs: Readonly<Record<string, unknown>>, settings = {}) =>
  runComponent(WebScrape, { settings, inputs }).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(services(Readability.layer({}), [server.rule]))
  )

const page = (text: string) => [200, "text/html", `<p>${text}</p>`] as const

describe("WebScrape", () => {
  it.scopedLive("reads every URL of every input, in any form, once; what fails is listed apart", () =>
    Effect.gen(function*() {
      const server = yield* site({ "/a": page("A"), "/b": page("B"), "/c,d": page("C") })
      const { url } = server
      const cases: ReadonlyArray<Readonly<Record<string, unknown>>> = [
        { URLs: [`${url}/a`, `${url}/b`, 5, "nonsense", "ftp://x.example/"] },
        { URLs: `["${url}/a", "${url}/b"]` },
        { URLs: `${url}/a, ${url}/b,` },
        { URLs: `${url}/a\n${url}/b\n${url}/a` },
        { URLs: [{ title: "a", url: `${url}/a` }], more: `${url}/b` }
      ]
      for (const inputs of cases) {
        assert.deepStrictEqual(yield* run(server, inputs), {
          Results: [{ url: `${url}/a`, content: "A" }, { url: `${url}/b`, content: "B" }],
          FailedURLs: []
        })
      }
      const { FailedURLs, Results } = yield* run(server, { URLs: `${url}/c,d,http://10.0.0.1/` })
      assert.deepStrictEqual(Results, [{ url: `${url}/c,d`, content: "C" }])
      const [failed] = FailedURLs as ReadonlyArray<{ readonly url: string; readonly error: string }>
      assert.strictEqual(failed!.url, "http://10.0.0.1/")
      assert.include(failed!.error, "not public")
    }))

  it.scopedLive("gives other forms than Markdown, and takes the settings of old", () =>
    Effect.gen(function*() {
      const server = yield* site({ "/a": page("<b>A</b>") })
      const content = (format: string) =>
        Effect.map(
          run(server, { URLs: `${server.url}/a` }, {
            format,
            countries: "",
            antiScrapingProtection: "true",
            autoScroll: false
          }),
          ({ Results }) => (Results as ReadonlyArray<{ readonly content: string }>)[0]!.content
        )
      assert.strictEqual(yield* content("markdown"), "**A**")
      assert.strictEqual(yield* content("text"), "A")
      assert.include(yield* content("clean_html"), "<b>A</b>")
    }))

  it.scopedLive("tells whoever reads the pages all that its settings say", () =>
    Effect.gen(function*() {
      const asked: Array<URLSearchParams> = []
      const server = yield* HttpServer.make(({ url }, response) => {
        asked.push(new URL(url, "http://x").searchParams)
        HttpServer.json(response, 200, {
          result: { content: "A", status_code: 200, success: true, url: "https://a.example/", format: "markdown" }
        })
      })
      const scrape = (settings: Readonly<Record<string, unknown>>) =>
        runComponent(WebScrape, { settings, inputs: { URLs: "https://a.example/" } }).pipe(
          Candidate.as(Candidate.agent("a1")),
          Effect.provide(services(Scrapfly.layer({ url: server.url }), [server.rule], { scrapfly: "k" }))
        )
      yield* scrape({ javascriptRendering: "true", antiScrapingProtection: true, countries: ["US", "de"] })
      yield* scrape({ autoScroll: 1, countries: "fr, it" })
      yield* scrape({})
      const [first, second, third] = asked.map((query) => Object.fromEntries(query))
      assert.deepInclude(first, { render_js: "true", asp: "true", country: "us,de" })
      assert.notProperty(first, "auto_scroll")
      assert.deepInclude(second, { render_js: "true", auto_scroll: "true", country: "fr,it" })
      for (const name of ["render_js", "asp", "country", "auto_scroll"]) assert.notProperty(third, name)
    }))

  it.scopedLive("stops reading when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) =>
        url === "/robots.txt" ? void response.writeHead(404).end() : undefined
      )
      const fiber = yield* Effect.fork(run(server, { URLs: `${server.url}/a` }))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.some(({ url }) => url === "/a") })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
    }))

  it.scopedLive("needs a URL, and takes a hundred at most", () =>
    Effect.gen(function*() {
      const server = yield* site({})
      for (const URLs of ["", "words", [], { a: 1 }, 5, ["ftp://x.example/"]]) {
        assert.include((yield* Effect.flip(run(server, { URLs }))).message, "no http or https URL")
      }
      const many = Array.from({ length: 101 }, (_, n) => `${server.url}/${n}`)
      assert.include((yield* Effect.flip(run(server, { URLs: many }))).message, "101")
      assert.lengthOf(server.requests, 0)
    }))
})
