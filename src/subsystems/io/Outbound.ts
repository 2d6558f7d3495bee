/**
 * Outbound: the one way an agent opens an HTTP connection. The operator's {@link NetworkPolicy} decides where to; every
 * redirect is judged like a first request, and the connector judges each address it is about to connect to.
 */
import { Context, Duration, Effect, Layer, Option, Schema, type Scope, type Stream } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Deadlines from "../../kernel/Deadlines.ts"
import * as Pull from "../../kernel/Pull.ts"
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
  /** `http`, `https` or `socks5`, with user and password where it wants them: `socks5://me:pw@proxy.example:1080`. */
  readonly proxy?: string | undefined
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

/** An answer whose body is read as it comes, while the scope is open. */
export interface OutboundStream extends Omit<OutboundResponse, "body"> {
  readonly body: Stream.Stream<Uint8Array, ResponseTooLarge | ConnectorError>
  /** All of the body has come already, so that nothing is left to wait for. */
  readonly isWhole: boolean
}

/** A way to the place, itself a place the policy allows. */
export interface Proxy {
  readonly scheme: "http" | "https" | "socks5"
  readonly host: string
  readonly port: number
  readonly credentials: { readonly user: string; readonly password: string } | undefined
}

/** One exchange, no redirects. `headers` have lower-case names and hold nothing of the connection's own. */
export interface Exchange {
  readonly method: Method
  readonly url: URL
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: Uint8Array | string | undefined
  readonly maxBytes: number
  /** Whoever is behind it, the address the name of the URL has here is judged as without one. */
  readonly proxy?: Proxy | undefined
}

/** Sends one request, to no address that `policy.refusesAddress` refuses; interruption closes the connection. */
export class OutboundConnector extends Context.Tag("effect-sre/OutboundConnector")<OutboundConnector, {
  readonly policy: NetworkPolicy
  readonly exchange: (
    exchange: Exchange
  ) => Effect.Effect<Omit<OutboundResponse, "url">, Failure>
  /** The same, with the body as it comes; closing the scope closes the connection. */
  readonly open: (exchange: Exchange) => Effect.Effect<Omit<OutboundStream, "url">, Failure, Scope.Scope>
}>() {}

export class Outbound extends Context.Tag("effect-sre/Outbound")<Outbound, {
  /** Sends a request and reads the whole answer. A status of 400 and above is an answer, not a failure. */
  readonly request: (request: OutboundRequest) => Effect.Effect<OutboundResponse, OutboundError>
  /** The same for what may be large: the time is that to the head of the answer, and from each piece of the body to the next. */
  readonly open: (request: OutboundRequest) => Effect.Effect<OutboundStream, OutboundError, Scope.Scope>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* OutboundConnector
  const guard = yield* Access.guard("Outbound")
  const audit = yield* Audit.Audit
  const deadlines = yield* Deadlines.make(Duration.seconds(30))

  /** Sends and follows; `via` is one of the two ways of the connector. */
  const follow = <A extends Head, R>(via: Via<A, R>, exchange: Exchange, redirects: number): Sent<A, R> => {
    const detail = connector.policy.refusesUrl(exchange.url)
    if (detail !== undefined) {
      return Effect.fail(new OutboundRefused({ url: shown(exchange.url), reason: "Policy", detail }))
    }
    return Effect.flatMap(via(exchange), (response): Sent<A, R> => {
      const location = response.headers["location"]
      return redirects === 0 || !redirectStatuses.has(response.status) || typeof location !== "string"
        ? Effect.succeed({ ...response, url: exchange.url.href })
        : redirects === 1
        ? Effect.fail(failure("Protocol", `more redirects than allowed, the last one from ${shown(exchange.url)}`))
        : Effect.flatMap(
          redirected(exchange, response.status, location),
          (next) => follow(via, next, redirects - 1)
        )
    })
  }

