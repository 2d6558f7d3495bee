/** JSON over HTTP, for connectors of vendors whose API is plain REST: a pool of connections that closes with its scope. */
import { Duration, Effect, Schema, type Scope } from "effect"
import type { Dispatcher } from "undici"
import type { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"

/** `https://host:port/path`, without a slash at its end. */
export const BaseUrl = Schema.String.pipe(
  Schema.filter((text) => URL.canParse(text) && /^https?:\/\/[^@?#]+$/.test(text), {
    message: () => "expected a URL that begins with http:// or https://, without credentials and query"
  }),
  Schema.transform(Schema.String, { decode: (text) => text.replace(/\/+$/, ""), encode: (text) => text })
)

export interface Call {
  readonly method: Dispatcher.HttpMethod
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as it is, in place of `body`; its type is among the headers. */
  readonly text?: string
}

export interface Answer {
  readonly status: number
  /** By its name in lower case. */
  readonly header: (name: string) => string | undefined
  /** Undefined where the body is empty, or where an error came with a body that is not JSON (the page of a proxy, say). */
  readonly json: unknown
}

/** Sends one request and reads the whole answer, whatever its status. `method` is the contract's, for the error. */
export type JsonHttp = (method: string, call: Call) => Effect.Effect<Answer, ConnectorError>

/** Redirects are not followed: they would carry the credentials to a place nobody configured. */
export const make = Effect.fnUntraced(function*(
  connector: string,
  timeout: Duration.Duration
): Effect.fn.Return<JsonHttp, BootError, Scope.Scope> {
  const undici = yield* Connector.vendor(connector, "undici", () => import("undici"))
  const dispatcher = yield* Effect.acquireRelease(
    Effect.sync(() => new undici.Agent({ connections: 64, headersTimeout: 0, bodyTimeout: 0 })),
    (agent) => Effect.promise(() => agent.destroy())
  )
  const failure = (method: string, reason: Reason, detail: string) =>
    new ConnectorError({ connector, method, reason, detail })

  return (method, { body, headers, method: verb, text: plain, url }) =>
    Effect.tryPromise({
      try: async (signal): Promise<Answer> => {
        const response = await undici.request(url, {
          dispatcher,
          method: verb,
          headers: { accept: "application/json", ...(body === undefined ? {} : json), ...headers },
          body: plain ?? (body === undefined ? null : JSON.stringify(body)),
          signal
        })
        const text = await read(response.body)
        return {
          status: response.statusCode,
          header: (name) => [response.headers[name]].flat()[0],
          json: parse(text, response.statusCode < 300)
        }
      },
      // The error itself may quote what was received, so only its code goes on.
      catch: (cause) =>
        cause instanceof Unreadable
          ? failure(method, "Protocol", cause.message)
          : failure(method, reasonOf(codeOf(cause)), `${new URL(url).host}: ${codeOf(cause)}`)
    }).pipe(Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => failure(method, "Timeout", `no answer of ${new URL(url).host} in ${Duration.format(timeout)}`)
    }))
})

/** What a `Retry-After` in seconds asks for. */
export const retryAfter = (answer: Answer): { readonly retryAfter?: Duration.Duration } => {
  const seconds = Number(answer.header("retry-after") ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfter: Duration.seconds(seconds) } : {}
}

const json = { "content-type": "application/json" }

/** The answer is no JSON, or has no end. */
class Unreadable extends Error {}

const maxBytes = 8 * 1024 * 1024

const read = async (body: Dispatcher.ResponseData["body"]): Promise<string> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new Unreadable(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const parse = (text: string, strict: boolean): unknown => {
  if (text === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    if (strict) throw new Unreadable("the answer is not JSON; does the URL name the API itself?")
    return undefined
  }
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error
    ? ("code" in cause && typeof cause.code === "string" ? cause.code : cause.name)
    : "unknown error"

/** By the codes of https://undici.nodejs.org/#/docs/api/Errors, of TLS and of the HTTP parser. */
const reasonOf = (code: string): Reason => reasons.find(([pattern]) => pattern.test(code))?.[1] ?? "Unavailable"

const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/TIMEOUT|ETIMEDOUT/, "Timeout"],
  [/^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)|^ERR_INVALID/, "InvalidInput"],
  [/^HPE_|^HTTPParserError$|HEADERS_OVERFLOW/, "Protocol"]
]
