/** WebSearch by Tavily: https://docs.tavily.com/documentation/api-reference/endpoint/search */
import { Config, Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as WebSearch from "../../subsystems/io/WebSearch.ts"
import * as JsonRequest from "../JsonRequest.ts"

const TavilySettings = Schema.Struct({
  /** Of the service, or of what stands in for it. */
  url: Schema.optionalWith(Schema.NonEmptyString, { default: () => "https://api.tavily.com" }),
  /** Name of the secret with the key. */
  secret: Schema.optionalWith(Schema.NonEmptyString, { default: () => "tavily" }),
  /** Of one search, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})

const Answer = Schema.Struct({
  answer: Schema.optional(Schema.NullOr(Schema.String)),
  /** With descriptions, or without. */
  images: Schema.optional(Schema.Array(Schema.Union(Schema.String, Schema.Struct({ url: Schema.String })))),
  results: Schema.Array(Schema.Struct({
    title: Schema.String,
    url: Schema.String,
    content: Schema.String,
    score: Schema.optionalWith(Schema.Number, { exact: true }),
    raw_content: Schema.optional(Schema.NullOr(Schema.String)),
    published_date: Schema.optionalWith(Schema.String, { exact: true })
  }))
})

export const Tavily = Connector.make({
  name: "Tavily",
  contract: WebSearch.WebSearchConnector,
  service: WebSearch.layer,
  settings: TavilySettings,
  make: ({ secret, timeout, url }) =>
    Effect.succeed(WebSearch.WebSearchConnector.of({
      secret,
      search: Effect.fnUntraced(function*(query, key) {
        const { answer, images, results } = yield* JsonRequest.send({ connector: "Tavily", method: "search" }, {
          method: "POST",
          url: `${url}/search`,
          headers: {
            "content-type": "application/json",
            ...(key === undefined ? {} : { authorization: `Bearer ${Redacted.value(key)}` })
          },
          body: JSON.stringify({
            query: query.query,
            topic: query.topic,
            max_results: query.limit,
            time_range: query.timeRange,
            include_answer: query.answer,
            include_images: query.images,
            include_raw_content: query.rawContent,
            exclude_domains: query.excludeDomains
          }),
          timeout
        }, Answer)
        return {
          answer: answer ?? undefined,
          images: (images ?? []).map((image) => typeof image === "string" ? image : image.url),
          results: results.map(({ raw_content, ...result }) =>
            typeof raw_content === "string" ? { ...result, raw_content } : result
          )
        }
      })
    }))
})

/** `WebSearch` by the service at `TAVILY_URL`. */
export const TavilyLive = Tavily.layerConfig({
  url: Config.withDefault(Config.string("TAVILY_URL"), "https://api.tavily.com"),
  secret: Config.succeed("tavily"),
  timeout: Config.succeed(Duration.seconds(30))
})