  const sent = Effect.fnUntraced(function*<A extends Head, R>(
    operation: "request" | "open",
    via: Via<A, R>,
    request: OutboundRequest
  ) {
    const candidate = yield* guard.candidate(operation)
    const { maxRedirects = 5 } = request
    const record = (resource: string, verdict: "granted" | "denied") =>
      Audit.record(audit, { candidate, service: "Outbound", operation, resource, verdict })
    const exchange = yield* prepare(request, connector.policy).pipe(
      Effect.tapError((refused) => refused.reason === "Policy" ? record(refused.url, "denied") : Effect.void)
    )
    return yield* follow(via, exchange, maxRedirects === 0 ? 0 : maxRedirects + 1).pipe(
      deadlines.within(() =>
        failure(
          "Timeout",
          `no whole answer of ${shown(exchange.url)} in ${Duration.format(timeoutOf(request))}`
        ), timeoutOf(request)),
      Effect.tap(() => audit.level === "all" ? record(shown(exchange.url), "granted") : Effect.void),
      Effect.tapErrorTag("OutboundRefused", (refused) => record(refused.url, "denied"))
    )
  })

  return Outbound.of({
    request: (request) => traced("Outbound.request")(sent("request", connector.exchange, request)),
    open: Effect.fnUntraced(function*(request) {
      const answer = yield* sent("open", connector.open, request)
      const stopped = (): Option.Option<ResponseTooLarge | ConnectorError> =>
        Option.some(failure("Timeout", `${shown(new URL(answer.url))} stopped in the middle of its answer`))
      const inTime = deadlines.within(stopped, timeoutOf(request))
      return answer.isWhole
        ? answer
        : { ...answer, body: answer.body.pipe(Pull.via((pull) => inTime(pull))) }
    }, traced("Outbound.open"))
  })
})

/** The guarded service, and with it the policy for whoever else connects somewhere. */
export const layer: Layer.Layer<Outbound | Policy, never, OutboundConnector> = Layer.merge(
  Layer.scoped(Outbound, make),
  Layer.effect(Policy, Effect.map(OutboundConnector, ({ policy }) => policy))
)

type Failure = OutboundRefused | ResponseTooLarge | ConnectorError
type Head = Pick<OutboundResponse, "status" | "headers">
type Via<A, R> = (exchange: Exchange) => Effect.Effect<A, Failure, R>
type Sent<A, R> = Effect.Effect<A & { readonly url: string }, Failure, R>

const timeoutOf = ({ timeout = "30 seconds" }: OutboundRequest) => Duration.decode(timeout)

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

const prepare = (
  request: OutboundRequest,
  policy: NetworkPolicy
): Effect.Effect<Exchange, OutboundRefused> => {
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
  const proxy = request.proxy === undefined ? undefined : parseProxy(request.proxy, policy)
  if (proxy instanceof OutboundRefused) return Effect.fail(proxy)
  return Effect.succeed({
    proxy,
    method: request.method,
    url: withoutCredentials(url),
    headers,
    body: request.body,
    maxBytes: request.maxBytes ?? 10 * 1024 * 1024
  })
}

/** Read as a web address, whatever its scheme: so every spelling of a host is judged alike. */
const parseProxy = (text: string, policy: NetworkPolicy): Proxy | OutboundRefused => {
  const [, written, rest] = /^(https?|socks5h?|socks):\/\/(.+)$/i.exec(text.trim()) ?? []
  const url = rest === undefined ? undefined : parseUrl(`http://${rest}`)
  if (written === undefined || url === undefined) {
    return new OutboundRefused({
      url: "",
      reason: "InvalidUrl",
      detail: "the proxy is not an URL such as http://proxy.example:3128; only http, https and socks5 can be used"
    })
  }
  const scheme = written.toLowerCase()
  const kind = scheme.startsWith("socks") ? "socks5" : scheme === "https" ? "https" : "http"
  const port = url.port !== "" ? Number(url.port) : { http: 80, https: 443, socks5: 1080 }[kind]
  const detail = policy.refusesUrl(new URL(`http://${url.hostname}:${port}`))
  return detail === undefined
    ? {
      scheme: kind,
      host: url.hostname,
      port,
      credentials: url.username === ""
        ? undefined
        : { user: percentDecoded(url.username), password: percentDecoded(url.password) }
    }
    : new OutboundRefused({
      url: `${kind}://${url.hostname}:${port}`,
      reason: "Policy",
      detail: `as a proxy, ${detail}`
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
