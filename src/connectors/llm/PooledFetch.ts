/**
 * `fetch` for vendor SDKs, over a pool of connections that closes with its scope. It costs less than the global one
 * (which also cannot be closed) and leaves the body of a good answer unread, to be decoded in batches as it arrives.
 */
import { Duration, Effect, Schema, type Stream } from "effect"
import type { Dispatcher } from "undici"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import * as Deadlines from "../../kernel/Deadlines.ts"
import type { NetworkPolicy } from "../../subsystems/io/NetworkPolicy.ts"
import * as PolicedPool from "../PolicedPool.ts"
import * as Readable from "../Readable.ts"

/** In milliseconds where a configuration writes them. */
export const Timeouts = Schema.Struct({
  /** To open a connection. */
  connect: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) }),
  /** From the request to the head of the answer. */
  firstByte: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(60) }),
  /** Between two chunks of the answer. */
  idle: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(60) })
})
export type Timeouts = typeof Timeouts.Type

export const defaultTimeouts: Timeouts = Schema.decodeSync(Timeouts)({})

/** In milliseconds, for an SDK whose own clock must not be the first to run out. */
export const patience = ({ connect, firstByte }: Timeouts): number =>
  Duration.toMillis(connect) + Duration.toMillis(firstByte) + 1000

export type PooledFetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>

/**
 * The `fetch` for calls whose addresses `policy` judges, those that DNS answers, too; without a policy, for the addresses the
 * operator chose.
 */
export const make = Effect.fnUntraced(function*(
  connector: string,
  timeouts: Timeouts,
  resolve?: PolicedPool.Resolve
) {
  const undici = yield* Connector.vendor(connector, "undici", () => import("undici"))
  const agentOf = yield* PolicedPool.agents(undici, {
    connections,
    connectTimeout: Duration.toMillis(timeouts.connect),
    resolve,
    headersTimeout: Duration.toMillis(timeouts.firstByte),
    bodyTimeout: Duration.toMillis(timeouts.idle)
  })

  const grace = yield* Deadlines.make(graceAfterReason)

  /** Redirects are not followed: they would carry the key to a place nobody configured. */
  return (policy?: NetworkPolicy): PooledFetch => async (url, init) => {
    const { body, headers, statusCode } = await undici.request(url instanceof Request ? url.url : url, {
      dispatcher: agentOf(policy),
      method: (init?.method?.toUpperCase() ?? "GET") as Dispatcher.HttpMethod,
      headers: Object.fromEntries(Array.from(pairsOf(init?.headers), ([name, value]) => [name, value])),
      body: typeof init?.body === "string" || init?.body instanceof Uint8Array ? init.body : null,
      signal: init?.signal ?? null
    })
    body.on("error", ignore)
    const head = { status: statusCode, headers: toHeaders(headers) }
    return statusCode < 300
      ? Object.assign(new Response(null, head), { source: body, grace })
      : new Response(await textOf(body), head)
  }
})

const connections = 256
/** A server may hold the connection open after its last word; it is not waited for. */
const graceAfterReason = Duration.seconds(2)

/** Sends no other headers, whatever an SDK found for itself. */
export const onlyHeaders = (fetch: PooledFetch, allowed: RegExp): PooledFetch => (url, init) =>
  fetch(url, {
    ...init,
    headers: Array.from(pairsOf(init?.headers)).flatMap(([name = "", value = ""]): Array<[string, string]> =>
      allowed.test(name) ? [[name, value]] : []
    )
  })

/** Names in lower case, from any but a list, which is of {@link onlyHeaders}. */
const pairsOf = (headers: RequestInit["headers"]): Iterable<ReadonlyArray<string>> =>
  Array.isArray(headers) ? headers : headers instanceof Headers ? headers : new Headers(headers)

/** A good answer whose body nobody has read: {@link bytes} reads it. No class: one of it loads all of `fetch` at the start. */
export interface UnreadResponse extends Response {
  readonly source: Dispatcher.ResponseData["body"]
  /** For what comes after the last word of the answer. */
  readonly grace: Deadlines.Deadlines
}

export const isUnread = (response: object | undefined): response is UnreadResponse =>
  response !== undefined && "source" in response

/** The body as it arrives. */
export const bytes = (connector: string, { source }: UnreadResponse): Stream.Stream<Uint8Array, ConnectorError> =>
  Readable.toStream(source, (cause) => failure(connector, cause))

/** At most 64 KiB: enough for any error body, and for what is said about a page that is no answer. */
export const textOf = async (source: Dispatcher.ResponseData["body"]): Promise<string> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    size += chunk.length
    if (size > 65_536) break
  }
  return Buffer.concat(chunks).toString().slice(0, 65_536)
}

/**
 * Lets go of an answer that was read as far as it matters. What is left of it is normally on its way, and then the
 * connection can serve the next call; one that is still open after the grace is closed.
 */
export const release = ({ grace, source }: UnreadResponse): void => {
  if (source.readableEnded) return
  const deadline = grace.start(() => void source.destroy())
  void source.dump({ limit: 65_536 }).catch(ignore).finally(() => grace.cancel(deadline))
}

/** What went wrong below HTTP, by the codes of https://undici.nodejs.org/#/docs/api/Errors and of the system. */
export const failure = (connector: string, cause: unknown): ConnectorError => {
  const because = (reason: Reason, detail: string) =>
    new ConnectorError({ connector, method: "stream", reason, detail })
  if (cause instanceof PolicedPool.Refusal) {
    return because("InvalidInput", `the server of the model must not be asked: ${cause.message}`)
  }
  const code = codeOf(cause)
  return code === "UND_ERR_BODY_TIMEOUT"
    ? because("Timeout", "the answer stopped coming")
    : code === "UND_ERR_HEADERS_TIMEOUT"
    ? because("Timeout", "no answer in time")
    : /^(TypeError|UND_ERR_INVALID_ARG|ERR_INVALID_.*)$/.test(code)
    ? because("InvalidInput", unbuildable)
    : because(
      /TIMEOUT|TIMEDOUT/.test(code) ? "Timeout" : /^HPE_|INVALID/.test(code) ? "Protocol" : "Unavailable",
      `no connection, or it was lost: ${code}`
    )
}

export const unbuildable =
  "the request cannot be built; check the base URL, the key for what a header cannot hold, the tools for what JSON cannot"

const codeOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "unknown error"
  if ("code" in cause && typeof cause.code === "string") return cause.code
  return cause.cause === undefined ? cause.name : codeOf(cause.cause)
}

const toHeaders = (headers: Dispatcher.ResponseData["headers"]) =>
  Object.entries(headers).flatMap(([name, value]): Array<[string, string]> =>
    value === undefined ? [] : [[name, typeof value === "string" ? value : value.join(", ")]]
  )

const ignore = () => {}
