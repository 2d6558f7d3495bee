/** Computer by Chromium (playwright-core) without a window: each screen is a process of its own, gone with its session. */
import { Config, Effect, Schema } from "effect"
import type { BrowserContext, Page } from "playwright-core"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Computer from "../../subsystems/compute/Computer.ts"
import type { Action, Point } from "../../subsystems/compute/ComputerAction.ts"
import * as Chromium from "../Chromium.ts"
import * as PageRequests from "./PageRequests.ts"

const BrowserSettings = Schema.Struct({
  ...Chromium.settings,
  /** Screens at a time, each with some 200 MB; more are refused. */
  sessions: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 4 }),
  /** Of these, for one team, or one candidate that is in none. Default: half, at least one. */
  sessionsPerTenant: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** Of each thing a page loads. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 20 * 2 ** 20 })
})

export const BrowserComputer = Connector.make({
  name: "Browser",
  aliases: ["Chromium"],
  contract: Computer.ComputerConnector,
  service: Computer.layer,
  settings: BrowserSettings,
  make: ({ maxBytes, sessions, sessionsPerTenant, ...program }) =>
    Effect.succeed(Computer.ComputerConnector.of({
      sessions,
      sessionsPerTenant,
      open: Effect.fnUntraced(function*({ height, width }, judge) {
        const browser = yield* Effect.catchTag(
          Chromium.launch(name, program),
          "BootError",
          (error) => Effect.fail(Chromium.failed(name, "open", "Unsupported", error.problem, error))
        )
        let origin: string | undefined
        const requests = PageRequests.make({
          connector: name,
          maxBytes,
          judge,
          // Where a request failed, no page is shown any more.
          shownOrigin: () => origin = originIn(context) ?? origin
        })
        const context = yield* Chromium.context(name, browser, { viewport: { width, height } }, requests.answer)
        // A page may open others; the newest is the one that is looked at.
        context.on("page", (page) => void (context.pages().length > maxPages && page.close().catch(() => {})))
        yield* Chromium.attempt(name, "open", () => context.newPage())
        let pointer: Point = { x: 0, y: 0 }

        const act = (action: Action) => {
          const at = pointOf(action) ?? pointer
          pointer = at
          return Effect.flatMap(shownIn(context), (page) =>
            action.type === "navigate"
              ? navigate(page, action.url, requests)
              : action.type === "wait"
              ? Effect.sleep(action.millis)
              : perform(page, action, at))
        }

        return {
          act: (action) => Effect.raceFirst(act(action), late(requests.patience(60_000))),
          look: Effect.gen(function*() {
            yield* requests.rest
            const page = yield* shownIn(context)
            const png = yield* Chromium.attempt(name, "look", () => page.screenshot({ type: "png", timeout: 20_000 }))
            return { url: page.url(), png: new Uint8Array(png), missing: requests.takeMissing() }
          })
        }
      })
    }))
})

/** `Computer` by the program `CHROMIUM_PATH`, with `COMPUTER_SESSIONS` screens. */
export const BrowserComputerLive = BrowserComputer.layerConfig({
  executable: Config.withDefault(Config.string("CHROMIUM_PATH"), "/usr/bin/chromium"),
  sandbox: Config.withDefault(Config.boolean("CHROMIUM_SANDBOX"), true),
  sessions: Config.withDefault(Config.integer("COMPUTER_SESSIONS"), 4),
  sessionsPerTenant: Config.succeed(undefined),
  maxBytes: Config.succeed(20 * 2 ** 20)
})

const name = "Browser"
const maxPages = 8

/** A page that closed itself leaves an empty one. */
const shownIn = (context: BrowserContext): Effect.Effect<Page, ConnectorError> =>
  Effect.suspend(() => {
    const page = context.pages().at(-1)
    return page === undefined
      ? Chromium.attempt(name, "open", () => context.newPage())
      : Effect.succeed(page)
  })

const originIn = (context: BrowserContext): string | undefined => {
  const page = context.pages().findLast((page) => /^https?:/.test(page.url()))
  return page === undefined ? undefined : new URL(page.url()).origin
}

