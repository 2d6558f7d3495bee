/** Governed: all that stands between callers and the providers of models, in its order. */
import { Layer, Schema } from "effect"
import type { Cache } from "../memory/Cache.ts"
import * as AnswerCache from "./AnswerCache.ts"
import * as Budgets from "./Budgets.ts"
import * as ContextWindow from "./ContextWindow.ts"
import type * as LLM from "./LLM.ts"
import type * as Models from "./Models.ts"
import * as RateLimits from "./RateLimits.ts"
import * as Routing from "./Routing.ts"

/** What an operator may say of calls of models, in code or in the configuration; times there are milliseconds. */
export const Settings = Schema.Struct({
  Budgets: Schema.optional(Budgets.Settings),
  RateLimits: Schema.optional(RateLimits.Settings),
  Routing: Schema.optional(Routing.Settings),
  AnswerCache: Schema.optional(AnswerCache.Settings),
  ContextWindow: Schema.optional(ContextWindow.Settings)
})
export type Settings = typeof Settings.Type

/** A model is chosen; its answer may be known; else it is reserved, and asked for. Nothing of it acts unless it is set. */
export const layer = <E, R>(
  llm: Layer.Layer<LLM.LLM, E, R>,
  settings: Settings = {},
  store: Layer.Layer<Budgets.BudgetStore> = Budgets.inMemory
): Layer.Layer<LLM.LLM, E, R | Models.Models | Cache> => {
  const reserved = settings.Budgets === undefined
    ? llm
    : Layer.provide(Budgets.layer(settings.Budgets), [llm, store])
  const kept = Layer.provide(AnswerCache.layer(settings.AnswerCache ?? AnswerCache.defaults), reserved)
  return Layer.provide(Routing.layer(settings.Routing), kept)
}

/** The providers as `LLM` is to be built on them. */
export const providers = <E, R>(
  installed: Layer.Layer<LLM.Providers, E, R>,
  settings: Settings = {}
): Layer.Layer<LLM.Providers, E, R> =>
  settings.RateLimits === undefined ? installed : Layer.provide(RateLimits.layer(settings.RateLimits), installed)
