/** Runs an action that somebody exposed in Zapier: https://docs.zapier.com/ai-actions/api/execute-an-action */
import { Effect, Predicate, Redacted, Schema } from "effect"
import * as Json from "../../kernel/Json.ts"
import * as Secrets from "../../security/Secrets.ts"
import * as Files from "../../subsystems/io/Files.ts"
import { Outbound } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"

export const ZapierAction = Component.make("ZapierAction", {
  description: "Runs an exposed action of Zapier with the inputs, and gives what it answers.",
  category: "external",
  config: Schema.Struct({
    actionName: Settings.text({ max: 100 }),
    actionId: Settings.text({ max: 100 }),
    /** `{{KEY(zapier)}}` takes it from the vault. */
    apiKey: Settings.template({ max: 350 }),
    /** Where the actions are. */
    endpoint: Settings.text({ max: 500, default: "https://actions.zapier.com" })
  }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    const outbound = yield* Outbound
    if (Object.keys(inputs).length === 0) {
      return yield* new Component.ComponentFailed({ message: "there is no input to run the action with" })
    }
    const key = yield* Secrets.render(config.apiKey, step.data, { missing: "drop" })
    const fields = yield* Effect.forEach(
      Object.entries(inputs),
      ([name, value]) => Effect.map(withPublicFiles(value), (shown) => [name, shown] as const)
    )
    const { body, status } = yield* outbound.request({
      method: "POST",
      url: `${config.endpoint}/api/v1/exposed/${encodeURIComponent(config.actionId)}/execute/?api_key=${
        encodeURIComponent(Redacted.value(key))
      }`,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: Json.stringify(Object.fromEntries(fields)),
      timeout: "2 minutes"
    })
    const text = new TextDecoder().decode(body)
    const answer = Json.extract(text)
    return status >= 200 && status < 300 ? { Output: answer } : yield* new Component.ComponentFailed({
      message: `${config.actionName}: Zapier answered with status ${status}${
        text === "" ? "" : `: ${text.slice(0, 300)}`
      }`,
      outputs: { Output: answer }
    })
  })
})

/** Zapier fetches a file by its address, for which it has an hour. */
const withPublicFiles = (value: unknown): ReturnType<typeof publicUrl> =>
  typeof value === "string" && value.startsWith("smythfs://")
    ? publicUrl(value)
    : Predicate.isRecord(value) && typeof value["url"] === "string" && value["url"].startsWith("smythfs://")
    ? publicUrl(value["url"])
    : Effect.succeed(value)

const publicUrl = (uri: string) => Effect.map(Files.share(uri, "1 hour"), (url): unknown => url)
