/** WebSearch by Brave: https://api-dashboard.search.brave.com/app/documentation/web-search/query */
import { Config, Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as WebSearch from "../../subsystems/io/WebSearch.ts"
import * as JsonRequest from "../JsonRequest.ts"

const BraveSettings = Schema.Struct({
  /** Of the service, or of what stands in for it. */
  url: Schema.optionalWith(Schema.NonEmptyString, { default: () => "https://api.search.brave.com" }),
  /** Name of the secret with the key. */
  secret: Schema.optionalWith(Schema.NonEmptyString, { default: () => "brave" }),
  /** Of one search, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})

const Results = Schema.Array(Schema.Struct({
  title: Schema.String,
  url: Schema.String,
  description: Schema.optionalWith(Schema.String, { default: () => "" }),
  page_age: Schema.optional(Schema.String),
  thumbnail: Schema.optional(Schema.Struct({ src: Schema.String }))
}))
/** Without `web` when nothing was found. */
const Web = Schema.Struct({ web: Schema.optional(Schema.Struct({ results: Results })) })
const News = Schema.Struct({ results: Results })
const freshness = { day: "pd", week: "pw", month: "pm", year: "py" }

export const Brave = Connector.make({
  name: "Brave",
  contract: WebSearch.WebSearchConnector,
  service: WebSearch.layer,
  settings: BraveSettings,
  make: ({ secret, timeout, url }) =>
    Effect.succeed(WebSearch.WebSearchConnector.of({
      secret,
      search: Effect.fnUntraced(function*(query, key) {
        if (query.answer || query.rawContent) {
          yield* Effect.logWarning("Brave gives neither answers nor the text of pages: they are left out")
        }
        const isNews = query.topic === "news"
        const parameters = new URLSearchParams({
          q: [query.query, ...query.excludeDomains.map((domain) => `-site:${domain}`)].join(" "),
          count: String(query.limit),
          ...(query.timeRange === undefined ? {} : { freshness: freshness[query.timeRange] })
        })
        const request = {
          method: "GET",
          url: `${url}/res/v1/${isNews ? "news" : "web"}/search?${parameters}`,
          headers: {
            accept: "application/json",
            ...(key === undefined ? {} : { "x-subscription-token": Redacted.value(key) })
          },
          timeout
        } as const
        const place = { connector: "Brave", method: "search" }
        const results = isNews
          ? (yield* JsonRequest.send(place, request, News)).results
          : (yield* JsonRequest.send(place, request, Web)).web?.results ?? []
        return {
          answer: undefined,
          images: query.images ? results.flatMap(({ thumbnail }) => thumbnail?.src ?? []) : [],
          results: results.map(({ description, page_age, title, url }) => ({
            title,
            url,
            content: description.replace(/<\/?strong>/g, ""),
            ...(page_age === undefined ? {} : { published_date: page_age })
          }))
        }
      })
    }))
})

/** `WebSearch` by the service at `BRAVE_SEARCH_URL`. */
export const BraveLive = Brave.layerConfig({
  url: Config.withDefault(Config.string("BRAVE_SEARCH_URL"), "https://api.search.brave.com"),
  secret: Config.succeed("brave"),
  timeout: Config.succeed(Duration.seconds(30))
})
