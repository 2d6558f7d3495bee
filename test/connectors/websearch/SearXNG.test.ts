import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SearXNG } from "../../../src/connectors/websearch/SearXNG.ts"
import { type Provider, search, suite } from "../../conformance/websearch.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const provider: Provider<unknown> = {
  layer: (url) => SearXNG.layer({ url }),
  contract: SearXNG.contract,
  answer: (pages) => ({
    query: "pets",
    number_of_results: 0,
    results: pages.map(({ text, title, url }) => ({ title, url, content: text, engine: "wikipedia", score: 1 })),
    answers: [],
    unresponsive_engines: []
  })
}

describe("SearXNG", () => {
  it.scopedLive("is asked in its own words; answers are texts or objects, images stand among the results", () =>
    Effect.gen(function*() {
      let answers: ReadonlyArray<unknown> = ["42"]
      const server = yield* HttpServer.make((_, response) =>
        HttpServer.json(response, 200, {
          answers,
          results: [
            { title: "p", url: "https://a.example/", content: null, score: 2, publishedDate: "2026-01-02T00:00:00" },
            { title: "i", url: "https://b.example/", content: "", img_src: "https://i.example/1.png" }
          ]
        })
      )
      const query = {
        query: "q",
        timeRange: "year",
        answer: true,
        images: true,
        excludeDomains: ["x.example"]
      } as const
      const found = yield* search(provider, server, query)
      assert.deepStrictEqual(found, {
        answer: "42",
        images: ["https://i.example/1.png"],
        results: [{
          title: "p",
          url: "https://a.example/",
          content: "",
          score: 2,
          published_date: "2026-01-02T00:00:00"
        }]
      })
      answers = [{ answer: "43", url: "https://c.example/" }]
      assert.strictEqual((yield* search(provider, server, query)).answer, "43")
      assert.deepStrictEqual(Object.fromEntries(new URL(server.requests[0]!.url, server.url).searchParams), {
        q: "q -site:x.example",
        format: "json",
        categories: "general,images",
        time_range: "year"
      })
    }))
})

suite("SearXNG", provider)
