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

    const callOf = (request: LLM.ProviderRequest) =>
      Effect.map(loaded, ({ fetch, sdk }): GoogleCall.Options => ({
        connector: "GoogleAI",
        request,
        sdk,
        fetch: fetch(request.policy),
        client: {
          vertexai: false,
          baseUrl: (request.baseURL === address ? undefined : request.baseURL) ?? settings.baseURL ?? address
        },
        identity: request.apiKey === undefined ? {} : { "x-goog-api-key": Redacted.value(request.apiKey) }
      }))

    return LLM.LLMConnector.of({
      provider: "GoogleAI",
      credentials: {
        environment: "GOOGLE_AI_API_KEY",
        apiKey: settings.apiKey,
        required: settings.baseURL === undefined
      },
      stream: (request) => Pull.unwrap(Effect.flatMap(callOf(request), GoogleCall.open)),
      count: (request) => Effect.asSome(Effect.flatMap(callOf(request), GoogleCall.count))
    })
  })
})

/** `LLM` with the key `GOOGLE_AI_API_KEY` at `GOOGLE_AI_BASE_URL`, each where it is set. */
export const GoogleAILLMLive = GoogleAILLM.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("GOOGLE_AI_API_KEY")), undefined),
  baseURL: Config.withDefault(Config.nonEmptyString("GOOGLE_AI_BASE_URL"), undefined),
  timeouts: Config.succeed(PooledFetch.defaultTimeouts)
})
