/**
 * Router in an Express 5 app: in one the host has, beside the host's own routes, or in a new one that listens by itself.
 * https://expressjs.com/en/5x/api.html
 */
import { Config, Deferred, Duration, Effect, FiberId, Option, Ref, Schema, type Scope } from "effect"
import type { Express, Request, RequestHandler } from "express"
import { IncomingMessage, type RequestListener } from "node:http"
import * as Connector from "../../kernel/Connector.ts"
import * as Router from "../../subsystems/io/Router.ts"
import * as NodeRouter from "./NodeRouter.ts"

const isApp = (value: unknown): value is Express =>
  typeof value === "function" && "use" in value && typeof value.use === "function"

const ExpressRouterSettings = Schema.Struct({
  /**
   * The host's app, or a router of it; given in code. The host listens, and says in `baseUrl` where. Absent: an app of its own,
   * which listens as `host` and `port` say.
   */
  app: Schema.optionalWith(
    Schema.declare(isApp).annotations({ message: () => "expected an Express app or router, given in code" }),
    { as: "Option" }
  ),
  /** Below which path of the app everything is. */
  path: Schema.optionalWith(Schema.String.pipe(Schema.pattern(/^\/[\w./-]*$/)), { default: () => "/" }),
  ...NodeRouter.settings
}).pipe(Schema.filter(({ app, baseUrl }) =>
  Option.isSome(app) && Option.isNone(baseUrl)
    ? { path: ["baseUrl"], message: "an app that the host listens with needs it: where clients reach the app" }
    : undefined
))

export const ExpressRouter = Connector.make({
  name: "Express",
  aliases: ["ExpressRouter"],
  contract: Router.RouterConnector,
  service: Router.layer,
  settings: ExpressRouterSettings,
  make: Effect.fnUntraced(function*({ app: given, path, ...settings }) {
    const express = Option.isSome(given) ? undefined : yield* Connector.vendor(
      "Express",
      "express",
      async () => (await import("express")).default
    )
    const bound = yield* Ref.make(NodeRouter.urlOf(settings.host, settings.port))
    const address = Option.match(settings.baseUrl, { onNone: () => Ref.get(bound), onSome: NodeRouter.withoutSlash })
    return Router.RouterConnector.of({
      host: settings.host,
      baseUrl: Effect.map(address, (url) => `${url}${path.replace(/\/+$/, "")}`),
      serve: Effect.fnUntraced(function*(served, { host = settings.host, port = settings.port } = {}) {
        const answer = handler(yield* NodeRouter.listener(served))
        if (Option.isSome(given)) return yield* mounted(given.value, path, answer, settings.drainTimeout)
        const app = express!()
        app.disable("x-powered-by")
        app.use(path, answer)
        yield* Ref.set(bound, yield* NodeRouter.listening("Express", app, { ...settings, host, port }))
      })
    })
  })
})

/** `Router` on `SRE_HOST` and `SRE_PORT`, reached by clients at `SRE_BASE_URL`, in an app of its own. */
export const ExpressRouterLive = ExpressRouter.layerConfig({
  app: Config.succeed(Option.none<Express>()),
  path: Config.withDefault(Config.string("SRE_PATH"), "/"),
  host: Config.withDefault(Config.string("SRE_HOST"), "127.0.0.1"),
  port: Config.withDefault(Config.port("SRE_PORT"), 4111),
  baseUrl: Config.option(Config.string("SRE_BASE_URL")),
  maxConnections: Config.withDefault(Config.integer("SRE_MAX_CONNECTIONS"), 4096),
  requestTimeout: Config.withDefault(Config.duration("SRE_REQUEST_TIMEOUT"), Duration.seconds(60)),
  idleTimeout: Config.withDefault(Config.duration("SRE_IDLE_TIMEOUT"), Duration.seconds(330)),
  drainTimeout: Config.withDefault(Config.duration("SRE_DRAIN_TIMEOUT"), Duration.seconds(15))
})

/** In the host's app until the scope closes; then requests go on to what the host has behind it. */
const mounted = (
  app: Express,
  path: string,
  answer: RequestHandler,
  drainTimeout: Duration.Duration
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const work = { isOpen: true, underWay: 0, idle: Deferred.unsafeMake<void>(FiberId.none) }
      app.use(path, (request, response, next) => {
        if (!work.isOpen) return next()
        work.underWay++
        response.once("close", () => {
          work.underWay--
          if (!work.isOpen && work.underWay === 0) Deferred.unsafeDone(work.idle, Effect.void)
        })
        return answer(request, response, next)
      })
      return work
    }),
    (work) =>
      Effect.suspend(() => {
        work.isOpen = false
        return work.underWay === 0
          ? Effect.void
          : Effect.timeoutOption(Effect.interruptible(Deferred.await(work.idle)), drainTimeout)
      })
  )

const handler = (answer: RequestListener): RequestHandler => (request, response, next) => {
  // The client went while the host's middleware was at work.
  if (response.destroyed) return
  const message = withBody(request)
  if (message === undefined) {
    return next(
      new Error(
        `the body of ${request.method} ${request.originalUrl} was read before it came to effect-sre, and not as JSON, a form ` +
          "or text: give the router to effect-sre before this body parser"
      )
    )
  }
  // Node's own names for what a response is; Express only adds to it.
  answer(message, response)
}

/** The request, its body still to be read; when a parser of the host has read it, what the parser made of it as bytes again. */
const withBody = (request: Request): IncomingMessage | undefined => {
  const { "content-encoding": _, "transfer-encoding": chunked, ...headers } = request.headers
  const hasBody = chunked !== undefined || Number(headers["content-length"] ?? 0) > 0
  if (!request.readableEnded) return request
  const bytes = hasBody ? bytesOf(request.body, headers["content-type"] ?? "") : Buffer.alloc(0)
  if (bytes === undefined) return undefined
  const again = new IncomingMessage(request.socket)
  again.method = request.method
  again.url = request.url
  again.headers = { ...headers, "content-length": String(bytes.length) }
  again.complete = true
  again.push(bytes)
  again.push(null)
  return again
}

const bytesOf = (body: unknown, type: string): Buffer | undefined => {
  if (body instanceof Uint8Array) return Buffer.from(body)
  if (typeof body === "string") return Buffer.from(body)
  if (body === undefined) return undefined
  if (/^application\/([\w.-]+\+)?json\b/i.test(type)) return Buffer.from(JSON.stringify(body))
  return /^application\/x-www-form-urlencoded\b/i.test(type) ? formOf(body) : undefined
}

/** Flat forms only: how a parser nests fields is its own matter. */
const formOf = (body: unknown): Buffer | undefined => {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(body ?? {})) {
    for (const one of [value].flat() as ReadonlyArray<unknown>) {
      if (typeof one !== "string") return undefined
      form.append(name, one)
    }
  }
  return Buffer.from(form.toString())
}
