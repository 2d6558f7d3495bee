/**
 * WebPages by a real Chromium (playwright-core), for pages that are made by their scripts. The browser itself reaches nothing:
 * each of its requests is made by the asker's Outbound and answered to it, so the operator's policy holds for scripts, too.
 */
import { Config, Duration, Effect, Schema } from "effect"
import type { Page as BrowserPage, Route } from "playwright-core"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as Tenants from "../../security/Tenants.ts"
import { Outbound } from "../../subsystems/io/Outbound.ts"
import * as WebPages from "../../subsystems/io/WebPages.ts"
import * as Chromium from "../Chromium.ts"
import * as ReaderThreads from "../ReaderThreads.ts"
import * as PageText from "./PageText.ts"
import * as Robots from "./Robots.ts"

const BrowserSettings = Schema.Struct({
  ...Chromium.settings,
  /** By this name the robots.txt of a site may ask it to stay away. */
  userAgent: Schema.optionalWith(Schema.NonEmptyString, { default: () => "effect-sre" }),
  /** Pages open at a time; more wait. */
  pages: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 4 }),
  /** Of these, for one team, or one candidate that is in none. Default: half, at least one. */
  pagesPerTenant: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Of each thing a page loads. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 5 * 2 ** 20 }),
  /** For a page with all it loads, in milliseconds. Default: 1 minute. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.minutes(1) })
})

export const Browser = Connector.make({
  name: "Browser",
  aliases: ["Chromium"],
  contract: WebPages.WebPagesConnector,
  service: WebPages.layer,
  settings: BrowserSettings,
  make: Effect.fnUntraced(function*({ executable, maxBytes, pages, pagesPerTenant, sandbox, timeout, userAgent }) {
    const permitted = Robots.make(userAgent)
    const reading = yield* ReaderThreads.make
    const place = yield* Tenants.places(pages, pagesPerTenant)
    const browser = yield* Connector.lazily(
      "Browser",
      "playwright-core",
      Chromium.launch("Browser", { executable, sandbox })
    )

    const answer = (route: Route) =>
      Chromium.send(route.request(), { maxBytes }).pipe(
        Effect.flatMap((response) => Chromium.fulfill("Browser", route, response)),
        Effect.catchAll(() => Chromium.abort("Browser", route))
      )

    return WebPages.WebPagesConnector.of({
      secret: undefined,
      read: (request) =>
        Effect.gen(function*() {
          yield* permitted(request.url)
          // Judged before the browser is bothered with it, so that it is told why a page must not be read.
          const outbound = yield* Outbound
          const { status } = yield* outbound.request({ method: "HEAD", url: request.url })
          if (status === 404 || status === 410) {
            return yield* WebPages.unreadable(request.url, "Refused", `the server answered with status ${status}`)
          }
          const context = yield* Chromium.context("Browser", yield* browser, { userAgent }, answer)
          const page = yield* attempt(() => context.newPage())
          const response = yield* attempt(() => page.goto(request.url, { waitUntil: "load", timeout: 0 }))
          if (response !== null && !response.ok()) {
            const detail = `the server answered with status ${response.status()}`
            return yield* WebPages.unreadable(request.url, "Refused", detail)
          }
          if (request.autoScroll) yield* scrolled(page)
          const html = yield* attempt(() => page.content())
          return yield* PageText.read(reading, html, page.url(), request.format)
        }).pipe(
          Effect.scoped,
          Effect.timeoutFail({
            duration: timeout,
            onTimeout: () =>
              Chromium.failed("Browser", "read", "Timeout", `the page took longer than ${Duration.format(timeout)}`)
          }),
          (reading) => Effect.zipRight(place, reading),
          Effect.scoped
        )
    })
  })
})

/** `WebPages` by the program `CHROMIUM_PATH`. */
export const BrowserLive = Browser.layerConfig({
  executable: Config.withDefault(Config.string("CHROMIUM_PATH"), "/usr/bin/chromium"),
  sandbox: Config.withDefault(Config.boolean("CHROMIUM_SANDBOX"), true),
  userAgent: Config.withDefault(Config.string("WEB_USER_AGENT"), "effect-sre"),
  pages: Config.succeed(4),
  pagesPerTenant: Config.succeed(undefined),
  maxBytes: Config.succeed(5 * 2 ** 20),
  timeout: Config.succeed(Duration.minutes(1))
})

/** To the end, and on while the page grows, ten times at most. */
const scrolled = (page: BrowserPage) =>
  attempt(async () => {
    for (let n = 0, before = -1; n < 10; n++) {
      const height = Number(
        await page.evaluate("(scrollTo(0, document.body.scrollHeight), document.body.scrollHeight)")
      )
      if (height === before) return
      before = height
      await page.waitForTimeout(300)
    }
  })

const attempt = <A>(evaluate: () => Promise<A>) => Chromium.attempt("Browser", "read", evaluate)
