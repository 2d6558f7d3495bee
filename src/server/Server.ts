/** Agents over HTTP: as an app to mount, or served by the Router. Translates and contains no behaviour. */
import * as Headers from "@effect/platform/Headers"
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Effect, Layer, Option, Ref, type Scope } from "effect"
import type { Agents } from "../agents/Agents.ts"
import { ShuttingDown } from "../agents/RunGate.ts"
import { BootError } from "../kernel/BootError.ts"
import type { Account } from "../security/Account.ts"
import * as Router from "../subsystems/io/Router.ts"
import { SharedFiles } from "../subsystems/io/SharedFiles.ts"
import { Api } from "./Api.ts"
import * as Failures from "./Failures.ts"
import * as agents from "./handlers/agents.ts"
import * as calls from "./handlers/calls.ts"
import * as files from "./handlers/files.ts"
import * as runs from "./handlers/runs.ts"
import * as signIns from "./handlers/signIns.ts"
import * as system from "./handlers/system.ts"
import * as triggers from "./handlers/triggers.ts"
import * as Identity from "./Identity.ts"
import * as LocalOnly from "./LocalOnly.ts"
import * as Monitors from "./Monitors.ts"

export interface AppOptions {
  /**
   * `local`: no credentials; everybody who gets through is the one local user, and only loopback names and this origin's pages
   * do. `account`: the Account service says whose API key or token a request brings.
   */
  readonly auth: "local" | "account"
  /** Default 10 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Pages of which other origins may use the server from a browser. None when absent. */
  readonly cors?: { readonly origins: ReadonlyArray<string> } | undefined
}

export interface Options extends AppOptions, Router.Place {}

/** The app alone, for a host that has an HTTP server of its own. */
export const app = (options: AppOptions): Effect.Effect<Router.App, never, Agents | Account | Scope.Scope> =>
  Effect.map(whole(options), ({ app }) => app)

/** Serves until the scope closes; then refuses what comes, and finishes what is under way. */
export const serve = (
  { host, port, ...options }: Options
): Effect.Effect<void, BootError, Agents | Account | Router.Router | Scope.Scope> =>
  Effect.gen(function*() {
    const router = yield* Router.Router
    if (options.auth === "local" && !LocalOnly.isLoopback(host ?? router.host)) {
      return yield* new BootError({
        service: "Server",
        path: "Server.auth",
        problem: `without credentials it may not listen on "${host ?? router.host}", which others can reach. ` +
          `Listen on 127.0.0.1, or ask for credentials: auth "account"`
      })
    }
    const { app, drain } = yield* whole(options)
    yield* router.serve(app, { host, port })
    const files = yield* Effect.serviceOption(SharedFiles)
    if (Option.isSome(files)) yield* files.value.servedAt(router.baseUrl)
    yield* Effect.addFinalizer(() => drain)
  })

export const layer = (options: Options): Layer.Layer<never, BootError, Agents | Account | Router.Router> =>
  Layer.scopedDiscard(serve(options))

const MiB = 1024 * 1024

/** The app, and what makes it refuse new requests. */
const whole = Effect.fnUntraced(function*({ auth, cors, maxBodyBytes = 10 * MiB }: AppOptions) {
  const draining = yield* Ref.make(false)
  const origins = cors?.origins ?? []
  const identity = yield* Layer.build(auth === "local" ? Identity.local : Identity.account)
  const monitors = yield* Monitors.make
  const direct = yield* Effect.provide(calls.direct(maxBodyBytes, monitors), identity)
  const handlers = Layer.mergeAll(
    calls.layer(maxBodyBytes, monitors),
    runs.layer(maxBodyBytes, monitors),
    agents.layer(maxBodyBytes),
    triggers.layer,
    triggers.hooks(maxBodyBytes),
    signIns.layer(maxBodyBytes),
    signIns.returns,
    files.layer,
    system.layer
  ).pipe(
    Layer.provide(Layer.succeedContext(identity))
  )
  // Built apart from the host's layers: the routes of another HttpApi in the same program stay its own.
  const routes = yield* Layer.build(Layer.provideMerge(handlers, HttpApiBuilder.Router.Live)).pipe(
    Effect.flatMap((built) => Effect.provide(HttpApiBuilder.Router.router, built)),
    Effect.flatMap(HttpRouter.toHttpApp)
  )
  const encode = yield* HttpApiBuilder.buildMiddleware(Api)

  type Needed = Effect.Effect.Context<typeof routes> | Effect.Effect.Context<NonNullable<ReturnType<typeof direct>>>
  type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Needed>
  const answer = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request): Answer => {
    // The page of another server leads the browser back after a sign-in; what it brings proves itself.
    const isLed = request.method === "GET" && request.url.replace(/\?.*$/s, "") === signIns.returnPath
    const foreign = auth === "local" ? LocalOnly.refusal(request.headers, origins, isLed) : undefined
    if (foreign !== undefined) return Effect.fail(foreign)
    const called = direct(request)
    if (called !== undefined) return called
    const version = /^\/v(\d+\.\d+)(?=\/(?:api|trigger)\/)/.exec(request.url)
    return version === null ? routes : Effect.provideService(
      routes,
      HttpServerRequest.HttpServerRequest,
      request.modify({
        url: request.url.slice(version[0].length),
        headers: Headers.set(request.headers, "x-agent-version", version[1]!)
      })
    )
  })
  const open = Effect.flatMap(Ref.get(draining), (closed) =>
    closed
      ? Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
        url === "/health" ? answer : Effect.fail(new ShuttingDown()))
      : answer)
  const send = (failure: unknown) =>
    Effect.map(encode(Effect.fail(failure)), HttpServerResponse.setHeaders(Failures.headersOf(failure)))
  const settled = Effect.catchAllCause(open, (cause) =>
    Cause.isInterruptedOnly(cause)
      ? Effect.failCause(cause)
      : Effect.catchAllCause(send(failureOf(cause)), (unforeseen) =>
        Effect.zipRight(Effect.logError("a request crashed", unforeseen), send(new Failures.InternalError()))))
  // Only the types ask for a file system and the like: no endpoint reads a form into files or sends one.
  const app = settled as Router.App
  return {
    app: origins.length === 0
      ? app
      : HttpMiddleware.cors({
        allowedOrigins: (origin) => origins.includes(origin),
        exposedHeaders: ["location", "retry-after", "x-run-id", "x-monitor-id"]
      })(app),
    drain: Ref.set(draining, true)
  }
})

/** The failure to send; what has no status in the API is a bug. */
const failureOf = (cause: Cause.Cause<unknown>): unknown => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof HttpServerError.RouteNotFound) return notFound(failure.request)
  return failure instanceof HttpApiError.HttpApiDecodeError
    ? new Failures.MalformedRequest({ problem: failure.message })
    : failure ?? Cause.squash(cause)
}

const notFound = ({ method, url }: HttpServerRequest.HttpServerRequest) => {
  const path = url.replace(/\?.*$/s, "")
  const allow = paths.flatMap((one) => one.pattern.test(path) ? [one.method] : [])
  // With the right method it is the path that cannot be read: a `%` without its digits, a name without end.
  return allow.length === 0 || allow.includes(method)
    ? new Failures.RouteNotFound({ method, path })
    : new Failures.MethodNotAllowed({ method, allow })
}

/** What there is, to tell a wrong method from a wrong path. */
const paths: Array<{ readonly method: string; readonly pattern: RegExp }> = []
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint: { method, path } }) =>
    paths.push({ method, pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`) })
})
