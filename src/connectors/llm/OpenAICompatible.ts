/**
 * Chat Completions, streamed, for every provider that speaks it. The SDK builds the request and reads errors; the body is
 * read here, since the SDK takes a cut answer for a whole one, a page for an empty answer, and never times out.
 */
import { Chunk, Clock, Duration, Effect, Either, Option, Redacted, Schema, Stream } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import { endedEarly } from "../../subsystems/llm/AnswerStream.ts"
import * as LLM from "../../subsystems/llm/LLM.ts"
import type { LLMEvent } from "../../subsystems/llm/Prompt.ts"
import * as ChatEvents from "./ChatEvents.ts"
import * as ChatRequest from "./ChatRequest.ts"
import * as PooledFetch from "./PooledFetch.ts"

export const Settings = Schema.Struct({
  /** The operator's own key. Serves the models whose credentials are `internal`. */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The operator's gateway or compatible server, for the models that name no other. */
  baseURL: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  ),
  organization: Schema.optional(Schema.String),
  timeouts: Schema.optionalWith(PooledFetch.Timeouts, { default: () => PooledFetch.defaultTimeouts })
})

export interface Options extends ChatRequest.Dialect {
  readonly aliases?: ReadonlyArray<string>
  /** Variable with the operator's own key. */
  readonly environment: string
  readonly baseURL: string
}

/** A connector for one more provider or server: `openAICompatible("DeepSeek", { … })`. */
export const openAICompatible = <const Name extends string>(name: Name, options: Options) =>
  Connector.make({
    name,
    aliases: options.aliases ?? [],
    contract: LLM.LLMConnector,
    service: LLM.standalone,
    settings: Settings,
    make: Effect.fnUntraced(function*(settings) {
      const loaded = yield* Connector.lazily(
        name,
        "openai",
        Effect.all({
          sdk: Connector.vendor(name, "openai", () => import("openai")),
          fetch: PooledFetch.make(name, settings.timeouts)
        })
      )

      /** A client holds one key and serves one call. All that the SDK would read from the environment is given. */
      const client = (
        { fetch, sdk }: Effect.Effect.Success<typeof loaded>,
        { apiKey, baseURL }: LLM.ProviderRequest
      ) => {
        // An entry that names the usual address does not choose one.
        const chosen = baseURL === options.baseURL ? undefined : baseURL
        return new sdk.OpenAI({
          apiKey: apiKey === undefined ? "none" : Redacted.value(apiKey),
          adminAPIKey: null,
          organization: chosen === undefined ? settings.organization ?? null : null,
          project: null,
          webhookSecret: null,
          defaultHeaders: apiKey === undefined ? { Authorization: null } : {},
          baseURL: chosen ?? settings.baseURL ?? options.baseURL,
          maxRetries: 0,
          timeout: Duration.toMillis(Duration.sum(settings.timeouts.connect, settings.timeouts.firstByte)) + 1000,
          logLevel: "off",
          fetch
        })
      }

      return LLM.LLMConnector.of({
        provider: name,
        credentials: {
          environment: options.environment,
          apiKey: settings.apiKey,
          required: settings.baseURL === undefined
        },
        stream: (request) =>
          ChatRequest.encode(request, options).pipe(
            Effect.mapError((detail) =>
              new ConnectorError({ connector: name, method: "stream", reason: "InvalidInput", detail })
            ),
            Effect.zip(loaded),
            Effect.flatMap(([body, vendor]) =>
              open(
                name,
                (signal) => client(vendor, request).chat.completions.create(body, { signal }).asResponse(),
                (cause, now) => toError(vendor.sdk, name, request, cause, now)
              )
            ),
            Stream.unwrapScoped
          )
      })
    })
  })

/** Sends the request; the stream reads the answer. Whatever ends the scope before the answer is whole closes the socket. */
const open = Effect.fnUntraced(function*(
  connector: string,
  send: (signal: AbortSignal) => Promise<Response>,
  toError: (cause: unknown, now: number) => ConnectorError
) {
  const decoder = ChatEvents.make(connector)
  const controller = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => decoder.isDone() ? Effect.void : Effect.sync(() => controller.abort())
  )
  const now = yield* Clock.currentTimeMillis
  const response = yield* Effect.tryPromise({
    try: () => send(controller.signal),
    catch: (cause) => toError(cause, now)
  })
  if (!(response instanceof PooledFetch.UnreadResponse)) return yield* protocol(connector, "the answer has no body")
  const type = response.headers.get("content-type") ?? ""
  if (/html|json/.test(type)) {
    const body = yield* Effect.tryPromise({
      try: () => PooledFetch.textOf(response.source),
      catch: (cause) => PooledFetch.failure(connector, cause)
    })
    return yield* protocol(connector, messageIn(body) ?? `expected a stream of events, got ${type}`)
  }
  yield* Effect.addFinalizer(() => decoder.isDone() ? PooledFetch.release(response) : Effect.void)
  return decoded(connector, decoder, PooledFetch.bytes(connector, response))
})

