/**
 * Router: who answers HTTP requests, and under which address. Faces {@link Router.serve} an app, other parts mount handlers
 * beside it, connectors implement {@link RouterConnector}. For hosts: no component may ask for it.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { Context, Effect, Layer, Ref, type Scope } from "effect"
import { BootError } from "../../kernel/BootError.ts"

/**
 * An HTTP application that has settled all its errors and needs nothing but the request: services of whoever serves it are
 * not around it, so those that have a default must be given to the app itself.
 */
export type App = HttpApp.Default<never, Scope.Scope>

/** Where to listen, in place of what the connector was configured with. */
export interface Place {
  readonly host?: string | undefined
  /** 0: any free port. */
  readonly port?: number | undefined
}

export class RouterConnector extends Context.Tag("effect-sre/RouterConnector")<RouterConnector, {
  /** Name or address it listens on when not told another. */
  readonly host: string
  /** Where clients reach it, without a slash at the end; before it listens, where they will. */
  readonly baseUrl: Effect.Effect<string>
  /** Listens and answers while the scope is open; then takes no more, and finishes what is under way. */
  readonly serve: (app: App, place?: Place) => Effect.Effect<void, BootError, Scope.Scope>
}>() {}

export class Router extends Context.Tag("effect-sre/Router")<Router, {
  readonly host: string
  /** `http://127.0.0.1:4111`: what public addresses begin with. */
  readonly baseUrl: Effect.Effect<string>
  /** Answers requests with `app`, and with what is mounted, while the scope is open; then drains. */
  readonly serve: (app: App, place?: Place) => Effect.Effect<void, BootError, Scope.Scope>
  /** Answers what begins with `prefix` (`/files`) in place of the served app, while the scope is open. */
  readonly mount: (prefix: `/${string}`, app: App) => Effect.Effect<void, BootError, Scope.Scope>
}>() {}

const make = Effect.gen(function*() {
  const connector = yield* RouterConnector
  const mounts = yield* Ref.make<ReadonlyMap<string, App>>(new Map())

  /** The HTTP modules are loaded by who serves: most programs do not. */
  const beside = (app: App): Effect.Effect<App> =>
    Effect.map(
      Effect.promise(() => import("@effect/platform/HttpServerRequest")),
      ({ HttpServerRequest }) =>
        Effect.flatMap(Ref.get(mounts), (all) =>
          all.size === 0 ? app : Effect.flatMap(HttpServerRequest, ({ url }) => mountedAt(all, url) ?? app))
    )

  return Router.of({
    host: connector.host,
    baseUrl: connector.baseUrl,
    serve: (app, place) => Effect.flatMap(beside(app), (whole) => connector.serve(whole, place)),
    mount: (prefix, app) =>
      Effect.acquireRelease(
        Effect.flatMap(
          Ref.modify(mounts, (all) => all.has(prefix) ? [false, all] : [true, new Map(all).set(prefix, app)]),
          (added) => added ? Effect.void : Effect.fail(taken(prefix))
        ),
        () => Ref.update(mounts, (all) => new Map(Array.from(all).filter(([other]) => other !== prefix)))
      )
  })
})

export const layer: Layer.Layer<Router, never, RouterConnector> = Layer.effect(Router, make)

const taken = (prefix: string) =>
  new BootError({ service: "Router", problem: `two parts want to answer requests below "${prefix}"` })

/** The app with the longest prefix of the path. */
const mountedAt = (mounts: ReadonlyMap<string, App>, url: string): App | undefined => {
  const query = url.indexOf("?")
  let prefix = query < 0 ? url : url.slice(0, query)
  while (prefix !== "") {
    const app = mounts.get(prefix)
    if (app !== undefined) return app
    prefix = prefix.slice(0, prefix.lastIndexOf("/"))
  }
  return undefined
}
