/**
 * One call of a provider through its SDK. The SDK builds and signs the request; the answer is read here, since SDKs take a cut
 * answer for a whole one, a page for an empty answer, and wait for ever, each in its own way.
 */
import { Chunk, Clock, Duration, Effect, Either, Option, Redacted, type Scope, type Stream } from "effect"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import type { Deadlines } from "../../kernel/Deadlines.ts"
import * as Pull from "../../kernel/Pull.ts"
import * as Scoped from "../../kernel/Scoped.ts"
import { endedEarly } from "../../subsystems/llm/AnswerStream.ts"
import type { ProviderRequest } from "../../subsystems/llm/LLM.ts"
import type { LLMEvent } from "../../subsystems/llm/Prompt.ts"
import type { Decoder } from "./AnswerDraft.ts"
import * as PooledFetch from "./PooledFetch.ts"

export interface Call<Sent, A> {
  readonly connector: string
  readonly request: ProviderRequest
  readonly fetch: PooledFetch.PooledFetch
  readonly send: Send<Sent>
  /** The answer in the pieces that `decoder` takes. */
  readonly pieces: (sent: Sent, response: PooledFetch.UnreadResponse) => Stream.Stream<A, ConnectorError>
  readonly decoder: Decoder<A>
  /** What became of an answer that the SDK itself could not begin to read. */
  readonly brokenOff?: (cause: unknown) => ConnectorError
}

/** Sends the request, once and with this `fetch`; an SDK that does it must leave the body of the answer alone. */
export type Send<Sent> = (fetch: PooledFetch.PooledFetch, signal: AbortSignal) => Promise<Sent>

/** Whatever ends the scope before the answer is whole closes the socket. */
export const open = Effect.fnUntraced(function*<Sent, A>({
  brokenOff,
  connector,
  decoder,
  fetch,
  pieces,
  request,
  send
}: Call<Sent, A>): Effect.fn.Return<Stream.Stream<LLMEvent, ConnectorError>, ConnectorError, Scope.Scope> {
  const seen = yield* Scoped.make(() => recorded(fetch), ({ controller, response }) => {
    if (!decoder.isDone()) controller.abort()
    else if (PooledFetch.isUnread(response)) PooledFetch.release(response)
  })
  const now = yield* Clock.currentTimeMillis
  const sent = yield* Effect.either(attempt(connector, seen, send, brokenOff))
  const { response } = seen
  if (response !== undefined && !PooledFetch.isUnread(response)) {
    return yield* refused(connector, request, response, now)
  }
  if (Either.isLeft(sent)) return yield* sent.left
  if (response === undefined) return yield* protocol(connector, "the vendor's package asked nobody")
  return decoded(connector, decoder, pieces(sent.right, response), response.grace)
})

/** A number of tokens, read by the SDK out of an answer that comes whole. Whatever ends it before closes the socket. */
export const count = ({
  connector,
  fetch,
  request,
  send
}: Pick<Call<number | undefined, never>, "connector" | "fetch" | "request" | "send">): Effect.Effect<
  number,
  ConnectorError
> =>
  Effect.gen(function*() {
    const seen = yield* Scoped.make(() => recorded(fetch), ({ controller }) => controller.abort())
    const now = yield* Clock.currentTimeMillis
    const sent = yield* Effect.either(attempt(connector, seen, send))
    const { response } = seen
    if (response !== undefined && !PooledFetch.isUnread(response) && response.status >= 300) {
      return yield* refused(connector, request, response, now)
    }
    const tokens = yield* sent
    return tokens !== undefined && Number.isSafeInteger(tokens) && tokens >= 0
      ? tokens
      : yield* protocol(connector, "the answer has no number of tokens")
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => new ConnectorError({ ...error, method: "count" }))
  )

const attempt = <Sent>(
  connector: string,
  seen: Seen,
  send: Send<Sent>,
  brokenOff?: (cause: unknown) => ConnectorError
): Effect.Effect<Sent, ConnectorError> =>
  Effect.tryPromise({
    try: () => send(seen.fetch, seen.controller.signal),
    catch: (cause) =>
      seen.failure !== undefined
        ? PooledFetch.failure(connector, seen.failure)
        : seen.response === undefined
        ? invalid(connector, PooledFetch.unbuildable)
        : brokenOff?.(cause) ?? protocol(connector, "the answer is not what the vendor's package expects")
  })

/** What went over the wire, whatever the SDK makes of it. */
interface Seen {
  readonly controller: AbortController
  readonly fetch: PooledFetch.PooledFetch
  response: PooledFetch.UnreadResponse | Refused | undefined
  failure: unknown
}

