import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Brave } from "../../../src/connectors/websearch/Brave.ts"
import { type Provider, search, suite } from "../../conformance/websearch.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"

const provider: Provider<unknown> = {
  layer: (url) => Brave.layer({ url }),
  contract: Brave.contract,
  secret: "brave",
  answer: (pages) =>
    pages.length === 0 ? { type: "search", query: { original: "x" } } : {
      type: "search",
      web: {
        type: "search",
        results: pages.map(({ text, title, url }) => ({ title, url, description: text, language: "en" }))
      }
    }
}

describe("Brave", () => {
  it.scopedLive("is asked in its own words, with the key in the header; news at their own place", () =>
    Effect.gen(function*() {
      const result = {
        title: "t",
        url: "https://a.example/",
        description: "a <strong>b</strong>",
        page_age: "2026-01-02T00:00:00",
        thumbnail: { src: "https://i.example/1.png" }
      }
      const server = yield* HttpServer.make(({ url }, response) =>
        HttpServer.json(response, 200, url.includes("/news/") ? { results: [result] } : { web: { results: [result] } })
      )
      for (const topic of ["general", "news"] as const) {
        const found = yield* search(provider, server, {
          query: "q & a",
          limit: 5,
          topic,
          timeRange: "month",
          images: true,
          excludeDomains: ["x.example", "y.example"]
        })
        assert.deepStrictEqual(found, {
          answer: undefined,
          images: ["https://i.example/1.png"],
          results: [{ title: "t", url: "https://a.example/", content: "a b", published_date: "2026-01-02T00:00:00" }]
        })
      }
      assert.deepStrictEqual(server.requests.map(({ url }) => url.replace(/\?.*/, "")), [
        "/res/v1/web/search",
        "/res/v1/news/search"
      ])
      const [request] = server.requests
      assert.strictEqual(request!.headers["x-subscription-token"], "the key")
      assert.deepStrictEqual(Object.fromEntries(new URL(request!.url, server.url).searchParams), {
        q: "q & a -site:x.example -site:y.example",
        count: "5",
        freshness: "pm"
      })
    }))
})

suite("Brave", provider)
