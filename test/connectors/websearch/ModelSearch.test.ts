import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { Agents } from "../../../src/agents/Agents.ts"
import * as Sre from "../../../src/boot/Sre.ts"
import { PerplexityLLM } from "../../../src/connectors/llm/CompatibleLLMs.ts"
import * as Sources from "../../../src/connectors/llm/Sources.ts"
import { JSONModels } from "../../../src/connectors/models/JSONModels.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import { NullVault } from "../../../src/connectors/vault/NullVault.ts"
import { ModelSearch } from "../../../src/connectors/websearch/ModelSearch.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { WebSearch } from "../../../src/subsystems/io/WebSearch.ts"
import * as LLM from "../../../src/subsystems/llm/LLM.ts"
import { agentDocument, endpoint } from "../../agents/documents.ts"
import * as OpenAIServer from "../../fixtures/OpenAIServer.ts"

/** An answer with the addresses its provider says it is from. */
const answer = (text: string, ...citations: ReadonlyArray<string>) => ({
  packets: [
    OpenAIServer.event({ choices: [{ index: 0, delta: { content: text } }], citations }),
    OpenAIServer.delta({}, "stop"),
    OpenAIServer.event("[DONE]")
  ]
})

const make = (...turns: ReadonlyArray<OpenAIServer.Turn>) =>
  Effect.map(OpenAIServer.make(...turns), ({ baseURL, requests }) => {
    const at = { provider: "Perplexity", modelId: "sonar", baseURL }
    const models = JSONModels.layer({
      models: { sonar: { ...at, credentials: "none" }, locked: { ...at, credentials: "vault" } }
    })
    const llm = LLM.layer.pipe(
      Layer.provide([LLM.providers([PerplexityLLM.contract({})]), NullVault.layer({}), models])
    )
    const base = Layer.merge(UndiciOutbound.layer({}), NullVault.layer({}))
    const search = (asked: Parameters<WebSearch["Type"]["search"]>[0], model = "sonar", models = true) =>
      Effect.flatMap(WebSearch, (one) => one.search(asked)).pipe(
        Candidate.as(Candidate.agent("a1")),
        Effect.provide(Layer.mergeAll(ModelSearch.layer({ model }), base, models ? llm : Layer.empty))
      )
    const asked = () => requests.map(({ body }) => JSON.parse(body) as { readonly messages: ReadonlyArray<object> })
    return { asked, search }
  })

const listed = (...urls: ReadonlyArray<string>) =>
  JSON.stringify({
    answer: "Cats purr.",
    results: urls.map((url) => ({ title: `About ${url}`, url, content: "Purring.", published_date: null }))
  })

describe("ModelSearch", () => {
  it.scopedLive("gives what the model lists, of the pages its provider names, and those it left out", () =>
    Effect.gen(function*() {
      const [a, b, c] = ["https://a.example/cats", "https://b.example/", "https://c.example/"]
      const { asked, search } = yield* make(answer(`Here: ${listed(a!, "https://made.up/", c!)}`, a!, b!, c!))
      const found = yield* search({
        query: `say "hi"`,
        limit: 2,
        topic: "news",
        timeRange: "week",
        answer: true,
        excludeDomains: ["C.example"]
      })
      assert.deepStrictEqual(found, {
        answer: "Cats purr.",
        images: [],
        results: [
          { title: `About ${a}`, url: a, content: "Purring." },
          { title: b, url: b, content: "" }
        ]
      })
      assert.notProperty(asked()[0], "response_format")
      const said = JSON.stringify(asked()[0]?.messages.at(-1))
      for (const part of ["say", "At most 2 pages with news", "older than a week", "C.example"]) {
        assert.include(said, part)
      }
    }))

  it.scopedLive("takes the list where the provider names nothing, and the names where the model lists nothing", () =>
    Effect.gen(function*() {
      const url = "https://a.example/"
      const { search } = yield* make(
        answer(listed(url, "javascript:alert(1)", "nonsense")),
        answer("Cats purr [1].", url),
        answer("I found nothing.")
      )
      const page = { title: `About ${url}`, url, content: "Purring." }
      assert.deepStrictEqual(yield* search({ query: "q" }), { answer: undefined, images: [], results: [page] })
      assert.deepStrictEqual(yield* search({ query: "q", answer: true }), {
        answer: "Cats purr [1].",
        images: [],
        results: [{ title: url, url, content: "" }]
      })
      const none = yield* Effect.flip(search({ query: "q" }))
      assert.deepInclude({ ...none }, { reason: "Protocol" })
      assert.include(none.message, "I found nothing.")
    }))

  it.scopedLive("says what is wrong with its model, and that there is none", () =>
    Effect.gen(function*() {
      const { asked, search } = yield* make()
      const reason = (model: string, models = true) =>
        Effect.map(Effect.flip(search({ query: "q" }, model, models)), (error) => {
          assert.include(error.message, "ModelSearch")
          return (error as { readonly reason?: string }).reason
        })
      assert.strictEqual(yield* reason("sonnar"), "InvalidInput")
      assert.strictEqual(yield* reason("locked"), "Unauthorized")
      assert.strictEqual(yield* reason("sonar", false), "Unsupported")
      assert.lengthOf(asked(), 0)
    }))

  it.scopedLive("finds the models of the system it is chosen for", () =>
    Effect.gen(function*() {
      const search = { name: "WebSearch", in: ["SearchQuery"] }
      const document = agentDocument({ E: endpoint("x"), S: search }, ["E.x -> S.SearchQuery"])
      const agents = yield* Agents
      yield* agents.load(yield* AgentDefinition.fromUnknown(document))
      const { answer } = yield* agents.call("a1", { endpoint: "go", body: { x: "cats" } })
      // Echo says what it is told, which is no list.
      assert.include(JSON.stringify(answer), "the model named no pages, but said: ")
    }).pipe(
      Candidate.as(Candidate.user("me")),
      Effect.provide(Sre.layer({ storage: MemoryStorage.layer({}), webSearch: ModelSearch.layer({ model: "Echo" }) }))
    ))

  it("reads the sources of an answer as they were written", () => {
    const sources = [{ url: "https://a.example/x", title: "A: b" }, { url: "https://b.example/", title: undefined }]
    const text = `So.${Sources.list(sources, {} as never)}`
    assert.deepStrictEqual(Sources.split(text), { text: "So.", sources })
    for (const plain of ["So.", "So.\n\nSources:\n1. my mother", "So.\n\nSources:\n"]) {
      assert.deepStrictEqual(Sources.split(plain), { text: plain, sources: [] })
    }
  })
})
