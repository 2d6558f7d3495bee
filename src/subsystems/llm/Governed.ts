/** Governed: all that stands between callers and the providers of models, in its order. */
import { Effect, Layer, Schema } from "effect"
import type { Cache } from "../memory/Cache.ts"
import * as AnswerCache from "./AnswerCache.ts"
import * as Budgets from "./Budgets.ts"
import type { BudgetStore } from "./BudgetStore.ts"
import * as Circuits from "./Circuits.ts"
import * as ContextWindow from "./ContextWindow.ts"
import { Governor, unlimited } from "./Governor.ts"
import type * as LLM from "./LLM.ts"
import type * as Models from "./Models.ts"
import * as RateLimits from "./RateLimits.ts"
import type { RateLimitStore } from "./RateLimitStore.ts"
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

/**
 * What the services that ask models keep to, be it text, vectors, pictures or speech: budgets and rate limits, and, for all but
 * `LLM`, where routing minds them, circuits. Nothing of it acts unless it is set.
 */
export const governor = (settings: Settings = {}): Layer.Layer<never, never, BudgetStore | RateLimitStore> =>
  Layer.effect(
    Governor,
    Effect.gen(function*() {
      const { Budgets: budgets, RateLimits: rateLimits, Routing: { circuit } = {} } = settings
      return {
        admit: budgets === undefined ? () => Effect.succeed(unlimited) : yield* Budgets.make(budgets),
        turn: rateLimits === undefined ? () => Effect.void : yield* RateLimits.make(rateLimits),
        circuits: circuit === undefined ? Circuits.closed : yield* Circuits.make(circuit)
      }
    })
  )

/** A model is chosen; its answer may be known; else it is asked for, within the limits of the {@link governor} below. */
export const layer = <E, R>(
  llm: Layer.Layer<LLM.LLM, E, R>,
  settings: Settings = {}
): Layer.Layer<LLM.LLM, E, R | Models.Models | Cache> =>
  Layer.provide(
    Routing.layer(settings.Routing),
    Layer.provide(AnswerCache.layer(settings.AnswerCache ?? AnswerCache.defaults), llm)
  )
