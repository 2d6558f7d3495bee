/** One call of a model of Google's through its SDK, as AI Studio and Vertex share it. */
import type { GoogleGenAI, GoogleGenAIOptions } from "@google/genai"
import { Effect } from "effect"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import { AnswerDraft } from "./AnswerDraft.ts"
import * as GeminiEvents from "./GeminiEvents.ts"
import * as GeminiRequest from "./GeminiRequest.ts"
import * as PooledFetch from "./PooledFetch.ts"
import * as ProviderCall from "./ProviderCall.ts"
import * as SseAnswer from "./SseAnswer.ts"

export interface Options {
  readonly connector: string
  readonly request: ProviderRequest
  readonly sdk: { readonly GoogleGenAI: new(options: GoogleGenAIOptions) => GoogleGenAI }
  readonly fetch: PooledFetch.PooledFetch
  /** Identity and address. The SDK takes what it is not given from the environment. */
  readonly client: Omit<GoogleGenAIOptions, "apiKey" | "httpOptions"> & { readonly baseUrl: string }
  /** Headers that say who asks. */
  readonly identity: Readonly<Record<string, string>>
}

export const open = Effect.fnUntraced(function*(options: Options) {
  const { connector, fetch, identity, request } = options
  const { config, ...parameters } = yield* Effect.mapError(
    GeminiRequest.encode(request),
    ProviderCall.unsayable(connector, request)
  )
  const draft = new AnswerDraft(connector)
  return yield* ProviderCall.open({
    connector,
    request,
    fetch: identified(fetch, identity),
    decoder: SseAnswer.decode(draft, GeminiEvents.reader(draft, request)),
    // The answer is not read: it would end where the connection does.
    send: (fetch, abortSignal) =>
      modelsOf(options, fetch).generateContentStream({ ...parameters, config: { ...config, abortSignal } }),
    pieces: (_, response) => PooledFetch.bytes(connector, response)
  })
})

export const count = Effect.fnUntraced(function*(options: Options) {
  const { client, connector, fetch, identity, request } = options
  const { config, ...parameters } = yield* Effect.mapError(
    GeminiRequest.encodeCount(request, { textOnly: client.vertexai !== true }),
    ProviderCall.unsayable(connector, request)
  )
  return yield* ProviderCall.count({
    connector,
    request,
    fetch: identified(fetch, identity),
    send: async (fetch, abortSignal) => {
      const counted = modelsOf(options, fetch).countTokens({ ...parameters, config: { ...config, abortSignal } })
      return (await counted).totalTokens
    }
  })
})

/** A client holds one key and serves one call. */
const modelsOf = ({ client: { baseUrl, ...client }, sdk }: Options, fetch: PooledFetch.PooledFetch) =>
  new sdk.GoogleGenAI({ ...client, apiKey: placeholder, httpOptions: { baseUrl, fetch } }).models

/** The SDK asks the environment, the disk and the network for an identity when it has no key. */
const placeholder = "none"

/** The header of the placeholder is replaced by those that count. */
const identified =
  (fetch: PooledFetch.PooledFetch, identity: Options["identity"]): PooledFetch.PooledFetch => (url, init) => {
    const headers = new Headers(init?.headers)
    headers.delete("x-goog-api-key")
    for (const [name, value] of Object.entries(identity)) headers.set(name, value)
    return fetch(url, { ...init, headers })
  }