/** A server may hold the connection open after its last word; it is not waited for. */
const graceAfterReason = Duration.seconds(2)

const decoded = (connector: string, decoder: ChatEvents.Decoder, bytes: Stream.Stream<Uint8Array, ConnectorError>) =>
  Stream.fromPull(Effect.map(Stream.toPull(bytes), (pull) => {
    let ended = false
    const end = (events: ReadonlyArray<LLMEvent>) => {
      ended = true
      return decoder.isComplete()
        ? Effect.succeed(Chunk.fromIterable([...events, ...decoder.end()]))
        : Effect.fail(Option.some(endedEarly(connector)))
    }
    const pullInTime = Effect.timeoutFail(pull, { duration: graceAfterReason, onTimeout: () => Option.none() })

    return Effect.suspend(() =>
      ended ? Effect.fail(Option.none()) : Effect.matchEffect(decoder.isComplete() ? pullInTime : pull, {
        onFailure: (failure) => decoder.isComplete() || Option.isNone(failure) ? end([]) : Effect.fail(failure),
        onSuccess: (chunk) =>
          Either.match(decoder.feed(chunk), {
            onLeft: (failure) => Effect.fail(Option.some(failure)),
            onRight: (events) =>
              decoder.isDone() ? end(events) : Effect.succeed(Chunk.unsafeFromArray<LLMEvent>(events))
          })
      })
    )
  }))

/** What the SDK made of the answer or of its absence. Provider messages are for people; a key in them is taken out. */
const toError = (
  sdk: typeof import("openai"),
  connector: string,
  { apiKey, modelId }: LLM.ProviderRequest,
  cause: unknown,
  now: number
): ConnectorError => {
  if (cause instanceof sdk.APIConnectionTimeoutError) {
    return new ConnectorError({ connector, method: "stream", reason: "Timeout", detail: "no answer in time" })
  }
  if (cause instanceof sdk.APIConnectionError) return PooledFetch.failure(connector, cause)
  if (!(cause instanceof sdk.APIError) || cause.status === undefined) {
    const detail = "the request cannot be built; check the base URL, and the key for characters a header cannot hold"
    return new ConnectorError({ connector, method: "stream", reason: "InvalidInput", detail })
  }
  const reason = reasonOf(cause.status, `${cause.code} ${cause.type}`)
  const said = typeof cause.error === "object" && cause.error !== null && "message" in cause.error
    ? String(cause.error.message)
    : `status ${cause.status}`
  const detail = reason === "Unauthorized"
    ? `status ${cause.status}: the provider refused the key`
    : reason === "NotFound"
    ? `model "${modelId}": ${said}`
    : said
  const secret = apiKey === undefined ? "" : Redacted.value(apiKey)
  const retryAfter = reason === "InvalidInput" ? undefined : retryAfterOf(cause.headers, now)
  return new ConnectorError({
    connector,
    method: "stream",
    reason,
    detail: (secret === "" ? detail : detail.replaceAll(secret, "[key]")).slice(0, 500),
    ...(retryAfter === undefined ? {} : { retryAfter })
  })
}

const reasonOf = (status: number, kind: string): Reason =>
  status === 402 || /insufficient_quota/.test(kind)
    ? "Full"
    : status === 401 || status === 403
    ? "Unauthorized"
    : status === 404
    ? "NotFound"
    : status === 408
    ? "Timeout"
    : status === 429
    ? "RateLimited"
    : status >= 500
    ? "Unavailable"
    : status >= 400
    ? "InvalidInput"
    : "Protocol"

/** `retry-after-ms`, or seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
const retryAfterOf = (headers: Headers | undefined, now: number): Duration.Duration | undefined => {
  const millis = headers?.get("retry-after-ms") ?? undefined
  const value = headers?.get("retry-after") ?? undefined
  const wait = millis !== undefined
    ? Number(millis)
    : value === undefined
    ? Number.NaN
    : /^[\d.]+$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - now
  return Number.isFinite(wait) ? Duration.millis(Math.max(0, wait)) : undefined
}

const messageIn = (body: string): string | undefined => {
  const match = Schema.decodeOption(
    Schema.parseJson(Schema.Struct({ error: Schema.Struct({ message: Schema.String }) }))
  )(
    body
  )
  return Option.match(match, { onNone: () => undefined, onSome: ({ error }) => error.message.slice(0, 500) })
}

const protocol = (connector: string, detail: string) =>
  new ConnectorError({ connector, method: "stream", reason: "Protocol", detail })
