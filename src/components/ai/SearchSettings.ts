/** Settings for searches that a provider does before it answers: of the web, and with xAI of posts on X. */
import { Either, Schema } from "effect"
import type * as TemplateString from "../../kernel/TemplateString.ts"
import type { SearchPlaces, WebSearch } from "../../subsystems/llm/LLM.ts"
import { ComponentFailed, type Step } from "../Component.ts"
import * as Settings from "../Settings.ts"
import * as Completion from "./Completion.ts"

const list = (max: number) => Settings.optional(Settings.text({ max }))
const count = Settings.optional(Settings.integer({ min: 0, max: 1_000_000_000 }))
const date = Settings.optional(
  Schema.String.pipe(Schema.pattern(/^\d{4}-\d\d-\d\d$/, { message: () => "expected a date as YYYY-MM-DD" }))
)

export const settings = {
  /** Lets a model with the feature `search` search the web; the sources it names are listed at the end of the answer. */
  useWebSearch: Settings.boolean({ default: false }),
  /** How much of what was found the model reads. */
  webSearchContextSize: Settings.literal(["high", "medium", "low"], { default: "medium" }),
  webSearchCity: Settings.optional(Settings.template({ max: 255 })),
  webSearchCountry: Settings.optional(Settings.template({ max: 255 })),
  webSearchRegion: Settings.optional(Settings.template({ max: 255 })),
  webSearchTimezone: Settings.optional(Settings.template({ max: 255 })),
  /** Lets a model of xAI with the feature `search` search where the settings below say. */
  useSearch: Settings.boolean({ default: false }),
  /** `off`: it does not search. The model decides otherwise. */
  searchMode: Settings.optional(Settings.literal(["auto", "on", "off"])),
  /** Of old, and without effect: what the model names as its sources is listed at the end of the answer. */
  returnCitations: Settings.optional(Settings.boolean()),
  /** Of old, and without effect: xAI takes no number any more. */
  maxSearchResults: Settings.optional(Settings.integer({ min: 1, max: 100 })),
  /** Default: the web and posts on X. `news` is the web; `rss` is searched no more. */
  searchDataSources: Settings.optional(
    Schema.Array(Schema.Literal("web", "x", "news", "rss")).pipe(Schema.maxItems(4))
  ),
  /** Of old, and without effect: xAI takes no country any more. */
  searchCountry: Settings.optional(Settings.template({ max: 255 })),
  /** Hosts that are left out, separated by commas or lines; xAI takes five. */
  excludedWebsites: list(10_000),
  /** Hosts that are searched alone; they win over those left out. */
  allowedWebsites: list(10_000),
  /** Accounts of X whose posts are searched alone, as `@name` or `name`; they win over those left out. */
  includedXHandles: list(1000),
  excludedXHandles: list(1000),
  /** Of old, and without effect, as the next. */
  postFavoriteCount: count,
  postViewCount: count,
  /** Of old: xAI searches no feeds any more. */
  rssLinks: list(10_000),
  /** Of old, and without effect. */
  safeSearch: Settings.optional(Settings.boolean()),
  /** The days posts are from. */
  fromDate: date,
  toDate: date
} as const

type Config = Schema.Struct.Type<typeof settings>

/** The search to ask for, if any. An answer without the one that was asked for would pass for one with it. */
export const searchOf = (
  config: Config,
  model: Completion.Chosen,
  step: Step
): Either.Either<WebSearch | undefined, ComponentFailed> => {
  if (model.isEcho) return Either.right(undefined)
  const isPlaced = config.useSearch && config.searchMode !== "off"
  if (!isPlaced && !config.useWebSearch) return Either.right(undefined)
  // Of a model that lists no features it is unknown, and the provider decides.
  if (model.features.length > 0 && !model.features.includes("search")) {
    return Either.left(refusal(isPlaced ? "useSearch" : "useWebSearch", model))
  }
  if (isPlaced) return Either.map(placesOf(config, step), (places) => ({ places }))
  const written = (template: TemplateString.Template | undefined) => {
    const text = template === undefined ? "" : Completion.render(template, step).trim()
    return text === "" ? undefined : text
  }
  const location = {
    city: written(config.webSearchCity),
    country: written(config.webSearchCountry),
    region: written(config.webSearchRegion),
    timezone: written(config.webSearchTimezone)
  }
  return Either.right({
    contextSize: config.webSearchContextSize,
    ...(Object.values(location).every((one) => one === undefined) ? {} : { location })
  })
}

/** What xAI's former search took and the present one does not. */
const ineffective = [
  "returnCitations",
  "maxSearchResults",
  "searchCountry",
  "postFavoriteCount",
  "postViewCount",
  "rssLinks",
  "safeSearch"
] as const

const placesOf = (config: Config, step: Step): Either.Either<SearchPlaces, ComponentFailed> => {
  const sources = config.searchDataSources ?? ["web", "x"]
  const web = sources.includes("web") || sources.includes("news")
  const posts = sources.includes("x")
  if (!web && !posts) {
    return Either.left(new ComponentFailed({ message: "searchDataSources: web, x or news must be among them" }))
  }
  for (const name of ineffective) {
    if (config[name] !== undefined) step.log("warning", `${name}: the provider's search takes it no more`)
  }
  return Either.right({
    web: web
      ? { allowedDomains: listed(config.allowedWebsites), excludedDomains: listed(config.excludedWebsites) }
      : undefined,
    posts: posts
      ? {
        allowedAccounts: listed(config.includedXHandles),
        excludedAccounts: listed(config.excludedXHandles),
        from: config.fromDate,
        to: config.toDate
      }
      : undefined
  })
}

const listed = (text = "") => text.split(/[\s,]+/).map((one) => one.replace(/^@/, "")).filter((one) => one !== "")

const refusal = (setting: string, { name, provider }: Completion.Chosen) =>
  new ComponentFailed({
    message:
      `${setting}: ${provider} searches nothing for the model "${name}" here. Turn the setting off, choose a model ` +
      `with the feature "search" and useWebSearch, or search with a component before this one`
  })
