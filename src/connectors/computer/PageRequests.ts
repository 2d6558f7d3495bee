/** The requests of the pages of one screen: judged, made by Outbound, and followed where they lead. */
import { Effect, Option } from "effect"
import type { Request, Route } from "playwright-core"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import type { Judge } from "../../subsystems/compute/Computer.ts"
import { Outbound, type OutboundResponse, shown } from "../../subsystems/io/Outbound.ts"
import * as Chromium from "../Chromium.ts"

export interface PageRequests {
  readonly answer: (route: Route) => Effect.Effect<void, never, Outbound>
  /** Done when nothing was asked for a moment, or after some seconds. */
  readonly rest: Effect.Effect<void>
  /** Done after so much time in which nobody thought about whether a request may be made. */
  readonly patience: (millis: number) => Effect.Effect<void>
  /** Why requests had no answer, once each. */
  readonly takeMissing: () => ReadonlyArray<string>
}

interface Options {
  readonly connector: string
  readonly maxBytes: number
  readonly judge: Judge
  /** Origin of the page that is shown, if there is one. */
  readonly shownOrigin: () => string | undefined
}

export const make = ({ connector, judge, maxBytes, shownOrigin }: Options): PageRequests => {
  const missing = new Set<string>()
  let pending = 0
  let judging = 0
  let hops = 0
  /** Pages that were told to go on, and have not asked yet. */
  let led = 0

  const patience = (millis: number) =>
    Effect.gen(function*() {
      for (let waited = 0; waited < millis; waited += judging === 0 ? pause : 0) yield* Effect.sleep(pause)
    })

  const judged = (request: Request, url: URL, method: string) =>
    Effect.suspend(() => {
      judging += 1
      return judge({ method, url, isPage: isPage(request), from: shownOrigin() })
    }).pipe(Effect.ensuring(Effect.sync(() => void (judging -= 1))))

  /** A part of a page that is elsewhere. */
  const follow = (request: Request, url: URL, left: number): Effect.Effect<OutboundResponse, string, Outbound> =>
    Effect.gen(function*() {
      yield* judged(request, url, "GET")
      const outbound = yield* Outbound
      const { accept = "*/*", "user-agent": agent = "" } = request.headers()
      const response = yield* outbound.request({
        method: "GET",
        url: url.href,
        headers: { accept, "user-agent": agent },
        maxBytes,
        maxRedirects: 0
      }).pipe(Effect.mapError(({ message }) => message))
      const target = yield* targetOf("GET", response)
      return Option.isNone(target)
        ? response
        : left === 0
        ? yield* Effect.fail(withoutEnd(url))
        : yield* follow(request, target.value, left - 1)
    })

  const fetched = Effect.fnUntraced(function*(request: Request) {
    if (request.isNavigationRequest()) led = Math.max(0, led - 1)
    yield* judged(request, new URL(request.url()), request.method())
    const response = yield* Effect.mapError(
      Chromium.send(request, { maxBytes, maxRedirects: 0 }),
      ({ message }) => message
    )
    const target = yield* targetOf(request.method(), response)
    if (!request.isNavigationRequest()) {
      return Option.isNone(target) ? response : yield* follow(request, target.value, maxHops)
    }
    hops = Option.isNone(target) ? 0 : hops + 1
    if (Option.isNone(target)) return response
    if (hops > maxHops) return yield* Effect.fail(withoutEnd(new URL(request.url())))
    led += 1
    return leadingTo(target.value, response)
  })

  return {
    answer: (route) =>
      Effect.suspend(() => {
        pending += 1
        return fetched(route.request())
      }).pipe(
        Effect.flatMap((response) => Chromium.fulfill(connector, route, response)),
        Effect.catchAll((problem: string | ConnectorError) =>
          Effect.suspend(() => {
            if (typeof problem === "string" && missing.size < 20) missing.add(problem)
            return Chromium.abort(connector, route)
          })
        ),
        Effect.ensuring(Effect.sync(() => void (pending -= 1)))
      ),
    patience,
    rest: Effect.raceFirst(
      patience(5000),
      Effect.gen(function*() {
        for (let quiet = 0; quiet < 300; quiet = pending + led === 0 ? quiet + pause : 0) yield* Effect.sleep(pause)
      })
    ),
    takeMissing: () => {
      const all = Array.from(missing)
      missing.clear()
      return all
    }
  }
}

/** In milliseconds. */
const pause = 50

/** As many as browsers follow. */
const maxHops = 20

const withoutEnd = (url: URL) => `${shown(url)} redirects without end`

/** A page that another opens has no frame yet. */
const isPage = (request: Request) => {
  if (!request.isNavigationRequest()) return false
  try {
    return request.frame().parentFrame() === null
  } catch {
    return true
  }
}

/** Where a redirect leads. What was sent is not sent again: a page could have it sent anywhere. */
const targetOf = (
  method: string,
  { headers: { location }, status, url }: OutboundResponse
): Effect.Effect<Option.Option<URL>, string> => {
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== "string") return Effect.succeedNone
  const target = URL.canParse(location, url) ? new URL(location, url) : undefined
  return target === undefined || !/^https?:$/.test(target.protocol)
    ? Effect.fail(`${shown(new URL(url))} redirects to something that is no page`)
    : status >= 307 && method !== "GET" && method !== "HEAD"
    ? Effect.fail(`${shown(new URL(url))} wants what was sent to be sent again to ${shown(target)}`)
    : Effect.succeedSome(target)
}

/**
 * A redirect of a page: playwright does not show the request that follows one, so the browser is made to ask by itself, and is
 * judged, and knows where it is. Cookies are kept.
 */
const leadingTo = (url: URL, { headers }: OutboundResponse): Pick<OutboundResponse, "body" | "headers" | "status"> => ({
  status: 200,
  headers: {
    ...(headers["set-cookie"] === undefined ? {} : { "set-cookie": headers["set-cookie"] }),
    "content-type": "text/html",
    "cache-control": "no-store",
    refresh: `0; url=${url.href}`
  },
  body: new Uint8Array()
})
