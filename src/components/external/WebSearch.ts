/** Searches the web. Who is asked is the operator's choice: see `WebSearch` of the services. */
import { Effect, Schema } from "effect"
import * as Service from "../../subsystems/io/WebSearch.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

const ranges = ["day", "week", "month", "year"] as const

export const WebSearch = Component.make("WebSearch", {
  description: "Searches the web and gives title, address and a fitting part of each page, the best first.",
  category: "external",
  aliases: ["TavilyWebSearch"],
  config: Schema.Struct({
    sourcesLimit: Settings.integer({ min: 1, max: 20, default: 10 }),
    searchTopic: Settings.literal(["general", "news"], { default: "general" }),
    /** How old a page may be. */
    timeRange: Settings.literal(["None", ...ranges], { default: "None" }),
    /** Gives `Images`: their addresses. */
    includeImages: Settings.boolean({ default: false }),
    /** Gives `Answer`, where the provider has one. */
    includeQAs: Settings.boolean({ default: false }),
    /** The text of each page as `raw_content`, where the provider has it. */
    includeRawContent: Settings.boolean({ default: false }),
    /** Separated by commas. */
    excludeDomains: Settings.text({ max: 2000, default: "" })
  }),
  inputs: Schema.Struct({ SearchQuery: Port.Text }),
  outputs: Schema.Struct({ Results: Port.List, Images: Port.List, Answer: Port.Text }),
  run: Effect.fnUntraced(function*({ config, inputs }) {
    const search = yield* Service.WebSearch
    const { answer, images, results } = yield* search.search({
      query: inputs.SearchQuery,
      limit: config.sourcesLimit,
      topic: config.searchTopic,
      timeRange: ranges.find((range) => range === config.timeRange),
      answer: config.includeQAs,
      images: config.includeImages,
      rawContent: config.includeRawContent,
      excludeDomains: config.excludeDomains.split(",").map((domain) => domain.trim()).filter((one) => one !== "")
    })
    return {
      Results: results,
      ...(config.includeImages ? { Images: images } : {}),
      ...(config.includeQAs && answer !== undefined ? { Answer: answer } : {})
    }
  })
})
