/** Settings for searches that a provider does before it answers: of the web; those of `useSearch` no connector offers. */
import { Either, Schema } from "effect"
import type * as TemplateString from "../../kernel/TemplateString.ts"
import type { WebSearch } from "../../subsystems/llm/LLM.ts"
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
  /** Refused, with the settings for it below: no connector offers this search. */
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

type Config = Schema.Struct.Type<typeof settings>

/** The search to ask for, if any. An answer without the one that was asked for would pass for one with it. */
export const searchOf = (
  config: Config,
  model: Completion.Chosen,
  step: Step
): Either.Either<WebSearch | undefined, ComponentFailed> => {
  if (model.isEcho) return Either.right(undefined)
  if (config.useSearch) return Either.left(refusal("useSearch", model))
  if (!config.useWebSearch) return Either.right(undefined)
  // Of a model that lists no features it is unknown, and the provider decides.
  if (model.features.length > 0 && !model.features.includes("search")) {
    return Either.left(refusal("useWebSearch", model))
  }
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

const refusal = (setting: string, { name, provider }: Completion.Chosen) =>
  new ComponentFailed({
    message:
      `${setting}: ${provider} searches nothing for the model "${name}" here. Turn the setting off, choose a model ` +
      `with the feature "search" and useWebSearch, or search with a component before this one`
  })
