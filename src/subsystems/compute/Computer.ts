/**
 * Computer: a screen with a browser on it, mouse and keyboard, for as long as a scope. Callers use {@link Computer}, connectors
 * implement {@link ComputerConnector}. Whatever is done on it, its pages reach the allowed origins alone.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import { half, Places } from "../../kernel/Places.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Access from "../../security/Access.ts"
import type * as Candidate from "../../security/Candidate.ts"
import * as Tenants from "../../security/Tenants.ts"
import { type Outbound, shown } from "../io/Outbound.ts"
import type { Action, Point } from "./ComputerAction.ts"

/** Not done. Whoever asked for it may be told why, and ask for something else. */
export class ActionRefused extends Schema.TaggedError<ActionRefused>()("ActionRefused", {
  action: Schema.String,
  /**
   * `Origin`: not an allowed one. `OffScreen`: beside the display. `Key`: no such key. `Unreachable`: no page came of it.
   * `Unconfirmed`: nobody said that it may be done.
   */
  reason: Schema.Literal("Origin", "OffScreen", "Key", "Unreachable", "Unconfirmed"),
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.action} was not done: ${this.detail}`
  }
}

/** All screens of this machine are in use, or all that the asker's team may have. */
export class NoScreenFree extends Schema.TaggedError<NoScreenFree>()("NoScreenFree", { sessions: Schema.Int }) {
  override get message(): string {
    return `No screen is free: ${this.sessions} are in use, and there may be no more. Try again later`
  }
}

/** `https://shop.example.com`, `http://127.0.0.1:8080`, or `https://*.example.com` for every name below it. */
export const Origin = Schema.String.pipe(
  Schema.filter((text) => originOf(text) !== undefined, {
    message: ({ actual }) =>
      `"${
        String(actual)
      }" is no origin. Expected "https://example.com", "https://*.example.com" or one with ":port", no path`
  })
)

/** In pixels. */
export const Display = Schema.Struct({
  width: Schema.Int.pipe(Schema.between(320, 3840)),
  height: Schema.Int.pipe(Schema.between(240, 2160))
})
export type Display = typeof Display.Type

/** A request a page makes: for the page itself, or for what it consists of. */
export interface Visit {
  readonly method: string
  readonly url: URL
  /** The page that is to be shown, not a part of it. */
  readonly isPage: boolean
  /** Origin of the page that is shown; none at the beginning. */
  readonly from: string | undefined
}

/** Fails with what a page, and whoever uses it, is told of a request that is not to be made. */
export type Judge = (visit: Visit) => Effect.Effect<void, string>

export interface View {
  /** Of the page. */
  readonly url: string
  readonly png: Uint8Array
  /** What pages asked for and did not get since the last look, and why; one sentence each. */
  readonly missing: ReadonlyArray<string>
}

export interface Screen {
  readonly act: (action: Action) => Effect.Effect<void, ActionRefused | ConnectorError>
  /** What is to be seen when the page has come to rest, or has not for some seconds. */
  readonly look: Effect.Effect<View, ConnectorError>
}

/** No access code: points are on the display, and addresses of `navigate` are allowed. */
export class ComputerConnector extends Context.Tag("effect-sre/ComputerConnector")<ComputerConnector, {
  /** Screens at a time. */
  readonly sessions: number
  /** Of these, of one tenant. Default: half. */
  readonly sessionsPerTenant?: number | undefined
  /** Shares nothing with other screens. Every request of its pages is judged, then made by Outbound. */
  readonly open: (display: Display, judge: Judge) => Effect.Effect<Screen, ConnectorError, Outbound | Scope.Scope>
}>() {}

export interface Options {
  readonly display: Display
  /** {@link Origin}s; no page nor anything of it comes from elsewhere. */
  readonly origins: ReadonlyArray<string>
  /** Further rules, for requests to the allowed origins. */
  readonly judge?: Judge | undefined
}

export type ComputerError = NoScreenFree | ConnectorError | Candidate.NoCandidate

export class Computer extends Context.Tag("effect-sre/Computer")<Computer, {
  /** A screen of the asker's own, gone with the scope; what its pages ask for is asked as the asker. */
  readonly open: (options: Options) => Effect.Effect<Screen, ComputerError, Outbound | Scope.Scope>
}>() {
  /** The instance the configuration calls `id`. */
  static readonly named = (id: string) => Connector.named(this, id)
}

const make = Effect.gen(function*() {
  const connector = yield* ComputerConnector
  const guard = yield* Access.guard("Computer")
  const { current } = yield* Tenants.make
  const { sessions, sessionsPerTenant = half(sessions) } = connector
  const places = new Places({ total: sessions, each: [sessionsPerTenant] })
  const place = Effect.flatMap(current, (tenant) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const isTenants = places.full([tenant]) === 0
        return places.take([tenant])
          ? Effect.void
          : new NoScreenFree({ sessions: isTenants ? sessionsPerTenant : sessions })
      }),
      () => Effect.sync(() => places.leave([tenant]))
    ))

  return Computer.of({
    open: Effect.fnUntraced(function*({ display, judge = () => Effect.void, origins }) {
      yield* guard.candidate("open")
      yield* place
      const allowed = origins.flatMap((text) => originOf(text) ?? [])
      const screen = yield* connector.open(display, (visit) =>
        isAllowed(allowed, visit.url)
          ? judge(visit)
          : Effect.fail(`${shown(visit.url)} is not an allowed origin`))
      return {
        look: traced("Computer.look")(screen.look),
        act: (action: Action) => {
          const refusal = refusalOf(action, display, allowed)
          return refusal === undefined
            ? traced("Computer.act", { "computer.action": action.type })(screen.act(action))
            : Effect.fail(refusal)
        }
      }
    }, traced("Computer.open"))
  })
})