/** As long as nobody thinks about it, not for long. */
const navigate = (page: Page, url: string, requests: PageRequests.PageRequests) =>
  Chromium.attempt(name, "act", () => page.goto(url, { waitUntil: "commit", timeout: 0 }).catch(unlessLedOn)).pipe(
    Effect.raceFirst(late(requests.patience(45_000))),
    Effect.catchAll(() => {
      const detail = requests.takeMissing().at(-1) ?? "no page came of it"
      return Effect.fail(new Computer.ActionRefused({ action: "navigate", reason: "Unreachable", detail }))
    })
  )

/** A page that leads to another at once is gone before it is seen. */
const unlessLedOn = (cause: unknown) => {
  if (!(cause instanceof Error && cause.message.includes("interrupted by another navigation"))) throw cause
}

const late = (patience: Effect.Effect<void>) =>
  Effect.zipRight(patience, Effect.fail(Chromium.failed(name, "act", "Timeout", "the page did not answer in time")))

const pointOf = (action: Action): Point | undefined =>
  action.type === "drag" ? action.path.at(-1) : "at" in action ? action.at : undefined

type OnPage = Exclude<Action, { readonly type: "navigate" | "wait" }>

const perform = (page: Page, action: OnPage, at: Point): Effect.Effect<void, Computer.ActionRefused | ConnectorError> =>
  Effect.tryPromise({
    try: () => {
      const { mouse } = page
      switch (action.type) {
        case "screenshot":
          return Promise.resolve()
        case "click": {
          const { button, count, held } = action
          return button === "back" || button === "forward"
            ? gone(page, button)
            : holding(page, held, () => mouse.click(at.x, at.y, { button, clickCount: count }))
        }
        case "press":
        case "release":
          return mouse.move(at.x, at.y).then(() => action.type === "press" ? mouse.down() : mouse.up())
        case "move":
          return holding(page, action.held, () => mouse.move(at.x, at.y))
        case "drag":
          return holding(page, action.held, () => dragged(page, action.path))
        case "scroll":
          return holding(page, action.held, () => mouse.move(at.x, at.y).then(() => mouse.wheel(action.x, action.y)))
        case "type":
          return typed(page, action.text)
        case "key":
          return pressed(page, action)
      }
    },
    catch: (cause) =>
      cause instanceof Error && /Unknown key/.test(cause.message)
        ? new Computer.ActionRefused({ action: action.type, reason: "Key", detail: "there is no such key" })
        : Chromium.failed(name, "act", "Unavailable", "the browser cannot do it", cause)
  })

/** Whatever goes wrong meanwhile, no key stays down. */
const holding = async (page: Page, keys: ReadonlyArray<string>, act: () => Promise<unknown>) => {
  const down: Array<string> = []
  try {
    for (const key of keys) {
      await page.keyboard.down(key)
      down.unshift(key)
    }
    await act()
  } finally {
    for (const key of down) await page.keyboard.up(key)
  }
}

/** A tab leads on to the next field, as on a keyboard. */
const typed = async (page: Page, text: string) => {
  for (const [at, piece] of text.split("\t").entries()) {
    if (at > 0) await page.keyboard.press("Tab")
    await page.keyboard.type(piece)
  }
}

const pressed = async (page: Page, { keys, millis, times }: Extract<Action, { readonly type: "key" }>) => {
  for (let n = 0; n < times; n++) await holding(page, keys, () => page.waitForTimeout(millis))
}

const dragged = async (page: Page, path: ReadonlyArray<Point>) => {
  const [from = { x: 0, y: 0 }, ...others] = path
  await page.mouse.move(from.x, from.y)
  await page.mouse.down()
  try {
    for (const { x, y } of others) await page.mouse.move(x, y, { steps: 4 })
  } finally {
    await page.mouse.up()
  }
}

/** Where there is no page to go to, the shown one stays. */
const gone = async (page: Page, to: "back" | "forward") => {
  await (to === "back"
    ? page.goBack({ waitUntil: "commit", timeout: 0 })
    : page.goForward({ waitUntil: "commit", timeout: 0 }))
}
