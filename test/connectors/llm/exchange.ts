/** One request to a provider, the answer to it, and the request as the provider's server got it. */
import { Context, Effect, Layer, type Scope } from "effect"
import { collect } from "../../../src/subsystems/llm/AnswerStream.ts"
import { LLMConnector, type ProviderRequest } from "../../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../../src/subsystems/llm/Prompt.ts"
import type { HttpServer } from "../../fixtures/HttpServer.ts"

/** What every provider is told; `apiKey` and the model are its own. */
export const request = (own: Pick<ProviderRequest, "apiKey" | "modelId">): ProviderRequest => ({
  baseURL: undefined,
  outputTokens: undefined,
  messages: [Prompt.user("hello")],
  ...own
})

/** The body is empty where nobody was asked. */
export const make = <E>(
  server: Effect.Effect<HttpServer & { readonly baseURL: string }, never, Scope.Scope>,
  connector: (baseURL: string) => Layer.Layer<LLMConnector, E>,
  asked: ProviderRequest
) =>
  Effect.gen(function*() {
    const { baseURL, requests } = yield* server
    const context = yield* Layer.build(connector(baseURL))
    const answer = yield* Effect.either(collect(Context.get(context, LLMConnector).stream(asked)))
    const received = requests[0]
    const body = received === undefined ? {} : JSON.parse(received.body) as Record<string, unknown>
    return { answer, body, headers: received?.headers ?? {}, url: received?.url, requests }
  })