export const layer: Layer.Layer<Computer, never, ComputerConnector> = Layer.effect(Computer, make)

/* ------------------------------------------------------------------------------------------------------------------
 * Rules
 * ---------------------------------------------------------------------------------------------------------------- */

interface AllowedOrigin {
  readonly protocol: string
  readonly port: string
  readonly host: string
  readonly subdomains: boolean
}

const originOf = (text: string): AllowedOrigin | undefined => {
  const [, scheme, star, rest] = /^(https?):\/\/(\*\.)?([^/?#@\\*\s]+)\/?$/i.exec(text.trim()) ?? []
  const written = `${scheme}://${rest}`
  if (rest === undefined || !URL.canParse(written)) return undefined
  const { hostname, port, protocol } = new URL(written)
  return { protocol, port, host: hostname, subdomains: star !== undefined }
}

const isAllowed = (allowed: ReadonlyArray<AllowedOrigin>, { hostname, port, protocol }: URL): boolean =>
  allowed.some((one) =>
    one.protocol === protocol && one.port === port &&
    (one.subdomains ? hostname.endsWith(`.${one.host}`) : hostname === one.host)
  )

const refusalOf = (
  action: Action,
  { height, width }: Display,
  allowed: ReadonlyArray<AllowedOrigin>
): ActionRefused | undefined => {
  const refused = (reason: ActionRefused["reason"], detail: string) =>
    new ActionRefused({ action: action.type, reason, detail })
  const outside = pointsOf(action).find(({ x, y }) => x >= width || y >= height)
  if (outside !== undefined) {
    return refused("OffScreen", `${outside.x}, ${outside.y} is not on the screen of ${width} by ${height}`)
  }
  if (action.type !== "navigate") return undefined
  const url = URL.canParse(action.url) ? new URL(action.url) : undefined
  return url === undefined || !/^https?:$/.test(url.protocol)
    ? refused("Origin", "its URL is not one of http or https")
    : isAllowed(allowed, url)
    ? undefined
    : refused("Origin", `${shown(url)} is not an allowed origin`)
}

const pointsOf = (action: Action): ReadonlyArray<Point> =>
  action.type === "drag" ? action.path : "at" in action && action.at !== undefined ? [action.at] : []
