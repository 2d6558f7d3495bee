import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { WebSearch } from "../../../src/components/external/WebSearch.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { Tavily } from "../../../src/connectors/websearch/Tavily.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"
import { runComponent } from "../harness.ts"

const tavily = HttpServer.make((_, response) =>
  HttpServer.json(response, 200, {
    answer: "Yes.",
    images: ["https://i.example/1.png"],
    results: [{ title: "t", url: "https://a.example/", content: "c", score: 0.9 }]
  })
)

const run = (server: HttpServer.HttpServer, settings = {}, secrets: Record<string, string> = { tavily: "k" }) =>
  runComponent(WebSearch, { settings, inputs: { SearchQuery: "is it so" } }).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(Layer.mergeAll(
      Layer.orDie(Tavily.layer({ url: server.url })),
      Layer.orDie(UndiciOutbound.layer({ allow: [server.rule] })),
      Layer.provide(Vault.layer, memoryVault({ "agent:a1": secrets }))
    ))
  )

const results = [{ title: "t", url: "https://a.example/", content: "c", score: 0.9 }]

describe("WebSearch", () => {
  it.scopedLive("gives results, and images and an answer only when asked for", () =>
    Effect.gen(function*() {
      const server = yield* tavily
      assert.deepStrictEqual(yield* run(server), { Results: results })
      assert.deepStrictEqual(
        yield* run(server, {
          includeImages: "true",
          includeQAs: true,
          includeRawContent: "1",
          sourcesLimit: "3",
          searchTopic: "news",
          timeRange: "Week",
          excludeDomains: " a.example, ,b.example"
        }),
        { Results: results, Images: ["https://i.example/1.png"], Answer: "Yes." }
      )
      const [plain, asked] = server.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
      assert.deepInclude(plain, { query: "is it so", max_results: 10, topic: "general", include_answer: false })
      assert.notProperty(plain, "time_range")
      assert.deepInclude(asked, {
        max_results: 3,
        topic: "news",
        include_raw_content: true,
        time_range: "week",
        exclude_domains: ["a.example", "b.example"]
      })
    }))

  it.scopedLive("fails without a key, and says which", () =>
    Effect.gen(function*() {
      const server = yield* tavily
      assert.include((yield* Effect.flip(run(server, {}, {}))).message, `"tavily"`)
      assert.include((yield* Effect.flip(run(server, { timeRange: "decade" }))).message, "timeRange")
      assert.lengthOf(server.requests, 0)
    }))

  it.scopedLive("stops the request when it is interrupted", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(() => undefined)
      const fiber = yield* Effect.fork(run(server))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => server.requests.length === 1 })
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => server.aborted)
    }))

  it("answers to the name it has in older documents", () => {
    assert.deepStrictEqual(WebSearch.aliases, ["TavilyWebSearch"])
  })
})
