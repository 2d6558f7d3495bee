import { Effect, Schema } from "effect"
import { Method, Outbound } from "../../subsystems/io/Outbound.ts"
import * as Component from "../Component.ts"
import * as Port from "../Port.ts"
import * as Settings from "../Settings.ts"
import { advise, runCode } from "./RunCode.ts"

export const ECMASandbox = Component.make("ECMASandbox", {
  description:
    "Runs JavaScript apart from everything else. The code defines async function main(…); its parameters name inputs.",
  category: "data",
  aliases: ["Code"],
  config: Schema.Struct({ code: Settings.text({ max: 500_000 }) }),
  outputs: Schema.Struct({ Output: Port.Any }),
  openInputs: true,
  openOutputs: true,
  check: ({ code }) => advise("code", code),
  run: Effect.fnUntraced(function*({ config, inputs, step }) {
    if (!/\bfetch\b/.test(config.code)) return yield* runCode(step, { code: config.code, inputs })
    const { request } = yield* Outbound
    const functions = { [send]: (url: unknown, options: unknown) => fetched(request, url, options) }
    return yield* runCode(step, { code: `${config.code}\n${fetchInside}`, inputs, functions })
  })
})

/* ------------------------------------------------------------------------------------------------------------------
 * `fetch`, as far as text goes, under the rules of the network
 * ---------------------------------------------------------------------------------------------------------------- */

const send = "sendRequest"

/** Behind the code, so that its lines keep their numbers; a `fetch` of its own wins. */
const fetchInside = `;globalThis.fetch ??= async (url, options = {}) => {
  const { body, headers, status } = await ${send}(String(url), {
    method: String(options.method ?? "GET").toUpperCase(),
    headers: Object.fromEntries(Object.entries(options.headers ?? {})),
    body: options.body === undefined ? undefined : String(options.body)
  })
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: { get: (name) => headers[String(name).toLowerCase()] ?? null },
    text: async () => body,
    json: async () => JSON.parse(body)
  }
}`

const Sent = Schema.Struct({
  method: Method,
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  body: Schema.optional(Schema.String)
})

const fetched = (request: Outbound["Type"]["request"], url: unknown, options: unknown) =>
  Effect.gen(function*() {
    const { body, headers, method } = yield* Schema.decodeUnknown(Sent)(options)
    const response = yield* request({
      method,
      url: String(url),
      headers,
      body
    })
    return { status: response.status, headers: response.headers, body: new TextDecoder().decode(response.body) }
  })
