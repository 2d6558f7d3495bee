/** Router on the HTTP server of Node: https://nodejs.org/docs/latest-v20.x/api/http.html */
import { Config, Deferred, Duration, Effect, FiberId, Option, Ref, Schema, type Scope } from "effect"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as Router from "../../subsystems/io/Router.ts"

const Port = Schema.Int.pipe(Schema.between(0, 65_535))
const Timeout = (fallback: Duration.DurationInput) =>
  Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.decode(fallback) })

/** Of every server of ours. */
export const settings = {
  /** Address it listens at; `0.0.0.0`: any of this machine. */
  host: Schema.optionalWith(Schema.NonEmptyString, { default: () => "127.0.0.1" }),
  /** 0: any free port. */
  port: Schema.optionalWith(Port, { default: () => 4111 }),
  /** Where clients reach it, when that is another address: behind a proxy, say. */
  baseUrl: Schema.optionalWith(Schema.String.pipe(Schema.pattern(/^https?:\/\/[^\s?#]+$/)), { as: "Option" }),
  /** Open connections; more are closed at once. */
  maxConnections: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 4096 }),
  /** In milliseconds. A request, body included, must arrive within it; else 408. */
  requestTimeout: Timeout("60 seconds"),
  /** In milliseconds. A connection on which nothing moves is closed. A little above what a run may take. */
  idleTimeout: Timeout("330 seconds"),
  /** In milliseconds. How long shutdown waits for requests under way before it closes their connections. */
  drainTimeout: Timeout("15 seconds")
}
const NodeRouterSettings = Schema.Struct(settings)

type Settings = typeof NodeRouterSettings.Type

export const NodeRouter = Connector.make({
  name: "Node",
  contract: Router.RouterConnector,
  service: Router.layer,
  settings: NodeRouterSettings,
  make: Effect.fnUntraced(function*(settings) {
    const bound = yield* Ref.make(urlOf(settings.host, settings.port))
    return Router.RouterConnector.of({
      host: settings.host,
      baseUrl: Option.match(settings.baseUrl, { onNone: () => Ref.get(bound), onSome: withoutSlash }),
      serve: Effect.fnUntraced(function*(app, { host = settings.host, port = settings.port } = {}) {
        const answer = yield* listener(app)
        yield* Ref.set(bound, yield* listening("Node", answer, { ...settings, host, port }))
      })
    })
  })
})

/** `Router` on `SRE_HOST` and `SRE_PORT`, reached by clients at `SRE_BASE_URL`. */
export const NodeRouterLive = NodeRouter.layerConfig({
  host: Config.withDefault(Config.string("SRE_HOST"), "127.0.0.1"),
  port: Config.withDefault(Config.port("SRE_PORT"), 4111),
  baseUrl: Config.option(Config.string("SRE_BASE_URL")),
  maxConnections: Config.withDefault(Config.integer("SRE_MAX_CONNECTIONS"), 4096),
  requestTimeout: Config.withDefault(Config.duration("SRE_REQUEST_TIMEOUT"), Duration.seconds(60)),
  idleTimeout: Config.withDefault(Config.duration("SRE_IDLE_TIMEOUT"), Duration.seconds(330)),
  drainTimeout: Config.withDefault(Config.duration("SRE_DRAIN_TIMEOUT"), Duration.seconds(15))
})

/** The app as Node calls it; the modules of the platform are loaded by who serves. */
export const listener = (app: Router.App): Effect.Effect<RequestListener> =>
  Effect.flatMap(Effect.promise(() => import("./NodeListener.ts")), ({ make }) => make(app))

/** Listens until the scope closes, and gives the address. */
export const listening = Effect.fnUntraced(function*(connector: string, answer: RequestListener, settings: Settings) {
  const server = yield* running(answer, settings)
  yield* listen(connector, server, settings.host, settings.port)
  return urlOf(settings.host, (server.address() as AddressInfo).port)
})

/** A server that, when its scope closes, takes no more connections, finishes what is under way, and is gone. */
const running = (answer: RequestListener, settings: Settings): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const requestTimeout = Duration.toMillis(settings.requestTimeout)
      const work = { underWay: 0, idle: Deferred.unsafeMake<void>(FiberId.none) }
      const server = createServer({
        requestTimeout,
        headersTimeout: Math.min(requestTimeout, 15_000),
        connectionsCheckingInterval: Math.min(Math.ceil(requestTimeout / 4), 5_000)
      })
      server.maxConnections = settings.maxConnections
      server.timeout = Duration.toMillis(settings.idleTimeout)
      server.on("request", (request, response) => {
        work.underWay++
        if (!server.listening) response.setHeader("connection", "close")
        response.once("close", () => {
          work.underWay--
          if (server.listening) return
          server.closeIdleConnections()
          if (work.underWay === 0) Deferred.unsafeDone(work.idle, Effect.void)
        })
        answer(request, response)
      })
      return Object.assign(server, { work })
    }),
    (server) =>
      Effect.suspend(() => {
        const closed = closing(server)
        return Effect.zipRight(
          server.work.underWay === 0
            ? Effect.void
            : Effect.timeoutOption(Effect.interruptible(Deferred.await(server.work.idle)), settings.drainTimeout),
          Effect.suspend(() => {
            server.closeAllConnections()
            return closed
          })
        )
      })
  )

/** Stops listening at once; done when the last connection is closed. */
const closing = (server: Server): Effect.Effect<void> => {
  const closed = Deferred.unsafeMake<void>(FiberId.none)
  if (server.listening) server.close(() => Deferred.unsafeDone(closed, Effect.void))
  else Deferred.unsafeDone(closed, Effect.void)
  server.closeIdleConnections()
  return Deferred.await(closed)
}

const listen = (connector: string, server: Server, host: string, port: number): Effect.Effect<void, BootError> =>
  Effect.async((resume) => {
    const failed = (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(cannotListen(connector, error.code, host, port)))
    server.once("error", failed)
    server.listen(port, host, () => {
      server.off("error", failed)
      resume(Effect.void)
    })
  })

const cannotListen = (connector: string, code: string | undefined, host: string, port: number) => {
  const choose = "Choose another one: --port <number>, or Router.Settings.port (0 takes any free one)"
  const problems: Readonly<Record<string, readonly [setting: string, problem: string]>> = {
    EADDRINUSE: ["port", `port ${port} of ${host} is in use. ${choose}`],
    EACCES: ["port", `this user may not open port ${port}. ${choose}`],
    EADDRNOTAVAIL: ["host", `this machine has no address "${host}"`],
    ENOTFOUND: ["host", `the name "${host}" is not known`]
  }
  const [setting, problem] = problems[code ?? ""] ?? ["host", `cannot listen on ${host}:${port} (${code ?? "unknown"})`]
  return new BootError({ service: "Router", connector, path: `Router.Settings.${setting}`, problem })
}

export const withoutSlash = (url: string): Effect.Effect<string> => Effect.succeed(url.replace(/\/+$/, ""))

export const urlOf = (host: string, port: number) => `http://${host.includes(":") ? `[${host}]` : host}:${port}`
