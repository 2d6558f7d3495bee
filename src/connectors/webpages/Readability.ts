/** WebPages fetched here, the article found by Mozilla's Readability. The page's scripts do not run. */
import { Config, Duration, Effect, Schema } from "effect"
import { ByteSize } from "../../kernel/ByteSize.ts"
import * as Connector from "../../kernel/Connector.ts"
import * as MediaType from "../../subsystems/io/MediaType.ts"
import { Outbound } from "../../subsystems/io/Outbound.ts"
import * as WebPages from "../../subsystems/io/WebPages.ts"
import * as HtmlText from "../HtmlText.ts"
import * as ReaderThreads from "../ReaderThreads.ts"
import * as PageText from "./PageText.ts"
import * as Robots from "./Robots.ts"

const ReadabilitySettings = Schema.Struct({
  /** By this name the robots.txt of a site may ask it to stay away. */
  userAgent: Schema.optionalWith(Schema.NonEmptyString, { default: () => "effect-sre" }),
  /** Of a page. */
  maxBytes: Schema.optionalWith(ByteSize, { default: () => 5 * 2 ** 20 }),
  /** Of one request, in milliseconds; of that for the robots.txt 10 s at most. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(20) })
})

export const Readability = Connector.make({
  name: "Readability",
  contract: WebPages.WebPagesConnector,
  service: WebPages.layer,
  settings: ReadabilitySettings,
  make: Effect.fnUntraced(function*({ maxBytes, timeout, userAgent }) {
    const permitted = Robots.make(userAgent, Duration.min(timeout, "10 seconds"))
    const reading = yield* ReaderThreads.make
    return WebPages.WebPagesConnector.of({
      secret: undefined,
      read: Effect.fnUntraced(function*({ format, url }) {
        const outbound = yield* Outbound
        yield* permitted(url)
        const { body, headers, status, url: place } = yield* outbound.request({
          method: "GET",
          url,
          headers: { accept: "text/html,application/xhtml+xml,text/*;q=0.9", "user-agent": userAgent },
          timeout,
          maxBytes
        })
        if (new URL(place).origin !== new URL(url).origin) yield* permitted(place)
        if (status < 200 || status > 299) {
          return yield* WebPages.unreadable(place, "Refused", `the server answered with status ${status}`)
        }
        const header = String(headers["content-type"] ?? "")
        const type = MediaType.essence(header) || MediaType.detect("", body)
        const text = HtmlText.decoded(body, /charset\s*=\s*"?([\w-]+)/i.exec(header)?.[1])
        if (type === "text/html" || type === "application/xhtml+xml") {
          return yield* PageText.read(reading, text, place, format)
        }
        return type.startsWith("text/") || type === "application/json"
          ? { url: place, title: "", content: text }
          : yield* WebPages.unreadable(place, "Unsupported", `it is ${type}, not a page of text`)
      })
    })
  })
})

/** `WebPages` as `WEB_USER_AGENT`. */
export const ReadabilityLive = Readability.layerConfig({
  userAgent: Config.withDefault(Config.string("WEB_USER_AGENT"), "effect-sre"),
  maxBytes: Config.succeed(5 * 2 ** 20),
  timeout: Config.succeed(Duration.seconds(20))
})
