/**
 * WebSearch by an own SearXNG, whose settings must allow the format `json`: https://docs.searxng.org/dev/search_api.html
 * One inside the own network has to be opened to Outbound.
 */
import { Config, Duration, Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as WebSearch from "../../subsystems/io/WebSearch.ts"
import * as JsonRequest from "../JsonRequest.ts"

const SearXNGSettings = Schema.Struct({
  /** Where it runs: `https://search.example`. */
  url: Schema.NonEmptyString,
  /** Of one search, in milliseconds. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
})

const Answer = Schema.Struct({
  /** Texts in old versions, objects in newer ones. */
  answers: Schema.optionalWith(
    Schema.Array(Schema.Union(Schema.String, Schema.Struct({ answer: Schema.String }))),
    { default: () => [] }
  ),
  results: Schema.Array(Schema.Struct({
    title: Schema.String,
    url: Schema.String,
    content: Schema.optional(Schema.NullOr(Schema.String)),
    score: Schema.optional(Schema.NullOr(Schema.Number)),
    img_src: Schema.optional(Schema.NullOr(Schema.String)),
    publishedDate: Schema.optional(Schema.NullOr(Schema.String))
  }))
})

export const SearXNG = Connector.make({
  name: "SearXNG",
  contract: WebSearch.WebSearchConnector,
  service: WebSearch.layer,
  settings: SearXNGSettings,
  make: ({ timeout, url }) =>
    Effect.succeed(WebSearch.WebSearchConnector.of({
      secret: undefined,
      search: Effect.fnUntraced(function*(query) {
        if (query.rawContent) yield* Effect.logWarning("SearXNG does not give the text of pages: it is left out")
        const parameters = new URLSearchParams({
          q: [query.query, ...query.excludeDomains.map((domain) => `-site:${domain}`)].join(" "),
          format: "json",
          categories: [query.topic, ...(query.images ? ["images"] : [])].join(","),
          ...(query.timeRange === undefined ? {} : { time_range: query.timeRange })
        })
        const { answers, results } = yield* JsonRequest.send({ connector: "SearXNG", method: "search" }, {
          method: "GET",
          url: `${url.replace(/\/+$/, "")}/search?${parameters}`,
          headers: { accept: "application/json" },
          timeout
        }, Answer)
        const [answer] = answers
        const isImage = ({ img_src }: { readonly img_src?: string | null | undefined }) =>
          typeof img_src === "string" && img_src !== ""
        return {
          answer: !query.answer || answer === undefined
            ? undefined
            : typeof answer === "string"
            ? answer
            : answer.answer,
          images: query.images ? results.flatMap((result) => isImage(result) ? [result.img_src!] : []) : [],
          results: results.filter((result) => !query.images || !isImage(result)).map(
            ({ content, publishedDate, score, title, url }) => ({
              title,
              url,
              content: content ?? "",
              ...(typeof score === "number" ? { score } : {}),
              ...(typeof publishedDate === "string" ? { published_date: publishedDate } : {})
            })
          )
        }
      })
    }))
})

/** `WebSearch` by the one at `SEARXNG_URL`. */
export const SearXNGLive = SearXNG.layerConfig({
  url: Config.string("SEARXNG_URL"),
  timeout: Config.succeed(Duration.seconds(30))
})
