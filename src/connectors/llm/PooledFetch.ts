/**
 * `fetch` for vendor SDKs, over a pool of connections that closes with its scope. It costs less than the global one
 * (which also cannot be closed) and leaves the body of a good answer unread, to be decoded in batches as it arrives.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Duration, Effect, Schema, Stream } from "effect"
import type { Dispatcher } from "undici"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"

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

export type PooledFetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>

export const make = Effect.fnUntraced(function*(connector: string, timeouts: Timeouts) {
  const undici = yield* Connector.vendor(connector, "undici", () => import("undici"))
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new undici.Agent({
        connections: 256,
        connect: { timeout: Duration.toMillis(timeouts.connect) },
        headersTimeout: Duration.toMillis(timeouts.firstByte),
        bodyTimeout: Duration.toMillis(timeouts.idle)
      })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )
  /** Redirects are not followed: they would carry the key to a place nobody configured. */
  const fetch: PooledFetch = async (url, init) => {
    const { body, headers, statusCode } = await undici.request(url instanceof Request ? url.url : url, {
      dispatcher: agent,
      method: (init?.method ?? "GET") as Dispatcher.HttpMethod,
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: typeof init?.body === "string" ? init.body : null,
      signal: init?.signal ?? null
    })
    body.on("error", ignore)
    const head = { status: statusCode, headers: toHeaders(headers) }
    return statusCode < 300 ? new UnreadResponse(body, head) : new Response(await textOf(body), head)
  }
  return fetch
})

/** A good answer whose body nobody has read: {@link bytes} reads it. */
export class UnreadResponse extends Response {
  readonly source: Dispatcher.ResponseData["body"]
  constructor(source: Dispatcher.ResponseData["body"], init: ResponseInit) {
    super(null, init)
    this.source = source
  }
}

/** The body as it arrives: all that has come since the last pull at once. */
export const bytes = (connector: string, { source }: UnreadResponse): Stream.Stream<Uint8Array, ConnectorError> =>
  Stream.suspend(() =>
    NodeStream.fromReadable<ConnectorError, Uint8Array>(() => source, (cause) => failure(connector, cause), {
      closeOnDone: false
    })
  )

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
 * connection can serve the next call; one that is still open after a second is closed.
 */
export const release = ({ source }: UnreadResponse): Effect.Effect<void> =>
  Effect.sync(() => void source.dump({ limit: 65_536, signal: AbortSignal.timeout(1000) }).catch(ignore))

/** What went wrong below HTTP, by the codes of https://undici.nodejs.org/#/docs/api/Errors and of the system. */
export const failure = (connector: string, cause: unknown): ConnectorError => {
  const code = codeOf(cause)
  const reason: Reason = /TIMEOUT|TIMEDOUT/.test(code)
    ? "Timeout"
    : /^HPE_|INVALID/.test(code)
    ? "Protocol"
    : "Unavailable"
  const detail = code === "UND_ERR_BODY_TIMEOUT"
    ? "the answer stopped coming"
    : code === "UND_ERR_HEADERS_TIMEOUT"
    ? "no answer in time"
    : `no connection, or it was lost: ${code}`
  return new ConnectorError({ connector, method: "stream", reason, detail })
}

const codeOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "unknown error"
  if ("code" in cause && typeof cause.code === "string") return cause.code
  return cause.cause === undefined ? cause.name : codeOf(cause.cause)
}

const toHeaders = (headers: Dispatcher.ResponseData["headers"]) =>
  new Headers(
    Object.entries(headers).flatMap(([name, value]): Array<[string, string]> =>
      value === undefined ? [] : [[name, typeof value === "string" ? value : value.join(", ")]]
    )
  )

const ignore = () => {}
