/** WorstCase: the most an answer of a model can take, known before the model is asked. */
import type { Most } from "./Governor.ts"
import type { ProviderRequest } from "./LLM.ts"
import { type Sizes, unbounded } from "./ModelCalls.ts"

/** `sizes` are those of the model that can be relied on; `atMost` counts the tokens of a text. */
export const mostOf = (request: ProviderRequest, sizes: Sizes, atMost: (text: string) => number): Most => ({
  inputTokens: inputOf(request, sizes, atMost),
  outputTokens: outputOf(request, sizes)
})

/** Where neither the request nor the model bounds the answer, whoever limits tokens must. */
export const outputOf = ({ maxTokens = 0 }: ProviderRequest, { outputTokens = Infinity }: Sizes): number => {
  // A number that makes no sense is for the provider to refuse, and bounds nothing.
  const most = Math.min(maxTokens > 0 ? maxTokens : Infinity, outputTokens)
  return Number.isFinite(most) ? most : unbounded
}

/**
 * The most the input can be: by its text, but no more than the model takes. What is not there yet counts as all of that: files
 * behind a URL, what the model finds on the web.
 */
const inputOf = (request: ProviderRequest, { contextTokens }: Sizes, atMost: (text: string) => number): number => {
  const { computer, messages, responseSchema, tools = [], webSearch } = request
  const files = messages.flatMap((message) =>
    message.role === "user" ? message.content.filter((part) => part.type === "file") : []
  )
  const isOpen = webSearch !== undefined || files.some(({ data }) => /^https?:/.test(data))
  if (isOpen && contextTokens !== undefined) return contextTokens
  const text = messages.map((message) =>
    message.role !== "user" ? message : { role: "user", content: message.content.filter(({ type }) => type !== "file") }
  )
  const bytes = files.reduce((sum, { data }) => sum + data.length, 0)
  const known = atMost(JSON.stringify([text, tools, responseSchema])) + bytes + added +
    (computer === undefined ? 0 : addedForComputer)
  return Math.min(contextTokens ?? Infinity, known + (isOpen ? usualWindow : 0))
}
/** What a provider puts around a request, in tokens. */
const added = 200
const addedForComputer = 2000
const usualWindow = 128_000
