/** AWS Secrets Manager as both vaults use it: the client, names of secrets, and its errors in our words. */
import type { SecretsManager } from "@aws-sdk/client-secrets-manager"
import { Config, Duration, Effect, Option, Redacted, Schema, type Scope } from "effect"
import type { BootError } from "../../kernel/BootError.ts"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError, type Reason } from "../../kernel/ConnectorError.ts"
import { BaseUrl } from "../JsonHttp.ts"

export const settings = {
  /** `eu-central-1` */
  region: Schema.NonEmptyString,
  /** With its secret. Default: the credentials of the machine, as the AWS SDK finds them. */
  awsAccessKeyId: Schema.optional(Schema.NonEmptyString),
  /** Goes with `awsAccessKeyId`. */
  awsSecretAccessKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Of temporary credentials. */
  awsSessionToken: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** Default: the region's own. */
  endpoint: Schema.optional(BaseUrl),
  /** For one call, in milliseconds where a configuration writes it. Default 10 s. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) })
}
type Settings = Schema.Struct.Type<typeof settings>

/** The settings by the names the AWS tools know. */
export const config = {
  region: Config.nonEmptyString("AWS_REGION"),
  awsAccessKeyId: Config.withDefault(Config.nonEmptyString("AWS_ACCESS_KEY_ID"), undefined),
  awsSecretAccessKey: Config.withDefault(Config.redacted("AWS_SECRET_ACCESS_KEY"), undefined),
  awsSessionToken: Config.withDefault(Config.redacted("AWS_SESSION_TOKEN"), undefined),
  endpoint: Config.withDefault(Schema.Config("AWS_ENDPOINT_URL_SECRETS_MANAGER", BaseUrl), undefined),
  timeout: Config.succeed(Duration.seconds(10))
}

/** Key and secret go together. */
export const complete = ({ awsAccessKeyId, awsSecretAccessKey }: Settings) =>
  (awsAccessKeyId === undefined) === (awsSecretAccessKey === undefined) ||
  `"awsAccessKeyId" and "awsSecretAccessKey" go together`

/** One request of the SDK. `method` is the contract's, for the error; the error's `cause` is the name AWS gives it. */
export type Client = <A>(
  method: string,
  request: (sdk: SecretsManager, options: { readonly abortSignal: AbortSignal }) => Promise<A>
) => Effect.Effect<A, ConnectorError>

/** Fails where nobody answers, or where the credentials are not known; what they may do shows when they do it. */
export const open = Effect.fnUntraced(function*(
  connector: string,
  { awsAccessKeyId, awsSecretAccessKey, awsSessionToken, endpoint, region, timeout }: Settings
): Effect.fn.Return<Client, BootError | ConnectorError, Scope.Scope> {
  const aws = yield* Connector.vendor(
    connector,
    "@aws-sdk/client-secrets-manager",
    () => import("@aws-sdk/client-secrets-manager")
  )
  const sdk = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new aws.SecretsManager({
        region,
        // The services above retry, and know what may be sent twice.
        maxAttempts: 1,
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(awsAccessKeyId === undefined || awsSecretAccessKey === undefined ? {} : {
          credentials: {
            accessKeyId: awsAccessKeyId,
            secretAccessKey: Redacted.value(awsSecretAccessKey),
            ...(awsSessionToken === undefined ? {} : { sessionToken: Redacted.value(awsSessionToken) })
          }
        })
      })
    ),
    (sdk) => Effect.sync(() => sdk.destroy())
  )
  const client: Client = (method, request) =>
    Effect.tryPromise({
      try: (abortSignal) => request(sdk, { abortSignal }),
      catch: (cause) => toError(connector, method, cause)
    }).pipe(Effect.timeoutFail({
      duration: timeout,
      onTimeout: () =>
        new ConnectorError({
          connector,
          method,
          reason: "Timeout",
          detail: `no answer of AWS in ${Duration.format(timeout)}`
        })
    }))
  yield* client("open", (sdk, options) => sdk.describeSecret({ SecretId: "=" }, options)).pipe(
    Effect.catchIf(isNamed("ResourceNotFoundException", "AccessDeniedException"), () => Effect.void)
  )
  return client
})

export const isNamed = (...names: ReadonlyArray<string>) => ({ cause }: ConnectorError): boolean =>
  typeof cause === "string" && names.includes(cause)

/** A secret that was deleted can be restored for some days; until then it can be neither read nor written. */
export const isDeleted = (error: ConnectorError): boolean =>
  isNamed("InvalidRequestException")(error) && /deleted|deletion/.test(error.detail ?? "")

