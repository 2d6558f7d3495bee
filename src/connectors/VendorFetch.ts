/**
 * `fetch` for vendor SDKs that answer with whole bodies: a pool of connections that closes with its scope, a bound on every
 * answer, and failures as `ConnectorError`, also of HTTP. However deep an SDK wraps one, {@link VendorFetch.attempt} finds it;
 * and what interrupts a call aborts its request, also where the SDK takes no signal.
 */
import { Duration, Effect, type Scope } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import type { Dispatcher } from "undici"
import type { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"
import type { NetworkPolicy } from "../subsystems/io/NetworkPolicy.ts"
import * as PolicedPool from "./PolicedPool.ts"

export interface VendorFetch {
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /** Runs calls of the SDK within the time of one; `method` is the contract's, for the error. */
  readonly attempt: <A>(method: string, evaluate: () => Promise<A>) => Effect.Effect<A, ConnectorError>
  /** The same for addresses that `policy` judges, those that DNS answers, too; without a policy, for those of the operator. */
  readonly policed: (policy: NetworkPolicy | undefined) => VendorFetch
}

/** Redirects are not followed: they would carry the key to a place nobody configured. */
export const make = Effect.fnUntraced(function*(
  connector: string,
  timeout: Duration.Duration,
  resolve?: PolicedPool.Resolve
): Effect.fn.Return<VendorFetch, BootError, Scope.Scope> {
  const undici = yield* Connector.vendor(connector, "undici", () => import("undici"))
  const agentOf = yield* PolicedPool.agents(undici, {
    connections,
    connectTimeout: 10_000,
    resolve,
    headersTimeout: 0,
    bodyTimeout: 0
  })
  const signals = new AsyncLocalStorage<AbortSignal>()
  const failure = (
    reason: Reason,
    detail: string,
    more: { readonly method?: string; readonly retryAfter?: Duration.Duration } = {}
  ) => new ConnectorError({ connector, method: "fetch", reason, detail, ...more })

  const fetch = (policy: NetworkPolicy | undefined): VendorFetch["fetch"] => async (input, init) => {
    const headers = new Headers(init?.headers)
    // The platform knows how forms and files are written.
    const form = init?.body instanceof FormData || init?.body instanceof Blob ? new Response(init.body) : undefined
    const written = form?.headers.get("content-type") ?? ""
    if (written !== "") headers.set("content-type", written)
    const response = await undici.request(input instanceof Request ? input.url : input, {
      dispatcher: agentOf(policy),
      method: (init?.method?.toUpperCase() ?? "GET") as Dispatcher.HttpMethod,
      headers: Object.fromEntries(headers),
      body: typeof init?.body === "string"
        ? init.body
        : form === undefined
        ? null
        : new Uint8Array(await form.arrayBuffer()),
      signal: signals.getStore() ?? null
    }).catch((cause) =>
      Promise.reject(
        cause instanceof PolicedPool.Refusal
          ? failure("InvalidInput", `the server of the model must not be asked: ${cause.message}`)
          : failure(reasonOfCode(codeOf(cause)), `no connection, or it was lost: ${codeOf(cause)}`)
      )
    )
    const body = await read(response.body).catch((cause) =>
      Promise.reject(
        cause instanceof TooLarge
          ? failure("Protocol", cause.message)
          : failure("Unavailable", `the answer broke off: ${codeOf(cause)}`)
      )
    )
    const status = response.statusCode
    if (status >= 300) {
      const text = body.toString()
      const said = withoutKeys(messageIn(text), headers)
      const seconds = Number([response.headers["retry-after"]].flat()[0] ?? Number.NaN)
      throw failure(reasonOf(status, text), `status ${status}${said === "" ? "" : `: ${said}`}`, {
        ...(seconds >= 0 ? { retryAfter: Duration.seconds(seconds) } : {})
      })
    }
    const type = [response.headers["content-type"]].flat()[0] ?? "application/json"
    return new Response(body.length === 0 ? null : new Uint8Array(body), { status, headers: { "content-type": type } })
  }

  const attempt: VendorFetch["attempt"] = (method, evaluate) =>
    Effect.tryPromise({
      try: (signal) => signals.run(signal, evaluate),
      catch: (cause) => {
        const found = failureIn(cause)
        return found === undefined
          ? failure("Protocol", "the answer is not what the vendor's package expects", { method })
          : new ConnectorError({ ...found, method })
      }
    }).pipe(Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => failure("Timeout", `no answer in ${Duration.format(timeout)}`, { method })
    }))

  const policed = (policy: NetworkPolicy | undefined): VendorFetch => ({ fetch: fetch(policy), attempt, policed })
  return policed(undefined)
})

const connections = 64

class TooLarge extends Error {}

const maxBytes = 256 * 2 ** 20

const read = async (source: Dispatcher.ResponseData["body"]): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of source as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new TooLarge(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const failureIn = (cause: unknown): ConnectorError | undefined =>
  cause instanceof ConnectorError ? cause : cause instanceof Error ? failureIn(cause.cause) : undefined

const codeOf = (cause: unknown): string =>
  cause instanceof Error
    ? ("code" in cause && typeof cause.code === "string" ? cause.code : cause.name)
    : "unknown error"

const reasonOfCode = (code: string): Reason =>
  /TIMEOUT|TIMEDOUT/.test(code)
    ? "Timeout"
    : /^UND_ERR_INVALID_ARG|^ERR_INVALID/.test(code)
    ? "InvalidInput"
    : /^HPE_|^HTTPParserError$/.test(code)
    ? "Protocol"
    : "Unavailable"

/** By the status of an answer and the words in it. */
export const reasonOf = (status: number, said: string): Reason =>
  status === 402 || /insufficient_quota/.test(said)
    ? "Full"
    : status >= 500
    ? "Unavailable"
    : reasons[status] ?? (status >= 400 ? "InvalidInput" : "Protocol")

const reasons: Readonly<Record<number, Reason>> = {
  401: "Unauthorized",
  403: "Unauthorized",
  404: "NotFound",
  408: "Timeout",
  429: "RateLimited"
}

/** What the body says for people: `{"error":{"message":"…"}}`, `{"message":"…"}` and the like; a page says nothing. */
const messageIn = (body: string): string => /"message"\s*:\s*"((?:[^"\\]|\\.){1,300})/.exec(body)?.[1] ?? ""

const withoutKeys = (text: string, headers: Headers): string =>
  Array.from(headers).filter(([name, value]) => value !== "" && /auth|key|token/.test(name))
    .reduce((all, [, value]) => all.replaceAll(value.replace(/^Bearer /, ""), "[key]"), text)