/** No answer: another status, or a page or JSON where a stream of events is expected. */
interface Refused {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

const recorded = (fetch: PooledFetch.PooledFetch): Seen => {
  const controller = new AbortController()
  const seen: Seen = {
    controller,
    response: undefined,
    failure: undefined,
    fetch: async (url, init) => {
      try {
        // Some SDKs hand on another signal, which ours need not reach.
        const response = await fetch(url, { ...init, signal: controller.signal })
        const { headers, status } = response
        const isUnread = PooledFetch.isUnread(response)
        if (isUnread && !/html|json/.test(headers.get("content-type") ?? "")) return seen.response = response
        const body = isUnread ? await PooledFetch.textOf(response.source) : await response.text()
        seen.response = { status, headers, body }
        return new Response(body, { status, headers })
      } catch (cause) {
        seen.failure = cause
        throw cause
      }
    }
  }
  return seen
}

const decoded = <A>(
  connector: string,
  decoder: Decoder<A>,
  pieces: Stream.Stream<A, ConnectorError>,
  grace: Deadlines
) =>
  Pull.via((pull: Pull.Pull<A, ConnectorError>): Pull.Pull<LLMEvent, ConnectorError> => {
    let ended = false
    const end = (events: ReadonlyArray<LLMEvent>) => {
      ended = true
      return decoder.isComplete()
        ? Effect.succeed(Chunk.unsafeFromArray([...events, ...decoder.end()]))
        : Effect.fail(Option.some(endedEarly(connector)))
    }
    const pullInTime = grace.within(() => Option.none())(pull)

    return Effect.suspend(() =>
      ended ? Pull.end : Effect.matchEffect(decoder.isComplete() ? pullInTime : pull, {
        onFailure: (failure) => decoder.isComplete() || Option.isNone(failure) ? end([]) : Effect.fail(failure),
        onSuccess: (chunk) =>
          Either.match(decoder.feed(chunk), {
            onLeft: (failure) => Effect.fail(Option.some(failure)),
            onRight: (events) =>
              decoder.isDone() ? end(events) : Effect.succeed(Chunk.unsafeFromArray<LLMEvent>(events))
          })
      })
    )
  })(pieces)

/* ------------------------------------------------------------------------------------------------------------------
 * What is said instead of an answer
 * ---------------------------------------------------------------------------------------------------------------- */

/** Provider messages are for people; a key in them is taken out. */
const refused = (
  connector: string,
  { apiKey, modelId }: ProviderRequest,
  { body, headers, status }: Refused,
  now: number
): ConnectorError => {
  if (status < 300) {
    const expected = `expected a stream of events, got ${headers.get("content-type")}`
    return protocol(connector, withoutKey(messageIn(body) ?? expected, apiKey).slice(0, 500))
  }
  const reason = reasonOf(status, body)
  const said = messageIn(body) ?? `status ${status}`
  const detail = `model "${modelId}": ${
    reason === "Unauthorized" ? `status ${status}: the provider refused the key` : said
  }`
  const retryAfter = reason === "InvalidInput" ? undefined : retryAfterOf(headers, body, now)
  return new ConnectorError({
    connector,
    method: "stream",
    reason,
    detail: withoutKey(detail, apiKey).slice(0, 500),
    ...(retryAfter === undefined ? {} : { retryAfter })
  })
}

/** By the status and, where that is too coarse, the codes that OpenAI, Google and AWS write into the body. */
const reasonOf = (status: number, body: string): Reason =>
  status === 402 || /"insufficient_quota"|"billing_error"/.test(body)
    ? "Full"
    : status >= 500
    ? "Unavailable"
    : /"API_KEY_INVALID"|UnrecognizedClientException|ExpiredTokenException/.test(body)
    ? "Unauthorized"
    : reasons[status] ?? (status >= 400 ? "InvalidInput" : "Protocol")

const reasons: Readonly<Record<number, Reason>> = {
  401: "Unauthorized",
  403: "Unauthorized",
  404: "NotFound",
  408: "Timeout",
  429: "RateLimited"
}

/**
 * `retry-after-ms`, or seconds or a date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after), or the `retryDelay` of
 * Google's RetryInfo.
 */
const retryAfterOf = (headers: Headers, body: string, now: number): Duration.Duration | undefined => {
  const millis = headers.get("retry-after-ms")
  const value = headers.get("retry-after")
  const delay = /"retryDelay"\s*:\s*"([\d.]+)s"/.exec(body)?.[1]
  const wait = millis !== null
    ? Number(millis)
    : value !== null
    ? (/^[\d.]+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now)
    : delay === undefined
    ? Number.NaN
    : Number(delay) * 1000
  return Number.isFinite(wait) ? Duration.millis(Math.max(0, wait)) : undefined
}

/** `{"error":{"message":"…"}}`, `{"message":"…"}`, or a list with the first of them. */
const messageIn = (body: string): string | undefined => {
  try {
    const parsed: unknown = JSON.parse(body)
    const [value] = Array.isArray(parsed) ? parsed : [parsed]
    const { error = value, Message, message } = value ?? {}
    const said = typeof error === "string" ? error : error?.message ?? message ?? Message
    return typeof said === "string" && said !== "" ? said : undefined
  } catch {
    return undefined
  }
}

/** Keys may have parts, as those of AWS do. */
const withoutKey = (text: string, key: Redacted.Redacted | undefined): string => {
  const whole = key === undefined ? "" : Redacted.value(key)
  return [whole, ...whole.split(":").filter(({ length }) => length >= 8)].filter((secret) => secret !== "")
    .reduce((all, secret) => all.replaceAll(secret, "[key]"), text)
}

const protocol = (connector: string, detail: string) =>
  new ConnectorError({ connector, method: "stream", reason: "Protocol", detail })

/** What cannot be asked of this model. */
export const unsayable = (connector: string, { modelId }: ProviderRequest) => (detail: string) =>
  invalid(connector, `model "${modelId}": ${detail}`)

/** What cannot be asked of this provider. */
export const invalid = (connector: string, detail: string) =>
  new ConnectorError({ connector, method: "stream", reason: "InvalidInput", detail })
