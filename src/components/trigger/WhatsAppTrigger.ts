/** Starts a run with every message to a WhatsApp number: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks */
import { Effect, Either, Option, Predicate, Redacted, Schema } from "effect"
import * as JsonText from "../../kernel/JsonText.ts"
import * as TemplateString from "../../kernel/TemplateString.ts"
import * as Secrets from "../../security/Secrets.ts"
import * as Component from "../Component.ts"
import * as Entry from "../Entry.ts"
import * as Settings from "../Settings.ts"
import * as Signature from "./Signature.ts"
import * as Subscription from "./WhatsAppSubscription.ts"

const secret = Settings.optional(Schema.compose(Schema.String, TemplateString.FromString))

const Config = Schema.Struct({
  ...Entry.settings,
  /** What Meta proves itself with when it verifies the address; `{{KEY(name)}}` takes it from the vault. */
  verifyToken: secret,
  /** The same in older documents. */
  verify_token: secret,
  /** Of the app, which signs what it sends with it; `{{KEY(name)}}` takes it from the vault. */
  clientSecret: secret,
  /** The same in older documents. */
  appSecret: secret,
  /** Id of the app; with `webhookUrl` registering the trigger subscribes it to the app's messages. */
  clientId: secret,
  /** The same in older documents. */
  appId: secret,
  /** Where Meta reaches this trigger: `https://my.host/agents/<id>/trigger/<triggerEndpoint>`. Its query is left out. */
  webhookUrl: Settings.optional(Settings.text({ max: 2000 })),
  /** Whether what becomes of messages sent (`sent`, `delivered`, `read`, `failed`) starts runs, too. */
  statuses: Settings.boolean({ default: false }),
  /** The Graph API. */
  graphUrl: Settings.text({ max: 500, default: "https://graph.facebook.com/v19.0" })
})
type Config = typeof Config.Type

type Place = Entry.Place<Config>

export const WhatsAppTrigger = Component.make("WhatsAppTrigger", {
  description: "Starts a run with every message that comes in over the WhatsApp Business Cloud API.",
  category: "entry",
  config: Config,
  outputs: Schema.Struct(Entry.outputs),
  openOutputs: true,
  entry: {
    kind: "hook",
    receive: (request, place) => request.method === "GET" ? verified(request, place) : received(request, place),
    subscribe: (place) =>
      place.config.webhookUrl === undefined
        ? Effect.void
        : Effect.flatMap(appOf(place), (app) => Subscription.subscribe(app, place.config.webhookUrl!)),
    unsubscribe: (place) =>
      place.config.webhookUrl === undefined ? Effect.void : Effect.flatMap(appOf(place), Subscription.unsubscribe)
  },
  check: (config) => [
    ...(config.verifyToken ?? config.verify_token) === undefined
      ? [{ setting: "verifyToken", problem: "without it Meta cannot verify the address" }]
      : [],
    ...(config.clientSecret ?? config.appSecret) === undefined
      ? [{ setting: "clientSecret", problem: "without it no message can be told from a forged one, so none is taken" }]
      : []
  ],
  run: ({ step }) => ({ Payload: step.run.request.body })
})

const secretOf = Effect.fnUntraced(function*(
  { config, variables }: Place,
  name: "verifyToken" | "clientSecret" | "clientId",
  old: "verify_token" | "appSecret" | "appId"
) {
  const template = config[name] ?? config[old]
  const value = template === undefined ? Redacted.make("") : yield* Secrets.render(template, variables)
  return Redacted.value(value) === ""
    ? yield* new Component.ComponentFailed({ message: `the setting ${name} is missing` })
    : value
})

const appOf = Effect.fnUntraced(function*(place: Place) {
  return {
    graphUrl: place.config.graphUrl,
    id: Redacted.value(yield* secretOf(place, "clientId", "appId")),
    secret: yield* secretOf(place, "clientSecret", "appSecret"),
    verifyToken: yield* secretOf(place, "verifyToken", "verify_token")
  }
})

/** https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests */
const verified = Effect.fnUntraced(function*({ query }: Entry.HookRequest, place: Place) {
  const { "hub.challenge": challenge, "hub.mode": mode, "hub.verify_token": token } = query
  if (mode !== "subscribe" || typeof challenge !== "string" || typeof token !== "string") {
    return yield* new Entry.BadVerification({
      problem: "expected hub.mode=subscribe, hub.verify_token and hub.challenge"
    })
  }
  if (!Signature.isSameText(yield* secretOf(place, "verifyToken", "verify_token"), token)) {
    return yield* new Entry.BadVerification({ problem: "hub.verify_token is not the one of this trigger" })
  }
  return { deliveries: [], reply: { status: 200, contentType: "text/plain", body: challenge } }
})

