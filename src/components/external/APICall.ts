/** Calls an HTTP API. Where to it may connect is the operator's decision: see `Outbound`. */
import { Duration, Effect, Random, Schema } from "effect"
import * as TemplateString from "../../kernel/TemplateString.ts"
import * as Files from "../../subsystems/io/Files.ts"
import { Method } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Body from "./apicall/Body.ts"
import * as Exchange from "./apicall/Exchange.ts"
import * as Headers from "./apicall/Headers.ts"
import * as Reply from "./apicall/Reply.ts"
import * as Templated from "./apicall/Templated.ts"
import * as UrlTemplate from "./apicall/UrlTemplate.ts"

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
    /** One proxy a line, of which one is taken by chance: `http://me:pw@proxy.example:3128`, `socks5://…`. */
    proxy: Settings.template({ default: "" }),
    /** The OAuth connection whose token goes with the request, or which signs it. */
    oauth_con_id: Settings.text({ default: "None" }),
    /** Of old: anything but `None` means the connection `OAUTH_<id of the component>_TOKENS`. */
    oauthService: Settings.text({ default: "None" }),
    /** How often it is sent again after 429, or where that cannot do a thing twice after 5xx and lost connections, too. */
    retries: Settings.integer({ min: 0, max: 10, default: 0 }),
    /** Seconds until the answer begins, and from each piece of it to the next. */
    timeout: Settings.number({ min: 0.1, max: 600, default: 30 })
  }),
  outputs: Schema.Struct({ Response: Port.Any, Headers: Port.Record }),
  openInputs: true,
  openOutputs: true,
  run: Effect.fnUntraced(function*({ config, step }) {
    const filler = Templated.filler(step.data)
    const url = yield* withPublicFiles(yield* UrlTemplate.render(config.url, filler), config.timeout)
    const headers = yield* Headers.render(config.headers, filler)
    const body = config.body === undefined
      ? undefined
      : yield* Body.render(config.body, config.contentType, filler, step)
    if (body !== undefined && (body.fixed === true || headers["content-type"] === undefined)) {
      headers["content-type"] = body.mediaType
    }
    const call = {
      method: config.method,
      url,
      headers,
      body: body?.content,
      proxy: yield* chosenProxy(config.proxy, filler),
      timeout: Duration.seconds(config.timeout),
      maxBytes: Reply.maxBytes
    }
    const response = yield* Exchange.send(call, { connection: connectionOf(config, step), retries: config.retries })
    step.log("debug", `${config.method} ${new URL(url).host}: ${response.status}`)
    return yield* Reply.read(response)
  }, Effect.scoped)
})

const connectionOf = (
  { oauthService, oauth_con_id }: { readonly oauth_con_id: string; readonly oauthService: string },
  { component }: Component.Step
) => !isNone(oauth_con_id) ? oauth_con_id : !isNone(oauthService) ? `OAUTH_${component.id}_TOKENS` : undefined

const isNone = (text: string) => /^\s*(none)?\s*$/i.test(text)

const chosenProxy = Effect.fnUntraced(function*({ source }: TemplateString.Template, filler: Templated.Filler) {
  if (source.trim() === "") return undefined
  const rendered = yield* Effect.forEach(
    source.split("\n"),
    (line) => UrlTemplate.render(TemplateString.parse(line.trim()), filler)
  )
  const proxies = rendered.flatMap((text) => text.split(/\s+/)).filter((one) => one !== "")
  return proxies.length === 0 ? undefined : proxies[yield* Random.nextIntBetween(0, proxies.length)]
})

type Pair = [name: string, value: string]

/** A file of this system is no address for anybody else: each gets one that works for the time of the call. */
const withPublicFiles = Effect.fnUntraced(function*(url: string, seconds: number) {
  if (!url.includes("?") || !URL.canParse(url)) return url
  const target = new URL(url)
  const files = Array.from(target.searchParams).filter(([, value]) => value.startsWith("smythfs://"))
  if (files.length === 0) return url
  const query = yield* Effect.forEach(
    target.searchParams,
    ([name, value]) =>
      !value.startsWith("smythfs://") ? Effect.succeed<Pair>([name, value]) : Effect.mapBoth(
        Files.share(value, Duration.seconds(seconds + 60)),
        {
          onFailure: ({ message }) =>
            new Component.ComponentFailed({ message: `url: the parameter "${name}" is a stored file. ${message}` }),
          onSuccess: (address): Pair => [name, address]
        }
      )
  )
  target.search = new URLSearchParams(query).toString()
  return target.href
})
