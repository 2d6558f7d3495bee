/** An app's subscription to what happens to its WhatsApp account: https://developers.facebook.com/docs/graph-api/reference/app/subscriptions */
import { Effect, Predicate, Redacted, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import { Outbound } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"

export interface App {
  readonly graphUrl: string
  readonly id: string
  readonly secret: Redacted.Redacted
  readonly verifyToken: Redacted.Redacted
}

const object = "whatsapp_business_account"

/** Meta asks the address whether it is right before it answers. A subscription that is there is replaced. */
export const subscribe = Effect.fnUntraced(function*(app: App, webhookUrl: string) {
  if (!URL.canParse(webhookUrl)) return yield* failed("webhookUrl is not an address")
  const address = new URL(webhookUrl)
  address.search = ""
  yield* call(app, "POST", {
    object,
    callback_url: address.href,
    fields: "messages,message_template_status_update",
    verify_token: Redacted.value(app.verifyToken)
  })
})

export const unsubscribe = (app: App) => call(app, "DELETE", { object })

const call = Effect.fnUntraced(
  function*(app: App, method: "POST" | "DELETE", fields: Readonly<Record<string, string>>) {
    const outbound = yield* Outbound
    const { body, status } = yield* outbound.request({
      method,
      url: `${app.graphUrl}/${encodeURIComponent(app.id)}/subscriptions`,
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      // The token of an app itself: https://developers.facebook.com/docs/facebook-login/guides/access-tokens#apptokens
      body: new URLSearchParams({ ...fields, access_token: `${app.id}|${Redacted.value(app.secret)}` }).toString(),
      maxBytes: 256 * 1024
    })
    if (status >= 400) {
      const answer = Json.extract(new TextDecoder().decode(body))
      return yield* failed(`Meta answered with status ${status}${messageIn(answer)}`)
    }
  }
)

const messageIn = (answer: unknown) =>
  Predicate.hasProperty(answer, "error") && Schema.is(Schema.Struct({ message: Schema.String }))(answer.error)
    ? `: ${answer.error.message.slice(0, 300)}`
    : ""

const failed = (message: string) => new Component.ComponentFailed({ message })
