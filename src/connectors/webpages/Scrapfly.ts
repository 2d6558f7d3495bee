/** WebPages by Scrapfly: https://scrapfly.io/docs/scrape-api/getting-started */
import { Config, Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as WebPages from "../../subsystems/io/WebPages.ts"
import * as JsonRequest from "../JsonRequest.ts"

const ScrapflySettings = Schema.Struct({
  /** Of the service, or of what stands in for it. */
  url: Schema.optionalWith(Schema.NonEmptyString, { default: () => "https://api.scrapfly.io" }),
  /** Name of the secret with the key. */
  secret: Schema.optionalWith(Schema.NonEmptyString, { default: () => "scrapfly" }),
  /** Credits one page may cost. */
  costBudget: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 80 }),
  /** Of one page, in milliseconds. It gives up by itself before the default: https://scrapfly.io/docs/scrape-api/understand-timeout */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(155) })
})

const Answer = Schema.Struct({
  result: Schema.Struct({
    url: Schema.optional(Schema.String),
    content: Schema.NullOr(Schema.String),
    success: Schema.Boolean,
    status_code: Schema.optional(Schema.NullOr(Schema.Number)),
    error: Schema.optional(Schema.NullOr(Schema.Struct({ message: Schema.String })))
  })
})
const formats = { markdown: "markdown", text: "text", html: "clean_html" }

export const Scrapfly = Connector.make({
  name: "Scrapfly",
  contract: WebPages.WebPagesConnector,
  service: WebPages.layer,
  settings: ScrapflySettings,
  make: ({ costBudget, secret, timeout, url }) =>
    Effect.succeed(WebPages.WebPagesConnector.of({
      secret,
      read: Effect.fnUntraced(function*(request, key) {
        const parameters = new URLSearchParams({
          ...(key === undefined ? {} : { key: Redacted.value(key) }),
          url: request.url,
          format: formats[request.format],
          cost_budget: String(costBudget),
          ...(request.antiBot ? { asp: "true" } : {}),
          ...(request.renderJs || request.autoScroll ? { render_js: "true" } : {}),
          ...(request.autoScroll ? { auto_scroll: "true" } : {}),
          ...(request.countries.length === 0 ? {} : { country: request.countries.join(",").toLowerCase() })
        })
        const { result } = yield* JsonRequest.send({ connector: "Scrapfly", method: "read" }, {
          method: "GET",
          url: `${url}/scrape?${parameters}`,
          headers: { accept: "application/json" },
          timeout
        }, Answer)
        if (!result.success || result.content === null) {
          const detail = result.error?.message ?? `the server answered with status ${result.status_code ?? "unknown"}`
          return yield* WebPages.unreadable(request.url, "Refused", detail.slice(0, 200))
        }
        return { url: result.url ?? request.url, title: "", content: result.content }
      })
    }))
})

/** `WebPages` by the service at `SCRAPFLY_URL`. */
export const ScrapflyLive = Scrapfly.layerConfig({
  url: Config.withDefault(Config.string("SCRAPFLY_URL"), "https://api.scrapfly.io"),
  secret: Config.succeed("scrapfly"),
  costBudget: Config.withDefault(Config.integer("SCRAPFLY_COST_BUDGET"), 80),
  timeout: Config.succeed(Duration.seconds(155))
})