/** What there is to read, if anything. */
export const found = <A>(self: Effect.Effect<A, ConnectorError>): Effect.Effect<Option.Option<A>, ConnectorError> =>
  Effect.asSome(self).pipe(
    Effect.catchIf(
      (error) => isNamed("ResourceNotFoundException")(error) || isDeleted(error),
      () => Effect.succeedNone
    )
  )

/** For a week it can be restored. */
export const remove = (client: Client, SecretId: string): Effect.Effect<void, ConnectorError> =>
  Effect.asVoid(found(
    client("remove", (sdk, options) => sdk.deleteSecret({ SecretId, RecoveryWindowInDays: 7 }, options))
  ))

/* ------------------------------------------------------------------------------------------------------------------
 * Names and values
 * ---------------------------------------------------------------------------------------------------------------- */

/** `<prefix>/<team>/<name>`; what is a user's or an agent's is in `=user/<id>` or `=agent/<id>`, which no team is called. */
export const idOf = (prefix: string, owner: string, name: string): string => `${folderOf(prefix, owner)}${encode(name)}`

export const folderOf = (prefix: string, owner: string): string => {
  const cut = owner.indexOf(":")
  const role = owner.slice(0, Math.max(cut, 0))
  const id = encode(owner.slice(cut + 1))
  return `${prefix}/${role === "team" ? id : `=${role}/${id}`}/`
}

/** The name of what is in the folder; none for what {@link idOf} does not give. */
export const nameOf = (folder: string, id: string): Option.Option<string> =>
  Option.filter(
    Option.liftThrowable(() =>
      decodeURIComponent(id.slice(folder.length).replaceAll("%", "%25").replaceAll(/=([0-9A-F]{2})/g, "%$1"))
    )(),
    (name) => id === `${folder}${encode(name)}`
  )

/** A secret's id has letters, digits and `/_+=.@-`: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html */
const encode = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => {
    const letter = String.fromCharCode(byte)
    return /[A-Za-z0-9/_+.@-]/.test(letter) ? letter : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }).join("")

/** `{"name": "value"}`, as the console writes it: AWS keeps no empty text. */
export const written = (name: string, value: Redacted.Redacted): string =>
  JSON.stringify({ [name]: Redacted.value(value) })

/** The field called like the secret, else the text as it is. */
export const valueOf = (name: string, text: string): Redacted.Redacted => {
  const json = Option.getOrUndefined(Option.liftThrowable((): unknown => JSON.parse(text))())
  const field = typeof json === "object" && json !== null && Object.hasOwn(json, name)
    ? (json as Record<string, unknown>)[name]
    : undefined
  return Redacted.make(typeof field === "string" ? field : text)
}

/* ------------------------------------------------------------------------------------------------------------------
 * Errors: https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
 * ---------------------------------------------------------------------------------------------------------------- */

const toError = (connector: string, method: string, cause: unknown): ConnectorError => {
  const error = cause instanceof Error ? cause : new Error("unknown error")
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name
  const status = "$metadata" in error
    ? (error.$metadata as { readonly httpStatusCode?: number }).httpStatusCode ?? 0
    : 0
  // The SDK takes an answer that broke off for a whole one, and quotes in its message what it could not read.
  const unread = /^SyntaxError$|^HPE_/.test(code)
  const reason = unread ? "Unavailable" : reasons.find(([pattern]) => pattern.test(code))?.[1] ??
    (status === 429 ? "RateLimited" : status >= 500 || status < 400 ? "Unavailable" : "InvalidInput")
  return new ConnectorError({
    connector,
    method,
    reason,
    detail: unread ? "the answer broke off, or is not one of AWS" : `${code}: ${error.message.slice(0, 200)}`,
    cause: code
  })
}

const reasons: ReadonlyArray<readonly [RegExp, Reason]> = [
  [/Throttl|TooManyRequests|RequestLimitExceeded/, "RateLimited"],
  [
    /AccessDenied|UnrecognizedClient|Signature|ExpiredToken|InvalidClientTokenId|MissingAuthentication|^Credentials/,
    "Unauthorized"
  ],
  [/DecryptionFailure|EncryptionFailure|OptInRequired|NotAuthorized/, "Unauthorized"],
  [/^ResourceNotFoundException$/, "NotFound"],
  [/LimitExceeded/, "Full"],
  [/^TimeoutError$|ETIMEDOUT|RequestTimeout/, "Timeout"]
]
