/** Calls an HTTP API. Where to it may connect is the operator's decision: see `Outbound`. */
import { Effect, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { Method, Outbound } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Body from "./apicall/Body.ts"
import * as Reply from "./apicall/Reply.ts"
import * as Templated from "./apicall/Templated.ts"
import * as UrlTemplate from "./apicall/UrlTemplate.ts"

/** A setting of documents that this build cannot honour: anything but empty or `None` is refused at load. */
const unsupported = (what: string) =>
  Schema.optional(
    Schema.Unknown.pipe(
      Schema.filter((value) => value === undefined || value === null || value === "" || value === "None", {
        message: () => `${what} is not supported yet; leave it empty`
      })
    )
  )

export const APICall = Component.make("APICall", {
  description: "Sends an HTTP request and gives the response, parsed by its media type.",
  category: "external",
  config: Schema.Struct({
    method: Settings.literal(Method.literals, { default: "GET" }),
    url: Settings.template({ max: 8192 }),
    /** An object, or its JSON text. */
    headers: Settings.optional(Templated.FromUnknown),
    contentType: Settings.literal(Body.contentTypes, { default: "none" }),
    /** Text or an object. */
    body: Settings.optional(Templated.FromUnknown),
    proxy: unsupported("a proxy"),
    oauth_con_id: unsupported("an OAuth connection"),
    oauthService: unsupported("an OAuth service")
  }),
  outputs: Schema.Struct({ Response: Port.Any, Headers: Port.Record }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const outbound = yield* Outbound
    const filler = Templated.filler(step.data)
    const url = yield* checkFiles(yield* UrlTemplate.render(config.url, filler))
    const headers = yield* renderHeaders(config.headers, filler)
    const body = config.body === undefined
      ? undefined
      : yield* Body.render(config.body, config.contentType, filler, step)
    if (body !== undefined && (body.fixed === true || headers["content-type"] === undefined)) {
      headers["content-type"] = body.mediaType
    }
    const response = yield* outbound.request({ method: config.method, url, headers, body: body?.content })
    step.log("debug", `${config.method} ${new URL(url).host}: ${response.status}, ${response.body.length} bytes`)
    return yield* Reply.read(response)
  })
})

/** Names in lower case; `null` leaves a header out. */
const renderHeaders = (headers: Templated.Templated | undefined, filler: Templated.Filler) =>
  headers === undefined ? Effect.succeed<Record<string, string>>({}) : Effect.flatMap(
    headers._tag === "Text"
      ? Effect.map(filler.text(headers.template, "json"), (text) => text.trim() === "" ? {} : Json.extract(text))
      : filler.whole(headers),
    (value) =>
      typeof value !== "object" || value === null || Array.isArray(value)
        ? Effect.fail(
          new Component.ComponentFailed({
            message: "headers: expected an object, or its JSON text, with one property for each header"
          })
        )
        : Effect.succeed(
          Object.fromEntries(
            Object.entries(value).flatMap(([name, one]) =>
              one === undefined || one === null ? [] : [[name.toLowerCase(), Json.toText(one)]]
            )
          )
        )
  )

/** A file of this system is no address for anybody else. */
const checkFiles = (url: string) => {
  const file = URL.canParse(url)
    ? Array.from(new URL(url).searchParams).find(([, value]) => value.startsWith("smythfs://"))
    : undefined
  return file === undefined ? Effect.succeed(url) : Effect.fail(
    new Component.ComponentFailed({
      message: `url: the parameter "${file[0]}" is a stored file, which has no public address yet; send it in the body`
    })
  )
}
