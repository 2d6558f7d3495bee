/** One request to a JSON API by the asker's Outbound, its status told as the reason of a ConnectorError. */
import { Duration, Effect, ParseResult, Schema } from "effect"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import { Outbound, type OutboundRequest } from "../subsystems/io/Outbound.ts"

/** The decoded answer. What the API itself says of a failure goes on, cut short; the request never does. */
export const send = Effect.fnUntraced(function*<A, I>(
  { connector, method }: { readonly connector: string; readonly method: string },
  request: OutboundRequest,
  answer: Schema.Schema<A, I>
) {
  const outbound = yield* Outbound
  const { body, headers, status } = yield* outbound.request(request)
  const text = new TextDecoder().decode(body)
  const failed = (reason: ConnectorError["reason"], detail: string) => {
    const after = Number(headers["retry-after"] ?? NaN)
    return new ConnectorError({
      connector,
      method,
      reason,
      detail,
      ...(Number.isFinite(after) && after >= 0 ? { retryAfter: Duration.seconds(after) } : {})
    })
  }
  if (status < 200 || status > 299) {
    const [, reason] = reasons.find(([first]) => status >= first) ?? [0, "Protocol" as const]
    const said = ParseResult.decodeUnknownOption(Failure)(text)
    return yield* failed(
      exact[status] ?? reason,
      `status ${status}${said._tag === "None" ? "" : `: ${said.value.slice(0, 200)}`}`
    )
  }
  return yield* Effect.mapError(
    ParseResult.decodeUnknown(Schema.parseJson(answer))(text),
    () => failed("Protocol", "the answer is not what this API promises; is it the right address?")
  )
})

const reasons: ReadonlyArray<readonly [number, ConnectorError["reason"]]> = [[500, "Unavailable"], [
  400,
  "InvalidInput"
]]

const exact: Readonly<Record<number, ConnectorError["reason"]>> = {
  401: "Unauthorized",
  403: "Unauthorized",
  404: "NotFound",
  408: "Timeout",
  429: "RateLimited",
  504: "Timeout"
}

const Text = Schema.Struct({ message: Schema.String })

/** The forms in which the APIs in use say what went wrong. */
const Failure = Schema.parseJson(
  Schema.Union(
    Schema.Struct({ detail: Schema.Struct({ error: Schema.String }) }),
    Schema.Struct({ error: Schema.Struct({ detail: Schema.String }) }),
    Text
  )
).pipe(
  Schema.transform(Schema.String, {
    strict: true,
    decode: (one) => "message" in one ? one.message : "detail" in one ? one.detail.error : one.error.detail,
    encode: (message) => ({ message })
  })
)
