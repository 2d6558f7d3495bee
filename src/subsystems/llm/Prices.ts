/** What tokens cost, by the class a provider bills them in. */
import { Schema } from "effect"
import type { Usage } from "./Prompt.ts"

const Price = Schema.Number.pipe(Schema.finite(), Schema.nonNegative())

/** US dollars for a million tokens. */
export const Prices = Schema.Struct({
  input: Price,
  output: Price,
  /** Read from the provider's cache; by default as `input`. */
  cacheRead: Schema.optional(Price),
  /** Written to the provider's cache; by default as `input`. */
  cacheWrite: Schema.optional(Price)
})
export type Prices = typeof Prices.Type

/** Of one call, in US dollars. Reasoning is output. */
export const costOf = ({ cacheRead, cacheWrite, input, output }: Prices, usage: Usage): number =>
  (usage.inputTokens * input + usage.outputTokens * output + usage.cacheReadTokens * (cacheRead ?? input) +
    usage.cacheWriteTokens * (cacheWrite ?? input)) / 1_000_000

/** The most that so many tokens can cost, in whatever class the input is billed. */
export const mostFor = (
  { cacheRead, cacheWrite, input, output }: Prices,
  inputTokens: number,
  outputTokens: number
): number => (inputTokens * Math.max(input, cacheRead ?? 0, cacheWrite ?? 0) + outputTokens * output) / 1_000_000
