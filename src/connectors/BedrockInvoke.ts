/** Models of Amazon Bedrock that have words of their own: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html */
import { Duration, Effect, Redacted, Schema } from "effect"
import * as Connector from "../kernel/Connector.ts"
import { ConnectorError } from "../kernel/ConnectorError.ts"
import type { Endpoint } from "../subsystems/llm/ModelCalls.ts"
import { requestHandler } from "./llm/FetchHandler.ts"
import * as PooledFetch from "./llm/PooledFetch.ts"
import * as PolicedPool from "./PolicedPool.ts"
import { reasonOf } from "./VendorFetch.ts"

export const settings = {
  /**
   * The operator's own key: `<access key id>:<secret access key>`, with `:<session token>` where there is one, or an API key of
   * Bedrock. Keys in a vault have the same form. Serves the models whose credentials are `internal`.
   */
  apiKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** `eu-central-1` */
  region: Schema.optionalWith(Schema.NonEmptyString, { default: () => "us-east-1" }),
  /** Default: the region's own. */
  endpoint: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^https?:\/\/./, { message: () => "expected an http or https URL" }))
  )
} as const

/** Sends a body as JSON, and gives the text of the answer. */
export type Invoke = (modelId: string, body: object) => Effect.Effect<string, ConnectorError>

/** `method`: the contract's, for errors. Of one call, `timeout`. */
export const make = Effect.fnUntraced(function*({ endpoint, method, region, timeout }: {
  readonly method: string
  readonly region: string
  readonly endpoint: string | undefined
  readonly timeout: Duration.Duration
}) {
  const failure = (reason: ConnectorError["reason"], detail: string) =>
    new ConnectorError({ connector: "Bedrock", method, reason, detail })
  const loaded = yield* Connector.onFirstUse(
    "Bedrock",
    Effect.all({
      sdk: Connector.vendor(
        "Bedrock",
        "@aws-sdk/client-bedrock-runtime",
        () => import("@aws-sdk/client-bedrock-runtime")
      ),
      fetch: PooledFetch.make("Bedrock", { connect: timeout, firstByte: timeout, idle: timeout })
    })
  )

  /** A client holds one key and serves one request. */
  return Effect.fnUntraced(
    function*({ apiKey, baseURL = endpoint, policy }: Partial<Pick<Endpoint, "apiKey" | "baseURL" | "policy">>) {
      const { fetch, sdk } = yield* loaded
      const client = new sdk.BedrockRuntimeClient({
        region,
        maxAttempts: 1,
        requestHandler: requestHandler(fetch(policy)),
        ...(baseURL === undefined ? {} : { endpoint: baseURL }),
        ...identity(apiKey)
      })
      const invoke: Invoke = (modelId, body) =>
        Effect.tryPromise({
          try: (abortSignal) =>
            client.send(
              new sdk.InvokeModelCommand({
                modelId,
                body: JSON.stringify(body),
                contentType: "application/json",
                accept: "application/json"
              }),
              { abortSignal }
            ),
          catch: (cause) => {
            const { detail, reason } = problemOf(modelId, cause)
            return failure(reason, detail)
          }
        }).pipe(
          Effect.timeoutFail({
            duration: timeout,
            onTimeout: () => failure("Timeout", `no answer in ${Duration.format(timeout)}`)
          }),
          Effect.map(({ body }) => Buffer.from(body).toString())
        )
      return invoke
    }
  )
})

const identity = (key: Redacted.Redacted | undefined) => {
  const [accessKeyId = "", secretAccessKey, sessionToken] = key === undefined ? [] : Redacted.value(key).split(":")
  return secretAccessKey === undefined
    ? { token: { token: accessKeyId }, authSchemePreference: ["httpBearerAuth"] }
    : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }
}

/** What the network says has a code, what the service says a status. */
const problemOf = (
  modelId: string,
  cause: unknown
): { readonly reason: ConnectorError["reason"]; readonly detail: string } => {
  if (!(cause instanceof Error)) return { reason: "Unavailable", detail: "unknown error" }
  if (cause instanceof PolicedPool.Refusal) {
    return { reason: "InvalidInput", detail: `the server of the model must not be asked: ${cause.message}` }
  }
  const status = "$metadata" in cause
    ? (cause.$metadata as { readonly httpStatusCode?: number }).httpStatusCode
    : undefined
  const code = "code" in cause ? String(cause.code) : cause.name
  return status === undefined || status < 300
    ? {
      reason: /TIMEOUT|TIMEDOUT/.test(code) ? "Timeout" : "Unavailable",
      detail: `no connection, or it was lost: ${code}`
    }
    : {
      reason: reasonOf(status, cause.name),
      detail: `model "${modelId}": status ${status}, ${cause.name}: ${cause.message.slice(0, 300)}`
    }
}
