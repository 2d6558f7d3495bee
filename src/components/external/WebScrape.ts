/** Reads pages of the web. Who fetches them is the operator's choice: see `WebPages` of the services. */
import { Effect, Either, Predicate, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { WebPages } from "../../subsystems/io/WebPages.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const WebScrape = Component.make("WebScrape", {
  description: "Reads web pages and gives the text of each as Markdown; what could not be read is listed apart.",
  category: "external",
  aliases: ["ScrapflyWebScrape"],
  config: Schema.Struct({
    format: Settings.literal(["markdown", "text", "html", "clean_html", "raw"], { default: "markdown" }),
    /** Whether the scripts of the page run; Scrapfly and Browser can. */
    javascriptRendering: Settings.boolean({ default: false }),
    /** Scrolls to the end first, which needs the scripts. */
    autoScroll: Settings.boolean({ default: false }),
    /** Whether protection against programs is to be got around; Scrapfly can. */
    antiScrapingProtection: Settings.boolean({ default: false }),
    /** Where the request is to come from, as ISO codes; Scrapfly can choose. */
    countries: Settings.withDefault(Schema.Union(Schema.Array(Schema.String), Schema.String), [])
  }),
  inputs: Schema.Struct({ URLs: Port.Any }),
  outputs: Schema.Struct({ Results: Port.List, FailedURLs: Port.List }),
  openInputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const pages = yield* WebPages
    const declared = step.component.inputs.map(({ name }) => name)
    const urls = new Set(
      ["URLs", ...declared].flatMap((name) => Object.hasOwn(inputs, name) ? urlsIn(inputs[name]) : [])
    )
    if (urls.size === 0) {
      return yield* new Component.ComponentFailed({ message: "URLs: there is no http or https URL in it" })
    }
    if (urls.size > 100) {
      return yield* new Component.ComponentFailed({ message: `URLs: ${urls.size} are more than 100` })
    }
    const { countries, format } = config
    const read = yield* Effect.forEach(urls, (url) =>
      pages.read({
        url,
        format: format === "markdown" || format === "text" ? format : "html",
        renderJs: config.javascriptRendering || config.autoScroll,
        autoScroll: config.autoScroll,
        antiBot: config.antiScrapingProtection,
        countries: typeof countries === "string" ? countries.split(",").map((one) => one.trim()) : countries
      }).pipe(
        Effect.mapBoth({
          onSuccess: ({ content }) => ({ url, content }),
          onFailure: ({ message }) => ({ url, error: message })
        }),
        Effect.either
      ), { concurrency: 5 })
    return {
      Results: read.flatMap((one) => Either.isRight(one) ? [one.right] : []),
      FailedURLs: read.flatMap((one) => Either.isLeft(one) ? [one.left] : [])
    }
  })
})

/** A URL, a list of them, as JSON or separated by commas or lines, or objects with a `url` (what WebSearch gives). */
const urlsIn = (value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(urlsIn)
  if (Predicate.isRecord(value)) return typeof value["url"] === "string" ? urlsIn(value["url"]) : []
  if (typeof value !== "string") return []
  const text = value.trim()
  if (text.startsWith("[")) return urlsIn(Json.extract(text))
  return text.split(/\s*[,\n]\s*(?=https?:\/\/|$)/i).filter((one) => URL.canParse(one) && /^https?:/i.test(one))
}