const received = Effect.fnUntraced(function*({ body, headers }: Entry.HookRequest, place: Place) {
  const given = /^sha256=(.+)$/.exec(headers["x-hub-signature-256"] ?? "")?.[1]
  if (given === undefined) {
    return yield* new Entry.BadSignature({ problem: "the header X-Hub-Signature-256 is missing" })
  }
  const key = yield* secretOf(place, "clientSecret", "appSecret")
  if (Signature.verify(key, [body], [given], "hex") === undefined) {
    return yield* new Entry.BadSignature({ problem: "it is not the one of this body" })
  }
  const sent = yield* Either.mapLeft(
    JsonText.parse(new TextDecoder().decode(body)),
    (problem) => new Entry.BadPayload({ problem: `it is not JSON: ${problem}` })
  )
  return {
    deliveries: listOf(sent, "entry").flatMap((entry) => listOf(entry, "changes")).flatMap((change) => {
      const value = Predicate.hasProperty(change, "value") ? change.value : undefined
      return [...messagesIn(value), ...place.config.statuses ? statusesIn(value) : []]
    }),
    // Anything else is sent again for days.
    reply: { status: 200, contentType: "text/plain", body: "EVENT_RECEIVED" }
  }
})

const listOf = (value: unknown, name: string): ReadonlyArray<unknown> => {
  const list = Predicate.hasProperty(value, name) ? value[name] : undefined
  return Array.isArray(list) ? list : []
}

const text = Schema.optional(Schema.String)
const Metadata = Schema.Struct({ phone_number_id: text })
const Contact = Schema.Struct({ wa_id: text, profile: Schema.optional(Schema.Struct({ name: text })) })
const Reply = Schema.Struct({ id: text, title: text })
const Message = Schema.Struct({
  id: Schema.String,
  from: Schema.String,
  timestamp: text,
  type: text,
  text: Schema.optional(Schema.Struct({ body: text })),
  button: Schema.optional(Schema.Struct({ text })),
  interactive: Schema.optional(
    Schema.Struct({ list_reply: Schema.optional(Reply), button_reply: Schema.optional(Reply) })
  )
})
const Status = Schema.Struct({ id: Schema.String, status: Schema.String, recipient_id: text, timestamp: text })

const decodeMetadata = Schema.decodeUnknownOption(Metadata)
const decodeContact = Schema.decodeUnknownOption(Contact)
const decodeMessage = Schema.decodeUnknownOption(Message)
const decodeStatus = Schema.decodeUnknownOption(Status)

const numberOf = (value: unknown): string =>
  Option.getOrUndefined(
    Option.flatMap(
      Predicate.hasProperty(value, "metadata") ? Option.some(value.metadata) : Option.none(),
      decodeMetadata
    )
  )?.phone_number_id ?? ""

/** Media and the like stand under the name of their type, as they came: `message.image.id`. */
const messagesIn = (value: unknown): ReadonlyArray<Entry.Delivery> => {
  const contacts = listOf(value, "contacts").flatMap((one) => Option.toArray(decodeContact(one)))
  return listOf(value, "messages").flatMap((raw) =>
    Option.toArray(decodeMessage(raw)).map(({ button, from, id, interactive, text, timestamp, type = "" }) => ({
      ids: [id],
      payload: {
        message: {
          ...(raw as object),
          id,
          from,
          profileName: contacts.find(({ wa_id }) => wa_id === from)?.profile?.name ?? "",
          text: text?.body ?? button?.text ?? interactive?.list_reply?.title ?? interactive?.button_reply?.title ?? "",
          type,
          timestamp: isoOf(timestamp),
          phoneNumberId: numberOf(value)
        }
      }
    }))
  )
}

/** The same message is `sent`, then `delivered`, then `read`. */
const statusesIn = (value: unknown): ReadonlyArray<Entry.Delivery> =>
  listOf(value, "statuses").flatMap((raw) =>
    Option.toArray(decodeStatus(raw)).map(({ id, recipient_id = "", status, timestamp }) => ({
      ids: [`${id} ${status}`],
      payload: {
        status: {
          ...(raw as object),
          id,
          status,
          recipient: recipient_id,
          timestamp: isoOf(timestamp),
          phoneNumberId: numberOf(value)
        }
      }
    }))
  )

/** Seconds since 1970, as text. */
const isoOf = (timestamp: string | undefined): string | null =>
  timestamp !== undefined && /^\d{1,11}$/.test(timestamp) ? new Date(Number(timestamp) * 1000).toISOString() : null
