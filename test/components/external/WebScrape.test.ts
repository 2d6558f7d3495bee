import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebScrape } from "../../../src/components/external/WebScrape.ts"
import { Readability } from "../../../src/connectors/webpages/Readability.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { services, site } from "../../connectors/webpages/pages.ts"
import type { HttpServer } from "../../fixtures/HttpServer.ts"
import { runComponent } from "../harness.ts"

const run = (server: HttpServer, inputs: Readonly<Record<string, unknown>>, settings = {}) =>
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
