/** The keys of a configuration that govern calls of models: `Budgets`, `RateLimits`, `Routing`, `AnswerCache`, `ContextWindow`. */
import { Effect } from "effect"
import * as AnswerCache from "../subsystems/llm/AnswerCache.ts"
import * as Budgets from "../subsystems/llm/Budgets.ts"
import * as ContextWindow from "../subsystems/llm/ContextWindow.ts"
import { Settings } from "../subsystems/llm/Governed.ts"
import * as RateLimits from "../subsystems/llm/RateLimits.ts"
import * as Routing from "../subsystems/llm/Routing.ts"
import * as Section from "./Section.ts"

export const keys = Object.keys(Settings.fields)

/** What they say, and the configuration without them. */
export const split = (config: unknown) =>
  Effect.gen(function*() {
    const budgets = yield* Section.split(config, "Budgets", Budgets.Settings)
    const rateLimits = yield* Section.split(budgets.rest, "RateLimits", RateLimits.Settings)
    const routing = yield* Section.split(rateLimits.rest, "Routing", Routing.Settings)
    const answerCache = yield* Section.split(routing.rest, "AnswerCache", AnswerCache.Settings)
    const { rest, settings } = yield* Section.split(answerCache.rest, "ContextWindow", ContextWindow.Settings)
    const governed: Settings = {
      Budgets: budgets.settings,
      RateLimits: rateLimits.settings,
      Routing: routing.settings,
      AnswerCache: answerCache.settings,
      ContextWindow: settings
    }
    return { rest, settings: governed }
  })
