/** Starts a run with every request that is signed with a secret both sides know. */
import { Clock, Effect, Either, Redacted, Schema } from "effect"
import { parse as parseQuery } from "node:querystring"
import * as JsonText from "../../kernel/JsonText.ts"
import * as TemplateString from "../../kernel/TemplateString.ts"
import * as Secrets from "../../security/Secrets.ts"
import * as Component from "../Component.ts"
import * as Entry from "../Entry.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import * as Signature from "./Signature.ts"

/** A secret in a document is none: it has to be the name of one in the vault. The value is not told when it is refused. */
const Secret = Schema.String.pipe(
  Schema.filter((text) => TemplateString.secrets(TemplateString.parse(text)).length > 0, {
    message: () => "expected {{KEY(name)}}, with the name of a secret in the vault"
  }),
  Schema.compose(TemplateString.FromString)
)

/** `{body}`, `{timestamp}` and `{id}` stand for what was sent. */
const Signed = Schema.String.pipe(
  Schema.filter((text) => text.split("{body}").length === 2, {
    message: () => "expected text with {body} in it, once, and where they are signed {timestamp} and {id}"
  })
)

const Config = Schema.Struct({
  ...Entry.settings,
  /** `{{KEY(name)}}`: what requests are signed with, from the vault. */
  secret: Secret,
  /** Holds the signature; of several, separated by spaces, one has to be right. */
  signatureHeader: Settings.text({ max: 100, default: "X-Signature-256" }),
  /** Stands in front of the signature: `sha256=`, `v0=`. */
  signaturePrefix: Settings.text({ max: 20, default: "" }),
  /** Of the signature. */
  encoding: Settings.literal(Signature.encodings, { default: "hex" }),
  /** Holds the time of sending, in seconds since 1970. Without it an old request cannot be told from a new one. */
  timestampHeader: Settings.optional(Settings.text({ max: 100 })),
  /** Seconds that time may differ from now. */
  tolerance: Settings.integer({ min: 1, max: 86_400, default: 300 }),
  /** Holds the id of the event; one that comes again within a day starts nothing. */
  idHeader: Settings.optional(Settings.text({ max: 100 })),
  /** What is signed. Default: `{body}`, with a timestamp `{timestamp}.{body}`. */
  signed: Settings.optional(Signed),
  /** `accepted`: the sender is answered as soon as the run has begun. `answer`: with what the run answers. */
  respond: Settings.literal(["accepted", "answer"], { default: "accepted" })
})
type Config = typeof Config.Type

export const WebhookTrigger = Component.make("WebhookTrigger", {
  description: "Starts a run with what another system sends, when it is signed with HMAC-SHA256.",
  category: "entry",
  config: Config,
  outputs: Schema.Struct({
    /** The body: JSON and forms as values, all else as text. */
    Payload: Port.Any,
    /** Neither these nor the query are signed. */
    Headers: Port.Record,
    Query: Port.Record
  }),
  openOutputs: true,
  entry: {
    kind: "hook",
    receive: Effect.fnUntraced(function*(request, { config, variables }) {
      if (request.method !== "POST") {
        return yield* new Entry.BadPayload({ problem: `expected a POST request, got ${request.method}` })
      }
      const timestamp = headerOf(request, config.timestampHeader)
      const id = headerOf(request, config.idHeader)
      const given = headerOf(request, config.signatureHeader)
      if (given === undefined) return yield* refused(`the header ${config.signatureHeader} is missing`)
      if (config.idHeader !== undefined && id === undefined) {
        return yield* new Entry.BadPayload({ problem: `the header ${config.idHeader} is missing` })
      }
      if (config.timestampHeader !== undefined) {
        const apart = Math.abs((yield* Clock.currentTimeMillis) / 1000 - Number(timestamp ?? NaN))
        if (!(apart <= config.tolerance)) {
          return yield* refused(
            `the time in ${config.timestampHeader} is missing, or further from now than ${config.tolerance} s`
          )
        }
      }
      const secret = yield* Secrets.render(config.secret, variables)
      if (Redacted.value(secret) === "") return yield* new Component.ComponentFailed({ message: "secret: it is empty" })
      const parts = partsOf(config, { "{body}": request.body, "{timestamp}": timestamp ?? "", "{id}": id ?? "" })
      const signature = Signature.verify(secret, parts, signaturesIn(given, config.signaturePrefix), config.encoding)
      if (signature === undefined) return yield* refused("it is not the one of this request")
      return {
        deliveries: [{
          payload: yield* payloadOf(request),
          // With a time in it a signature is an event's own; without, equal events have equal ones.
          ids: [...(config.timestampHeader === undefined ? [] : [signature]), ...(id === undefined ? [] : [`id ${id}`])]
        }],
        waits: config.respond === "answer"
      }
    })
  },
  check: ({ idHeader, signed, timestampHeader }) => [
    ...(signed !== undefined && timestampHeader !== undefined && !signed.includes("{timestamp}")
      ? [{ setting: "signed", problem: "the timestamp is not signed, so anybody can make an old request a new one" }]
      : []),
    ...(signed !== undefined && idHeader === undefined && signed.includes("{id}")
      ? [{ setting: "idHeader", problem: "the id is signed, but no header is named that holds it" }]
      : [])
  ],
  run: ({ step: { run: { request } } }) => ({ Payload: request.body, Headers: request.headers, Query: request.query })
})

const refused = (problem: string) => new Entry.BadSignature({ problem })

const headerOf = ({ headers }: Entry.HookRequest, name: string | undefined) =>
  name === undefined ? undefined : headers[name.toLowerCase()] || undefined

const partsOf = (
  { signed, timestampHeader }: Config,
  sent: { readonly [token: string]: string | Uint8Array }
): ReadonlyArray<string | Uint8Array> =>
  (signed ?? (timestampHeader === undefined ? "{body}" : "{timestamp}.{body}"))
    .split(/(\{(?:body|timestamp|id)\})/).map((part) => Object.hasOwn(sent, part) ? sent[part]! : part)

const signaturesIn = (header: string, prefix: string) =>
  header.split(/\s+/).flatMap((one) => one.startsWith(prefix) ? [one.slice(prefix.length)] : [])

const payloadOf = ({ body, headers }: Entry.HookRequest): Effect.Effect<unknown, Entry.BadPayload> => {
  const type = (headers["content-type"] ?? "application/json").split(";", 1)[0]!.trim().toLowerCase()
  const text = new TextDecoder().decode(body)
  if (type === "application/x-www-form-urlencoded") return Effect.succeed({ ...parseQuery(text) })
  if (type !== "application/json" && !type.endsWith("+json")) return Effect.succeed(text)
  return text === ""
    ? Effect.succeed({})
    : Either.mapLeft(JsonText.parse(text), (problem) => new Entry.BadPayload({ problem: `it is not JSON: ${problem}` }))
}
