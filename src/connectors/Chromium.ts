/**
 * Chromium (playwright-core), whose pages reach nothing by themselves: each of their requests is handed to whoever opened them,
 * to be made by the asker's Outbound, so the operator's policy holds for scripts, too.
 */
import { Effect, Queue, Schema, type Scope, Stream } from "effect"
import type { Browser, BrowserContext, BrowserContextOptions, Request, Route } from "playwright-core"
import type { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import * as Outbound from "../subsystems/io/Outbound.ts"

export const settings = {
  /** The browser's program. */
  executable: Schema.optionalWith(Schema.NonEmptyString, { default: () => "/usr/bin/chromium" }),
  /** Chromium's own; as root, as in many a container, it does not start with it. */
  sandbox: Schema.optionalWith(Schema.Boolean, { default: () => true })
}

export interface Program {
  readonly executable: string
  readonly sandbox: boolean
}

/** A process of its own, which knows nothing of the environment, for the time of the scope. */
export const launch = (
  connector: string,
  { executable, sandbox }: Program
): Effect.Effect<Browser, BootError | ConnectorError, Scope.Scope> =>
  Effect.flatMap(
    Connector.vendor(connector, "playwright-core", () => import("playwright-core")),
    ({ chromium }) =>
      Effect.acquireRelease(
        Effect.tryPromise({
          try: () =>
            chromium.launch({
              executablePath: executable,
              chromiumSandbox: sandbox,
              args: flags,
              env: {},
              proxy: nowhere,
              timeout: 20_000
            }),
          catch: (cause) => failed(connector, "launch", "Unavailable", doesNotStart(executable), cause)
        }),
        (browser) => closed(() => browser.close())
      )
  )

/** Requests of the pages of a context that wait; beyond, a page is told that there is no answer. */
const maxWaiting = 512

/** A context of its own for the time of the scope, without cookies of others; `answer` is run for each request of its pages. */
export const context = Effect.fnUntraced(function*<R>(
  connector: string,
  browser: Browser,
  options: BrowserContextOptions,
  answer: (route: Route) => Effect.Effect<void, never, R>
): Effect.fn.Return<BrowserContext, ConnectorError, R | Scope.Scope> {
  const routes = yield* Queue.dropping<Route>(maxWaiting)
  const opened = yield* Effect.acquireRelease(
    attempt(
      connector,
      "open",
      () => browser.newContext({ ...options, serviceWorkers: "block", acceptDownloads: false, permissions: [] })
    ),
    (context) => closed(() => context.close())
  )
  const take = (route: Route) => {
    if (!Queue.unsafeOffer(routes, route)) void route.abort("failed").catch(() => {})
  }
  yield* attempt(connector, "open", () => opened.route("**/*", take))
  yield* attempt(connector, "open", () => opened.routeWebSocket(/.*/, (socket) => void socket.close()))
  yield* Stream.fromQueue(routes, { maxChunkSize: 1 }).pipe(
    Stream.mapEffect(answer, { concurrency: 8, unordered: true }),
    Stream.runDrain,
    Effect.forkScoped
  )
  return opened
})

/** What a page asks for, made by the asker's Outbound. */
export const send = Effect.fnUntraced(function*(
  request: Request,
  options: Pick<Outbound.OutboundRequest, "maxBytes" | "maxRedirects">
) {
  const outbound = yield* Outbound.Outbound
  return yield* outbound.request({
    method: yield* Schema.decodeUnknown(Outbound.Method)(request.method()),
    url: request.url(),
    headers: request.headers(),
    body: request.postDataBuffer() ?? undefined,
    ...options
  })
})

/** Hands the page its answer. */
export const fulfill = (
  connector: string,
  route: Route,
  { body, headers, status }: Pick<Outbound.OutboundResponse, "body" | "headers" | "status">
) =>
  attempt(connector, "answer", () =>
    route.fulfill({
      status,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join("\n")])),
      body: Buffer.from(body)
    }))

/** Tells the page that there is no answer. */
export const abort = (connector: string, route: Route): Effect.Effect<void> =>
  Effect.ignore(attempt(connector, "answer", () => route.abort("failed")))

export const attempt = <A>(
  connector: string,
  method: string,
  evaluate: () => Promise<A>
): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({
    try: evaluate,
    catch: (cause) =>
      cause instanceof Error && cause.name === "TimeoutError"
        ? failed(connector, method, "Timeout", "the page did not answer in time")
        : failed(connector, method, "Unavailable", "the browser cannot do it", cause)
  })

export const failed = (
  connector: string,
  method: string,
  reason: ConnectorError["reason"],
  detail: string,
  cause?: unknown
) => new ConnectorError({ connector, method, reason, detail, ...(cause === undefined ? {} : { cause }) })

const doesNotStart = (executable: string) =>
  `${executable} does not start: it is not there, or it is run as root and the setting sandbox is not false`

/** Neither fails nor waits for what has gone. */
const closed = (close: () => Promise<void>) =>
  Effect.tryPromise(close).pipe(Effect.interruptible, Effect.timeout("5 seconds"), Effect.ignore)

const flags = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--force-webrtc-ip-handling-policy=disable_non_proxied_udp"
]

/** Whatever gets past the routes ends at a port where nothing listens. */
const nowhere = { server: "http://127.0.0.1:9", bypass: "<-loopback>" }
