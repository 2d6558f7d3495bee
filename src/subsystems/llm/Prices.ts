/** What models cost, in the units a provider bills them in. */
import { Schema } from "effect"
import type { Usage } from "./Prompt.ts"

const Price = Schema.Number.pipe(Schema.finite(), Schema.nonNegative())

/** US dollars. */
export const Prices = Schema.Struct({
  /** For a million tokens, as the three that follow. */
  input: Price,
  output: Price,
  /** Read from the provider's cache; by default as `input`. */
  cacheRead: Schema.optional(Price),
  /** Written to the provider's cache; by default as `input`. */
  cacheWrite: Schema.optional(Price),
  /** For a picture that is made. */
  image: Schema.optional(Price),
  /** For a million characters that are spoken. */
  characters: Schema.optional(Price),
  /** For a minute of sound that is listened to. */
  minute: Schema.optional(Price)
})
export type Prices = typeof Prices.Type

/** What a call used beside tokens: pictures made, characters spoken, seconds of sound listened to. */
export interface Units {
  readonly images?: number | undefined
  readonly characters?: number | undefined
  readonly seconds?: number | undefined
}

/** Of one call, in US dollars. Reasoning is output. */
export const costOf = (prices: Prices, usage: Usage, units: Units = {}): number => {
  const { cacheRead, cacheWrite, input, output } = prices
  const tokens = usage.inputTokens * input + usage.outputTokens * output +
    usage.cacheReadTokens * (cacheRead ?? input) +
    usage.cacheWriteTokens * (cacheWrite ?? input)
  return tokens / million + costOfUnits(prices, units)
}

/** The most that so much can cost, in whatever class the input is billed. */
export const mostFor = (prices: Prices, inputTokens: number, outputTokens: number, units: Units = {}): number => {
  const { cacheRead, cacheWrite, input, output } = prices
  const tokens = inputTokens * Math.max(input, cacheRead ?? 0, cacheWrite ?? 0) + outputTokens * output
  return tokens / million + costOfUnits(prices, units)
}

const million = 1_000_000

const costOfUnits = (
  { characters: perMillion = 0, image = 0, minute = 0 }: Prices,
  { characters = 0, images = 0, seconds = 0 }: Units
): number => images * image + characters * perMillion / million + seconds * minute / 60

export const sumOfUnits = (a: Units, b: Units): Units => ({
  ...plus("images", a, b),
  ...plus("characters", a, b),
  ...plus("seconds", a, b)
})

const plus = (unit: keyof Units, a: Units, b: Units): Units =>
  a[unit] === undefined && b[unit] === undefined ? {} : { [unit]: (a[unit] ?? 0) + (b[unit] ?? 0) }
