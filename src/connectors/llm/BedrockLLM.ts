/** Models of Amazon Bedrock through Converse, with the SDK of AWS. */
import type { ConverseStreamCommandOutput, ConverseStreamOutput } from "@aws-sdk/client-bedrock-runtime"
import { Config, Effect, Option, Redacted, Schema, Stream } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import { AnswerDraft, decoder } from "./AnswerDraft.ts"
import * as BedrockEvents from "./BedrockEvents.ts"
import * as BedrockRequest from "./BedrockRequest.ts"
import * as Claude from "./Claude.ts"
import { requestHandler } from "./FetchHandler.ts"
import * as PooledFetch from "./PooledFetch.ts"
import * as ProviderCall from "./ProviderCall.ts"

const BedrockSettings = Schema.Struct({
  /**
   * The operator's own key: `<access key id>:<secret access key>`, with `:<session token>` where there is one, or an API key of
   * Bedrock. Keys in a vault have the same form. Serves the models whose credentials are `internal`.
   */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Of the models whose settings name none. */
  region: Schema.optionalWith(Schema.NonEmptyString, { default: () => "us-east-1" }),
  /** For the models that name no other. Default: the region's own. */
  endpoint: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  /** Whether conversations and prompts with tools are kept in the cache of Claude's models, which makes their repetition cheaper. */
  cache: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  /** In milliseconds: `{ connect, firstByte, idle }`. */
  timeouts: Schema.optionalWith(PooledFetch.Timeouts, { default: () => PooledFetch.defaultTimeouts })
})

export const BedrockLLM = Connector.make({
  name: "Bedrock",
  contract: LLM.LLMConnector,
  service: LLM.standalone,
  settings: BedrockSettings,
  make: Effect.fnUntraced(function*(settings) {
    const loaded = yield* Connector.onFirstUse(
      "Bedrock",
      Effect.all({
        sdk: Connector.vendor(
          "Bedrock",
          "@aws-sdk/client-bedrock-runtime",
          () => import("@aws-sdk/client-bedrock-runtime")
        ),
        fetch: PooledFetch.make("Bedrock", settings.timeouts)
      })
    )

    const encoded = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const model = yield* Effect.mapError(
        ModelSettings(request.settings ?? {}),
        () => ProviderCall.invalid("Bedrock", "settings of the model: region and the names of models must be names")
      )
      const named = { ...request, modelId: model.customModel ?? model.foundationModel ?? request.modelId }
      const input = yield* Effect.mapError(
        BedrockRequest.encode(named, settings),
        ProviderCall.unsayable("Bedrock", named)
      )
      return { input, named, region: model.region ?? settings.region }
    })

    /** A client holds one key and serves one call. */
    const client = (
      sdk: typeof import("@aws-sdk/client-bedrock-runtime"),
      { apiKey, baseURL: endpoint = settings.endpoint }: LLM.ProviderRequest,
      region: string,
      fetch: PooledFetch.PooledFetch
    ) =>
      new sdk.BedrockRuntimeClient({
        region,
        maxAttempts: 1,
        requestHandler: requestHandler(fetch),
        ...(endpoint === undefined ? {} : { endpoint }),
        ...identity(apiKey)
      })

    const call = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const { input, named, region } = yield* encoded(request)
      const { fetch, sdk } = yield* loaded
      const draft = new AnswerDraft("Bedrock")
      return yield* ProviderCall.open<ConverseStreamCommandOutput, ConverseStreamOutput>({
        connector: "Bedrock",
        request: named,
        fetch: fetch(request.policy),
        decoder: decoder(draft, BedrockEvents.reader(draft, named)),
        send: (fetch, abortSignal) =>
          client(sdk, request, region, fetch).send(new sdk.ConverseStreamCommand(input), { abortSignal }),
        brokenOff,
        pieces: ({ stream }) => stream === undefined ? Stream.empty : Stream.fromAsyncIterable(stream, brokenOff)
      })
    })

    /** Of no other family than Claude. */
    const count = Effect.fnUntraced(function*(request: LLM.ProviderRequest) {
      const { input, named, region } = yield* encoded(request)
      if (!Claude.isClaude(named.modelId)) return Option.none()
      const { fetch, sdk } = yield* loaded
      const counted = ProviderCall.count({
        connector: "Bedrock",
        request: named,
        fetch: fetch(request.policy),
        send: async (fetch, abortSignal) => {
          const command = new sdk.CountTokensCommand(BedrockRequest.countable(input))
          return (await client(sdk, request, region, fetch).send(command, { abortSignal })).inputTokens
        }
      })
      return yield* Effect.catchIf(Effect.asSome(counted), isUncounted, () => Effect.succeedNone)
    })

    return LLM.LLMConnector.of({
      provider: "Bedrock",
      credentials: {
        environment: "AWS_BEARER_TOKEN_BEDROCK",
        apiKey: settings.apiKey,
        required: settings.endpoint === undefined
      },
      computer: true,
      stream: (request) => Pull.unwrap(call(request)),
      count
    })
  })
})

/** `LLM` in `AWS_REGION`, with the key `AWS_BEARER_TOKEN_BEDROCK`. */
export const BedrockLLMLive = BedrockLLM.layerConfig({
  apiKey: Config.withDefault(Config.redacted(Config.nonEmptyString("AWS_BEARER_TOKEN_BEDROCK")), undefined),
  region: Config.withDefault(Config.nonEmptyString("AWS_REGION"), "us-east-1"),
  endpoint: Config.withDefault(Config.nonEmptyString("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"), undefined),
  cache: Config.succeed(true),
  timeouts: Config.succeed(PooledFetch.defaultTimeouts)
})

/** They become parts of an address. */
const Name = Schema.String.pipe(Schema.pattern(/^[a-zA-Z0-9][\w.:/-]*$/))
const ModelSettings = Schema.decodeUnknown(Schema.Struct({
  region: Schema.optional(Schema.String.pipe(Schema.pattern(/^[a-z0-9-]+$/))),
  foundationModel: Schema.optional(Name),
  customModel: Schema.optional(Name)
}))

/** The SDK looks for an identity in the environment, on the disk and in the network where it is given none. */
const identity = (key: Redacted.Redacted | undefined) => {
  const [accessKeyId = "none", secretAccessKey, sessionToken] = key === undefined ? [] : Redacted.value(key).split(":")
  return secretAccessKey === undefined
    ? { token: { token: accessKeyId }, authSchemePreference: ["httpBearerAuth"] }
    : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }
}

/** Some models of the family are not counted, and only the service knows which. */
const isUncounted = ({ detail = "" }: ConnectorError) => detail.includes("support counting tokens")

/** What the service says in mid-answer has a name; what is no event stream fails its checksums; the rest is the network's. */
const brokenOff = (cause: unknown): ConnectorError => {
  const { message, name } = cause instanceof Error ? cause : new Error("unknown error")
  const reason = BedrockEvents.reasonOf(name)
  const failed = (reason: ConnectorError["reason"], detail: string) =>
    new ConnectorError({ connector: "Bedrock", method: "stream", reason, detail })
  return reason !== undefined
    ? failed(reason, message.slice(0, 500))
    : name === "Error" && !("code" in (cause as object))
    ? failed("Protocol", `the answer is no stream of events: ${message.slice(0, 200)}`)
    : PooledFetch.failure("Bedrock", cause)
}
