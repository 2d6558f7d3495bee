/** Models of Google AI Studio, through Google's SDK. */
import { Config, Effect, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import * as GoogleCall from "./GoogleCall.ts"
import * as PooledFetch from "./PooledFetch.ts"

/** An entry that names it does not choose an address. */
const address = "https://generativelanguage.googleapis.com"

const GoogleAISettings = Schema.Struct({
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway, for the models that name no other. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** In milliseconds: `{ connect, firstByte, idle }`. */
  timeouts: Schema.optionalWith(PooledFetch.Timeouts, { default: () => PooledFetch.defaultTimeouts })
})

export const GoogleAILLM = Connector.make({
  name: "GoogleAI",
  aliases: ["Google", "Gemini"],
  contract: LLM.LLMConnector,
  service: LLM.standalone,
  settings: GoogleAISettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse(
      "GoogleAI",
      Effect.all({
        sdk: Connector.vendor("GoogleAI", "@google/genai", () => import("@google/genai")),
        fetch: PooledFetch.make("GoogleAI", settings.timeouts)
      })
    )

    const call = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const { fetch, sdk } = yield* loaded
      const { apiKey, baseURL, policy } = request
      return yield* GoogleCall.open({
        connector: "GoogleAI",
        request,
        sdk,
        fetch: fetch(policy),
        client: {
          vertexai: false,
          baseUrl: (baseURL === address ? undefined : baseURL) ?? settings.baseURL ?? address
        },
        identity: apiKey === undefined ? {} : { "x-goog-api-key": Redacted.value(apiKey) }
      })
    })

    return LLM.LLMConnector.of({
      provider: "GoogleAI",
      credentials: {
        environment: "GOOGLE_AI_API_KEY",
        apiKey: settings.apiKey,
        required: settings.baseURL === undefined
      },
      stream: (request) => Pull.unwrap(call(request))
    })
  })
})

/** `LLM` with the key `GOOGLE_AI_API_KEY` at `GOOGLE_AI_BASE_URL`, each where it is set. */
export const GoogleAILLMLive = GoogleAILLM.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("GOOGLE_AI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("GOOGLE_AI_BASE_URL"), undefined),
  timeouts: Config.succeed(PooledFetch.defaultTimeouts)
})
