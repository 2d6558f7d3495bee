/** What every provider of searches must do, whatever its wire format: `provider` answers a search in that format. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { UndiciOutbound } from "../../src/connectors/outbound/UndiciOutbound.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Vault from "../../src/security/Vault.ts"
import { WebSearch, WebSearchConnector } from "../../src/subsystems/io/WebSearch.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import { memoryVault } from "../fixtures/MemoryVault.ts"
import * as faults from "./faults.ts"

export interface Provider<E> {
  readonly layer: (url: string) => Layer.Layer<WebSearch, E>
  /** `timeout` in milliseconds. */
  readonly contract: (at: { readonly url: string; readonly timeout: number }) => Layer.Layer<WebSearchConnector, E>
  /** Name of the secret, if it has one; the value is `the key`. */
  readonly secret?: string
  /** What it answers when it found these pages. */
  readonly answer: (
    pages: ReadonlyArray<{ readonly title: string; readonly url: string; readonly text: string }>
  ) => unknown
}

type Asked = Parameters<WebSearch["Type"]["search"]>[0]

/** Searches as an agent whose vault has the key, or has not. */
export const search = <E>(
  { layer, secret }: Provider<E>,
  server: HttpServer.HttpServer,
  query: Asked,
  secrets: Readonly<Record<string, string>> = secret === undefined ? {} : { [secret]: "the key" }
) =>
  Effect.flatMap(WebSearch, (one) => one.search(query)).pipe(
    Candidate.as(Candidate.agent("a1")),
    Effect.provide(
      Layer.mergeAll(
        Layer.orDie(layer(server.url)),
        Layer.orDie(UndiciOutbound.layer({ allow: [server.rule] })),
        Layer.provide(Vault.layer, memoryVault({ "agent:a1": secrets }))
      )
    )
  )

const pages = [
  { title: "Cats", url: "https://a.example/cats", text: "Cats purr." },
  { title: "Dogs", url: "https://b.example/dogs", text: "Dogs bark." }
]
const answering = (status: number, body: string) =>
  HttpServer.make((_, response) =>
    void response.writeHead(status, { "content-type": "application/json", "retry-after": "0" }).end(body)
  )

/** Last in its file, as the suite of faults is. */
export const suite = <E>(name: string, provider: Provider<E>) => {
  describe(`${name} is a provider of searches`, () => {
    it.scopedLive("gives what was found in its order, no more than asked for", () =>
      Effect.gen(function*() {
        const server = yield* answering(200, JSON.stringify(provider.answer(pages)))
        const { results } = yield* search(provider, server, { query: " pets " })
        assert.deepStrictEqual(
          results.map(({ content, title, url }) => ({ title, url, text: content })),
          pages
        )
        assert.lengthOf((yield* search(provider, server, { query: "pets", limit: 1 })).results, 1)
      }))

    it.scopedLive("gives nothing where nothing was found", () =>
      Effect.gen(function*() {
        const server = yield* answering(200, JSON.stringify(provider.answer([])))
        assert.deepStrictEqual((yield* search(provider, server, { query: "x" })).results, [])
      }))

    it.scopedLive("says why it failed, and tries again only what may pass", () =>
      Effect.gen(function*() {
        const cases = [
          [401, `{"detail":{"error":"no such key"}}`, "Unauthorized", 1],
          [422, `{"message":"bad query"}`, "InvalidInput", 1],
          [429, "{}", "RateLimited", 3],
          [503, "<html>", "Unavailable", 3],
          [200, "<html>", "Protocol", 1],
          [200, `{"results":5,"web":5}`, "Protocol", 1]
        ] as const
        for (const [status, body, reason, times] of cases) {
          const server = yield* answering(status, body)
          const error = yield* Effect.flip(search(provider, server, { query: "x" }))
          assert.strictEqual(error._tag === "ConnectorError" && error.reason, reason, `${status} ${body}`)
          assert.lengthOf(server.requests, times)
          assert.notInclude(JSON.stringify(error), "the key")
        }
      }))

    it.scopedLive("refuses a query it cannot send", () =>
      Effect.gen(function*() {
        const server = yield* answering(200, "{}")
        for (
          const query of [{ query: " " }, { query: "x".repeat(2001) }, { query: "x", limit: 0 }, {
            query: "x",
            limit: 1.5
          }]
        ) {
          const error = yield* Effect.flip(search(provider, server, query))
          assert.strictEqual(error._tag === "ConnectorError" && error.reason, "InvalidInput")
        }
        if (provider.secret !== undefined) {
          const error = yield* Effect.flip(search(provider, server, { query: "x" }, {}))
          assert.include(error.message, `"${provider.secret}"`)
        }
        assert.lengthOf(server.requests, 0)
      }))
  })

  faults.suite(name, {
    server: Effect.map(answering(200, JSON.stringify(provider.answer(pages))), ({ port }) => port),
    connector: ({ port, timeoutMillis }) =>
      Layer.merge(
        provider.contract({ url: `http://127.0.0.1:${port}`, timeout: timeoutMillis }),
        UndiciOutbound.layer({ allow: [`127.0.0.1:${port}`] })
      ),
    read: Effect.flatMap(WebSearchConnector, (one) => one.search(query, Redacted.make("the key"))).pipe(
      Candidate.as(Candidate.agent("a1"))
    )
  })
}

const query = {
  query: "pets",
  limit: 10,
  topic: "general",
  timeRange: undefined,
  answer: false,
  images: false,
  rawContent: false,
  excludeDomains: []
} as const
