/**
 * Outbound: the one way an agent opens an HTTP connection. The operator's {@link NetworkPolicy} decides where to; every
 * redirect is judged like a first request, and the connector judges each address it is about to connect to.
 */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import * as Audit from "../../security/Audit.ts"
import type * as Candidate from "../../security/Candidate.ts"
import { type NetworkPolicy, Policy } from "./NetworkPolicy.ts"

export const Method = Schema.Literal("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
export type Method = typeof Method.Type

/** Not sent: the URL cannot be read, the operator's policy forbids the place, or a header is malformed. */
export class OutboundRefused extends Schema.TaggedError<OutboundRefused>()("OutboundRefused", {
  /** Scheme, host and port; empty when the URL cannot be read. */
  url: Schema.String,
  reason: Schema.Literal("InvalidUrl", "Policy", "InvalidHeader"),
  detail: Schema.String
}) {
  override get message(): string {
    return `Request${this.url === "" ? "" : ` to ${this.url}`} refused: ${this.detail}`
  }
}

export class ResponseTooLarge extends Schema.TaggedError<ResponseTooLarge>()("ResponseTooLarge", {
  url: Schema.String,
  /** The bound that was passed, in bytes, on the wire or after decompression. */
  maxBytes: Schema.Number
}) {
  override get message(): string {
    return `The answer of ${this.url} is larger than ${this.maxBytes} bytes`
  }
}

export type OutboundError = OutboundRefused | ResponseTooLarge | ConnectorError | Candidate.NoCandidate

export interface OutboundRequest {
  readonly method: Method
  /** User and password in it become an `Authorization` header, unless there is one. */
  readonly url: string
  /** Names in any case. Headers that belong to the connection (`Host`, `Content-Length`, …) are left out. */
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>> | undefined
  readonly body?: Uint8Array | string | undefined
  /** For the whole exchange, redirects and body included. Default 30 s. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Bound on the body of the answer. Default 10 MiB. */
  readonly maxBytes?: number | undefined
  /** Default 5. With 0 a redirect is an answer like any other. */
  readonly maxRedirects?: number | undefined
}

export interface OutboundResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  /** Decompressed. */
  readonly body: Uint8Array
  /** What answered in the end, without user and password. */
  readonly url: string
}

/** One exchange, no redirects. `headers` have lower-case names and hold nothing of the connection's own. */
export interface Exchange {
  readonly method: Method
  readonly url: URL
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: Uint8Array | string | undefined
  readonly maxBytes: number
}

/** Sends one request, to no address that `policy.refusesAddress` refuses; interruption closes the connection. */
export class OutboundConnector extends Context.Tag("effect-sre/OutboundConnector")<OutboundConnector, {
  readonly policy: NetworkPolicy
  readonly exchange: (
    exchange: Exchange
  ) => Effect.Effect<Omit<OutboundResponse, "url">, OutboundRefused | ResponseTooLarge | ConnectorError>
}>() {}

export class Outbound extends Context.Tag("effect-sre/Outbound")<Outbound, {
  /** Sends a request and reads the whole answer. A status of 400 and above is an answer, not a failure. */
  readonly request: (request: OutboundRequest) => Effect.Effect<OutboundResponse, OutboundError>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* OutboundConnector
  const guard = yield* Access.guard("Outbound")
  const audit = yield* Audit.Audit

  const send = (exchange: Exchange): Effect.Effect<OutboundResponse, Failure> => {
    const detail = connector.policy.refusesUrl(exchange.url)
    return detail === undefined
      ? Effect.map(connector.exchange(exchange), (response) => ({ ...response, url: exchange.url.href }))
      : Effect.fail(new OutboundRefused({ url: shown(exchange.url), reason: "Policy", detail }))
  }

  const follow = (exchange: Exchange, redirects: number): Effect.Effect<OutboundResponse, Failure> =>
    Effect.flatMap(send(exchange), (response) => {
      const location = response.headers["location"]
      return !redirectStatuses.has(response.status) || typeof location !== "string"
        ? Effect.succeed(response)
        : redirects === 0
        ? Effect.fail(failure("Protocol", `more redirects than allowed, the last one from ${shown(exchange.url)}`))
        : Effect.flatMap(redirected(exchange, response.status, location), (next) => follow(next, redirects - 1))
    })

