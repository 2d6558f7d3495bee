/** Models of Anthropic, through its SDK. */
import type { MessageTokensCount } from "@anthropic-ai/sdk/resources/messages"
import { Config, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import { AnswerDraft } from "./AnswerDraft.ts"
import * as AnthropicComputer from "./AnthropicComputer.ts"
import * as AnthropicEvents from "./AnthropicEvents.ts"
import * as AnthropicRequest from "./AnthropicRequest.ts"
import * as PooledFetch from "./PooledFetch.ts"
import * as ProviderCall from "./ProviderCall.ts"
import * as SseAnswer from "./SseAnswer.ts"

/** An entry that names it does not choose an address. */
const address = "https://api.anthropic.com"

/** The SDK adds those of a variable, which may hold secrets of the operator. */
const ownHeaders = /^(accept|anthropic-.*|authorization|content-type|user-agent|x-stainless-.*)$/

const AnthropicSettings = Schema.Struct({
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway, for the models that name no other. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Whether conversations and prompts with tools are kept in the provider's cache, which makes their repetition cheaper. */
  cache: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  /** In milliseconds: `{ connect, firstByte, idle }`. */
  timeouts: Schema.optionalWith(PooledFetch.Timeouts, { default: () => PooledFetch.defaultTimeouts })
})

export const AnthropicLLM = Connector.make({
  name: "Anthropic",
  contract: LLM.LLMConnector,
  service: LLM.standalone,
  settings: AnthropicSettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse(
      "Anthropic",
      Effect.all({
        sdk: Connector.vendor("Anthropic", "@anthropic-ai/sdk", () => import("@anthropic-ai/sdk")),
        fetch: PooledFetch.make("Anthropic", settings.timeouts)
      })
    )

    /** A client holds one key and serves one call. All that the SDK would read from the environment is given. */
    const client = (
      sdk: typeof import("@anthropic-ai/sdk"),
      { apiKey, baseURL }: LLM.ProviderRequest,
      fetch: PooledFetch.PooledFetch
    ) =>
      new sdk.Anthropic({
        apiKey: apiKey === undefined ? "none" : Redacted.value(apiKey),
        authToken: null,
        webhookKey: null,
        defaultHeaders: apiKey === undefined ? { Authorization: null } : {},
        baseURL: (baseURL === address ? undefined : baseURL) ?? settings.baseURL ?? address,
        maxRetries: 0,
        timeout: PooledFetch.patience(settings.timeouts),
        openTelemetry: false,
        logLevel: "off",
        fetch
      })

    const encoded = (request: LLM.ProviderRequest) =>
      Effect.mapError(AnthropicRequest.encode(request, settings), ProviderCall.unsayable("Anthropic", request))

    const call = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const body = yield* encoded(request)
      const { fetch, sdk } = yield* loaded
      const draft = new AnswerDraft("Anthropic")
      return yield* ProviderCall.open({
        connector: "Anthropic",
        request,
        fetch: fetch(request.policy),
        decoder: SseAnswer.decode(draft, AnthropicEvents.reader(draft, request)),
        // Not `messages.create`, which writes a warning to the console at each call of a model that is to be retired.
        send: (fetch, signal) =>
          client(sdk, request, PooledFetch.onlyHeaders(fetch, ownHeaders))
            .post("/v1/messages", { body, headers: betas(request), stream: true, signal }).asResponse(),
        pieces: (_, response) => PooledFetch.bytes("Anthropic", response)
      })
    })

    const count = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const body = AnthropicRequest.countable(yield* encoded(request))
      const { fetch, sdk } = yield* loaded
      return yield* ProviderCall.count({
        connector: "Anthropic",
        request,
        fetch: fetch(request.policy),
        // Not `messages.countTokens`, which does not know the tools of betas.
        send: async (fetch, signal) => {
          const { input_tokens } = await client(sdk, request, PooledFetch.onlyHeaders(fetch, ownHeaders))
            .post<MessageTokensCount>("/v1/messages/count_tokens", { body, headers: betas(request), signal })
          return input_tokens
        }
      })
    })

    return LLM.LLMConnector.of({
      provider: "Anthropic",
      computer: true,
      credentials: {
        environment: "ANTHROPIC_API_KEY",
        apiKey: settings.apiKey,
        required: settings.baseURL === undefined
      },
      stream: (request) => Pull.unwrap(call(request)),
      count: (request) => Effect.asSome(count(request))
    })
  })
})

const betas = ({ computer, modelId }: LLM.ProviderRequest) =>
  computer === undefined ? {} : { "anthropic-beta": AnthropicComputer.betaOf(modelId) }

/** `LLM` with the key `ANTHROPIC_API_KEY` at `ANTHROPIC_BASE_URL`, each where it is set. */
export const AnthropicLLMLive = AnthropicLLM.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("ANTHROPIC_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("ANTHROPIC_BASE_URL"), undefined),
  cache: Config.succeed(true),
  timeouts: Config.succeed(PooledFetch.defaultTimeouts)
})
