/** WebSearch: pages of the web by words. Callers use {@link WebSearch}, connectors implement {@link WebSearchConnector}. */
import { Context, Effect, Layer, type Redacted } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, retrying } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import { Vault, type VaultError } from "../../security/Vault.ts"
import type { Outbound, OutboundError } from "./Outbound.ts"

export interface Query {
  /** 1 to 2000 characters. */
  readonly query: string
  /** 1 to 20. */
  readonly limit: number
  readonly topic: "general" | "news"
  readonly timeRange: "day" | "week" | "month" | "year" | undefined
  /** Whether an answer in words is wanted; not every provider has one. */
  readonly answer: boolean
  readonly images: boolean
  /** Whether the text of the pages is wanted as well; not every provider has it. */
  readonly rawContent: boolean
  readonly excludeDomains: ReadonlyArray<string>
}

export interface Result {
  readonly title: string
  readonly url: string
  /** What of the page fits the query. */
  readonly content: string
  /** Higher fits better; only comparable within one answer. */
  readonly score?: number
  readonly raw_content?: string
  /** As the provider writes it. */
  readonly published_date?: string
}

export interface Found {
  /** The best first. */
  readonly results: ReadonlyArray<Result>
  readonly images: ReadonlyArray<string>
  readonly answer: string | undefined
}

export type WebSearchError = VaultError | OutboundError

/** Asks one provider, by {@link Outbound}. No access code. */
export class WebSearchConnector extends Context.Tag("effect-sre/WebSearchConnector")<WebSearchConnector, {
  /** Name of the secret with the key, if it needs one. */
  readonly secret: string | undefined
  readonly search: (query: Query, key: Redacted.Redacted | undefined) => Effect.Effect<Found, OutboundError, Outbound>
}>() {}

export class WebSearch extends Context.Tag("effect-sre/WebSearch")<WebSearch, {
  /** With the key of the asker's own vault. Default: 10 results of all the web, nothing else. */
  readonly search: (
    query: Pick<Query, "query"> & Partial<Query>
  ) => Effect.Effect<Found, WebSearchError, Outbound | Vault>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* WebSearchConnector
  const guard = yield* Access.guard("WebSearch")

  return WebSearch.of({
    search: Effect.fnUntraced(function*(asked) {
      yield* guard.candidate("search")
      const query: Query = { ...defaults, ...asked, query: String(asked.query ?? "").trim() }
      if (query.query === "" || query.query.length > 2000) return yield* invalid("a query has 1 to 2000 characters")
      if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > 20) {
        return yield* invalid(`the number of results is from 1 to 20, not ${query.limit}`)
      }
      const key = connector.secret === undefined
        ? undefined
        : yield* Effect.flatMap(Vault, (vault) => vault.get(connector.secret!))
      const found = yield* retrying(connector.search(query, key))
      return { ...found, results: found.results.slice(0, query.limit) }
    }, traced("WebSearch.search"))
  })
})

export const layer: Layer.Layer<WebSearch, never, WebSearchConnector> = Layer.effect(WebSearch, make)

const defaults: Omit<Query, "query"> = {
  limit: 10,
  topic: "general",
  timeRange: undefined,
  answer: false,
  images: false,
  rawContent: false,
  excludeDomains: []
}

const invalid = (detail: string) =>
  new ConnectorError({ connector: "WebSearch", method: "search", reason: "InvalidInput", detail })