  return Outbound.of({
    request: Effect.fnUntraced(function*(request) {
      const candidate = yield* guard.candidate("request")
      const timeout = Duration.decode(request.timeout ?? Duration.seconds(30))
      const { maxRedirects = 5 } = request
      const exchange = yield* prepare(request)
      const record = (resource: string, verdict: "granted" | "denied") =>
        Audit.record(audit, { candidate, service: "Outbound", operation: "request", resource, verdict })
      return yield* (maxRedirects === 0 ? send(exchange) : follow(exchange, maxRedirects)).pipe(
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () =>
            failure("Timeout", `no whole answer of ${shown(exchange.url)} in ${Duration.format(timeout)}`)
        }),
        Effect.tap(() => audit.level === "all" ? record(shown(exchange.url), "granted") : Effect.void),
        Effect.tapErrorTag("OutboundRefused", (refused) => record(refused.url, "denied"))
      )
    }, traced("Outbound.request"))
  })
})

/** The guarded service, and with it the policy for whoever else connects somewhere. */
export const layer: Layer.Layer<Outbound | Policy, never, OutboundConnector> = Layer.merge(
  Layer.effect(Outbound, make),
  Layer.effect(Policy, Effect.map(OutboundConnector, ({ policy }) => policy))
)

type Failure = OutboundRefused | ResponseTooLarge | ConnectorError

const failure = (reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector: "Outbound", method: "request", reason, detail })

/** What of a URL may stand in errors, logs and the audit: not even the path, which is the secret of many a webhook. */
export const shown = ({ host, protocol }: URL): string => host === "" ? protocol : `${protocol}//${host}`

/* ------------------------------------------------------------------------------------------------------------------
 * Requests
 * ---------------------------------------------------------------------------------------------------------------- */

/** Headers of the connection, which the connector sets itself. A `Host` of one's own would name a site the policy never saw. */
const connectionHeaders: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

const prepare = (request: OutboundRequest): Effect.Effect<Exchange, OutboundRefused> => {
  const url = parseUrl(request.url)
  if (url === undefined) {
    return Effect.fail(new OutboundRefused({ url: "", reason: "InvalidUrl", detail: "it is not an absolute URL" }))
  }
  const headers: Record<string, string | ReadonlyArray<string>> = {}
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    const values = typeof value === "string" ? [value] : value
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || !values.every(isHeaderValue)) {
      return Effect.fail(
        new OutboundRefused({
          url: shown(url),
          reason: "InvalidHeader",
          detail: `the header ${JSON.stringify(name.slice(0, 100))} has characters that headers cannot carry`
        })
      )
    }
    const lower = name.toLowerCase()
    if (!connectionHeaders.has(lower)) headers[lower] = value
  }
  const authorization = basicCredentials(url)
  if (authorization !== undefined && headers["authorization"] === undefined) headers["authorization"] = authorization
  url.hash = ""
  return Effect.succeed({
    method: request.method,
    url: withoutCredentials(url),
    headers,
    body: request.body,
    maxBytes: request.maxBytes ?? 10 * 1024 * 1024
  })
}

const parseUrl = (text: string, base?: URL) => URL.canParse(text, base?.href) ? new URL(text, base) : undefined

/** Visible Latin-1, spaces and tabs: what HTTP/1.1 can carry (https://www.rfc-editor.org/rfc/rfc9110#section-5.5). */
const isHeaderValue = (value: string) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

const basicCredentials = ({ password, username }: URL) =>
  username === "" && password === ""
    ? undefined
    : `Basic ${Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`).toString("base64")}`

const percentDecoded = (text: string) => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const withoutCredentials = (url: URL): URL => {
  url.username = ""
  url.password = ""
  return url
}

/* ------------------------------------------------------------------------------------------------------------------
 * Redirects: https://fetch.spec.whatwg.org/#http-redirect-fetch
 * ---------------------------------------------------------------------------------------------------------------- */

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Headers that carry no secret. Of all others one cannot know (`X-Api-Key`), so they stay with the origin they were meant for. */
const harmlessHeaders: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "content-encoding",
  "content-language",
  "content-type",
  "range",
  "user-agent"
])

const redirected = (exchange: Exchange, status: number, location: string): Effect.Effect<Exchange, OutboundRefused> => {
  const url = parseUrl(location, exchange.url)
  if (url === undefined) {
    return Effect.fail(
      new OutboundRefused({
        url: shown(exchange.url),
        reason: "InvalidUrl",
        detail: "it redirects to something that is not a URL"
      })
    )
  }
  url.hash = ""
  const { method } = exchange
  const toGet = status === 303 ? method !== "GET" && method !== "HEAD" : status <= 302 && method === "POST"
  const keeps = (name: string) =>
    (url.origin === exchange.url.origin || harmlessHeaders.has(name)) && !(toGet && name.startsWith("content-"))
  return Effect.succeed({
    ...exchange,
    url: withoutCredentials(url),
    method: toGet ? "GET" : method,
    body: toGet ? undefined : exchange.body,
    headers: Object.fromEntries(Object.entries(exchange.headers).filter(([name]) => keeps(name)))
  })
}
