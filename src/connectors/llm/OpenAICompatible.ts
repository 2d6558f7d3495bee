/** Chat Completions, streamed, for every provider that speaks it, through the SDK of OpenAI. */
import { Effect, Redacted, Schema } from "effect"
import type { OpenAI } from "openai"
import * as Connector from "../../kernel/Connector.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import { AnswerDraft } from "./AnswerDraft.ts"
import * as ChatEvents from "./ChatEvents.ts"
import * as ChatRequest from "./ChatRequest.ts"
import * as PooledFetch from "./PooledFetch.ts"
import * as ProviderCall from "./ProviderCall.ts"
import * as ResponsesEvents from "./ResponsesEvents.ts"
import * as ResponsesRequest from "./ResponsesRequest.ts"
import * as SseAnswer from "./SseAnswer.ts"

/** The SDK adds those of a variable, which may hold secrets of the operator. */
const ownHeaders = /^(accept|authorization|content-type|openai-organization|user-agent|x-stainless-.*)$/

export const Settings = Schema.Struct({
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway or compatible server, for the models that name no other. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Sent as `OpenAI-Organization`, where an account is in several. */
  organization: Schema.optional(Schema.String),
  /** In milliseconds: `{ connect, firstByte, idle }`. */
  timeouts: Schema.optionalWith(PooledFetch.Timeouts, { default: () => PooledFetch.defaultTimeouts })
})

export interface Options extends ChatRequest.Dialect {
  readonly aliases?: ReadonlyArray<string>
  /** Variable with the operator's own key; none for servers that need no key. */
  readonly environment: string | undefined
  readonly baseURL: string
  /** Whether it also speaks the Responses API, for the models that want it, and what it knows there. */
  readonly responses?: ResponsesRequest.Dialect
}

/** The SDK hands what is in `fetchOptions` to `fetch` as it is. */
interface Via extends Pick<RequestInit, "redirect"> {
  readonly via: PooledFetch.PooledFetch
}

/** Tenants choose base URLs. */
const maxClients = 100

/** A connector for one more provider or server: `openAICompatible("DeepSeek", { … })`. */
export const openAICompatible = <const Name extends string>(name: Name, options: Options) =>
  Connector.make({
    name,
    aliases: options.aliases ?? [],
    contract: LLM.LLMConnector,
    service: LLM.standalone,
    settings: Settings,
    make: Effect.fnUntraced(function*(settings) {
      const loaded = yield* Connector.onFirstUse(
        name,
        Effect.all({
          sdk: Connector.vendor(name, "openai", () => import("openai")),
          fetch: PooledFetch.make(name, settings.timeouts)
        })
      )

      /**
       * One for each base URL. It holds no key: a call brings its own, and its own `fetch`. All that the SDK would read from the
       * environment is given.
       */
      const clients = new Map<string | undefined, OpenAI>()
      const clientOf = (sdk: typeof import("openai"), { baseURL }: LLM.ProviderRequest): OpenAI => {
        // An entry that names the usual address does not choose one.
        const chosen = baseURL === options.baseURL ? undefined : baseURL
        const known = clients.get(chosen)
        if (known !== undefined) return known
        const client = new sdk.OpenAI({
          apiKey: "none",
          adminAPIKey: null,
          organization: chosen === undefined ? settings.organization ?? null : null,
          project: null,
          webhookSecret: null,
          defaultHeaders: { Authorization: null },
          baseURL: chosen ?? settings.baseURL ?? options.baseURL,
          maxRetries: 0,
          timeout: PooledFetch.patience(settings.timeouts),
          logLevel: "off",
          fetch: (url, init) => (init as RequestInit & Via).via(url, init)
        })
        if (clients.size >= maxClients) clients.clear()
        clients.set(chosen, client)
        return client
      }

      const optionsOf = ({ apiKey }: LLM.ProviderRequest, fetch: PooledFetch.PooledFetch, signal: AbortSignal) => {
        const fetchOptions: Via = { via: PooledFetch.onlyHeaders(fetch, ownHeaders) }
        const Authorization = apiKey === undefined ? null : `Bearer ${Redacted.value(apiKey)}`
        return { signal, headers: { Authorization }, fetchOptions }
      }

      const call = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
        const { fetch, sdk } = yield* loaded
        const shared = {
          connector: name,
          request,
          fetch: fetch(request.policy),
          pieces: (_: Response, response: PooledFetch.UnreadResponse) => PooledFetch.bytes(name, response)
        }
        const draft = new AnswerDraft(name)
        const asked = <A>(body: Effect.Effect<A, string>) =>
          Effect.mapError(body, ProviderCall.unsayable(name, request))
        if (options.responses !== undefined && ResponsesRequest.isFor(request)) {
          const body = yield* asked(ResponsesRequest.encode(request, options.responses))
          return yield* ProviderCall.open({
            ...shared,
            decoder: SseAnswer.decode(draft, ResponsesEvents.reader(draft, request)),
            send: (fetch, signal) =>
              clientOf(sdk, request).responses.create(body, optionsOf(request, fetch, signal)).asResponse()
          })
        }
        const body = yield* asked(ChatRequest.encode(request, options))
        return yield* ProviderCall.open({
          ...shared,
          decoder: SseAnswer.decode(draft, ChatEvents.reader(draft, request)),
          send: (fetch, signal) =>
            clientOf(sdk, request).chat.completions.create(body, optionsOf(request, fetch, signal)).asResponse()
        })
      })

      return LLM.LLMConnector.of({
        provider: name,
        computer: options.responses?.computer === true,
        searchPlaces: options.responses?.searchPlaces === true,
        credentials: {
          environment: options.environment,
          apiKey: settings.apiKey,
          required: options.environment !== undefined && settings.baseURL === undefined
        },
        nearby: options.environment === undefined && settings.baseURL === undefined ? options.baseURL : undefined,
        stream: (request) => Pull.unwrap(call(request))
      })
    })
  })
