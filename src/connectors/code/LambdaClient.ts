/** AWS Lambda as code uses it: the client, and its errors in our words. */
import type { Lambda } from "@aws-sdk/client-lambda"
import { Duration, Effect, Redacted, Schema, type Scope } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import type { VendorAccount } from "../../subsystems/compute/Code.ts"
import { BaseUrl } from "../JsonHttp.ts"

export const settings = {
  /** `eu-central-1` */
  region: Schema.NonEmptyString,
  /** With its secret. Default: the credentials of the machine, as the AWS SDK finds them. */
  accessKeyId: Schema.optional(Schema.NonEmptyString),
  /** Goes with `accessKeyId`. */
  secretAccessKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Default: the region's own. */
  endpoint: Schema.optional(BaseUrl),
  /** For one call, except for the run of a function, in milliseconds. Default 30 s. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) })
}
type Settings = Schema.Struct.Type<typeof settings>

/** One request of the SDK. `method` is the contract's, for the error. */
export type Client = <A>(
  method: string,
  request: (sdk: Lambda, options: { readonly abortSignal: AbortSignal }) => Promise<A>,
  timeout?: Duration.Duration
) => Effect.Effect<A, ConnectorError>

/** Makes clients: with the settings' credentials, or with those of an account of a caller's own. */
export const open = (settings: Settings): Effect.Effect<
  (account: VendorAccount | undefined) => Effect.Effect<Client, never, Scope.Scope>,
  BootError
> =>
  Effect.map(
    Connector.vendor("AWSLambda", "@aws-sdk/client-lambda", () => import("@aws-sdk/client-lambda")),
    ({ Lambda }) => (account) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() =>
            new Lambda({
              region: account?.region ?? settings.region,
              // The service above retries what may be sent twice.
              maxAttempts: 1,
              ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
              ...credentialsOf(settings, account)
            })
          ),
          (sdk) => Effect.sync(() => sdk.destroy())
        ),
        (sdk): Client => (method, request, timeout = settings.timeout) =>
          Effect.tryPromise({
            try: (abortSignal) => request(sdk, { abortSignal }),
            catch: (cause) => toError(method, cause, account !== undefined)
          }).pipe(
            Effect.catchAll(({ error, said }) =>
              account !== undefined || expected.has(error.reason)
                ? error
                : Effect.zipRight(Effect.logWarning(`AWSLambda.${method}: ${said}`), error)
            ),
            Effect.timeoutFail({
              duration: timeout,
              onTimeout: () => failure(method, "Timeout", `no answer of AWS in ${Duration.format(timeout)}`)
            })
          )
      )
  )

const credentialsOf = ({ accessKeyId, secretAccessKey }: Settings, account: VendorAccount | undefined) => {
  const key = account === undefined ? accessKeyId : Redacted.value(account.accessKeyId)
  const secret = account?.secretAccessKey ?? secretAccessKey
  return key === undefined || secret === undefined
    ? {}
    : { credentials: { accessKeyId: key, secretAccessKey: Redacted.value(secret) } }
}

export const failure = (method: string, reason: Reason, detail: string) =>
  new ConnectorError({ connector: "AWSLambda", method, reason, detail })

/**
 * https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html; what AWS says names roles and accounts, so it is for whoever's
 * account it is.
 */
const toError = (method: string, cause: unknown, isOwn: boolean) => {
  const error = cause instanceof Error ? cause : new Error("unknown error")
  const status = "$metadata" in error
    ? (error.$metadata as { readonly httpStatusCode?: number }).httpStatusCode ?? 0
    : 0
  // The SDK calls a connection that was reset a timeout, too.
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name
  // It takes an answer that broke off for a whole one, and quotes in its message what it could not read.
  const unread = /^SyntaxError$|^HPE_/.test(code)
  const reason = unread ? "Unavailable" : reasons.find(([pattern]) => pattern.test(code))?.[1] ??
    (status === 429 ? "RateLimited" : status >= 500 || status < 400 ? "Unavailable" : "InvalidInput")
  const said = unread ? "the answer broke off, or is not one of AWS" : `${code}: ${error.message.slice(0, 200)}`
  return { said, error: failure(method, reason, isOwn ? said : code) }
}

/** Of functions that are made at their first call, by any process. */
const expected: ReadonlySet<Reason> = new Set(["NotFound", "Conflict"])

const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/TooManyRequests|Throttl/, "RateLimited"],
  [
    /AccessDenied|UnrecognizedClient|Signature|ExpiredToken|InvalidClientTokenId|MissingAuthentication|^Credentials/,
    "Unauthorized"
  ],
  [/^ResourceNotFoundException$/, "NotFound"],
  [/^ResourceConflictException$/, "Conflict"],
  [/CodeStorageExceeded|RequestTooLarge/, "Full"],
  [/^TimeoutError$|ETIMEDOUT|RequestTimeout/, "Timeout"]
]
