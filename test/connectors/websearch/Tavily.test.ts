import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Tavily } from "../../../src/connectors/websearch/Tavily.ts"
import { type Provider, search, suite } from "../../conformance/websearch.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const provider: Provider<unknown> = {
  layer: (url) => Tavily.layer({ url }),
  contract: Tavily.contract,
  secret: "tavily",
  answer: (pages) => ({
    query: "pets",
    answer: null,
    images: [],
    results: pages.map(({ text, title, url }, n) => ({
      title,
      url,
      content: text,
      score: 1 - n / 10,
      raw_content: null
    })),
    response_time: 1.67
  })
}

describe("Tavily", () => {
  it.scopedLive("is asked in its own words, with the key in the header", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) =>
        HttpServer.json(response, 200, {
          answer: "Yes.",
          images: ["https://i.example/1.png", { url: "https://i.example/2.png", description: "two" }],
          results: [{ title: "t", url: "https://a.example/", content: "c", score: 0.9, raw_content: "# all" }]
        })
      )
      const found = yield* search(provider, server, {
        query: "q",
        limit: 3,
        topic: "news",
        timeRange: "week",
        answer: true,
        images: true,
        rawContent: true,
        excludeDomains: ["x.example"]
      })
      const [request] = server.requests
      assert.deepInclude(request, { method: "POST", url: "/search" })
      assert.strictEqual(request!.headers.authorization, "Bearer the key")
      assert.deepStrictEqual(JSON.parse(request!.body), {
        query: "q",
        topic: "news",
        max_results: 3,
        time_range: "week",
        include_answer: true,
        include_images: true,
        include_raw_content: true,
        exclude_domains: ["x.example"]
      })
      assert.deepStrictEqual(found, {
        answer: "Yes.",
        images: ["https://i.example/1.png", "https://i.example/2.png"],
        results: [{ title: "t", url: "https://a.example/", content: "c", score: 0.9, raw_content: "# all" }]
      })
    }))
})

suite("Tavily", provider)
