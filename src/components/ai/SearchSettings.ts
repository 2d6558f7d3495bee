/** Settings for searches that a provider does before it answers: read and kept; no connector offers such a search. */
import { Schema } from "effect"
import { ComponentFailed } from "../Component.ts"
import * as Settings from "../Settings.ts"
import type { Chosen } from "./Completion.ts"

const list = (max: number) => Settings.optional(Settings.text({ max }))
const count = Settings.optional(Settings.integer({ min: 0, max: 1_000_000_000 }))
const date = Settings.optional(
  Schema.String.pipe(Schema.pattern(/^\d{4}-\d\d-\d\d$/, { message: () => "expected a date as YYYY-MM-DD" }))
)

export const settings = {
  useWebSearch: Settings.boolean({ default: false }),
  webSearchContextSize: Settings.literal(["high", "medium", "low"], { default: "medium" }),
  webSearchCity: Settings.optional(Settings.template({ max: 255 })),
  webSearchCountry: Settings.optional(Settings.template({ max: 255 })),
  webSearchRegion: Settings.optional(Settings.template({ max: 255 })),
  webSearchTimezone: Settings.optional(Settings.template({ max: 255 })),
  useSearch: Settings.boolean({ default: false }),
  searchMode: Settings.optional(Settings.literal(["auto", "on", "off"])),
  returnCitations: Settings.optional(Settings.boolean()),
  maxSearchResults: Settings.optional(Settings.integer({ min: 1, max: 100 })),
  searchDataSources: Settings.optional(
    Schema.Array(Schema.Literal("web", "x", "news", "rss")).pipe(Schema.maxItems(4))
  ),
  searchCountry: Settings.optional(Settings.template({ max: 255 })),
  excludedWebsites: list(10_000),
  allowedWebsites: list(10_000),
  includedXHandles: list(1000),
  excludedXHandles: list(1000),
  postFavoriteCount: count,
  postViewCount: count,
  rssLinks: list(10_000),
  safeSearch: Settings.optional(Settings.boolean()),
  fromDate: date,
  toDate: date
} as const

/** An answer without the search that was asked for would pass for one with it. */
export const refusal = (
  config: { readonly useWebSearch: boolean; readonly useSearch: boolean },
  { isEcho, name, provider }: Chosen
): ComponentFailed | undefined => {
  const used = config.useWebSearch ? "useWebSearch" : config.useSearch ? "useSearch" : undefined
  return used === undefined || isEcho ? undefined : new ComponentFailed({
    message:
      `${used}: ${provider} searches nothing for the model "${name}" here. Turn the setting off, or search with a ` +
      `component before this one`
  })
}
