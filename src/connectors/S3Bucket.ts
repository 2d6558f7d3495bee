/**
 * A bucket of Amazon S3, or of what speaks like it, for all connectors on one. A version is an ETag, so what is stored must
 * have bytes that no other write has: S3 compares nothing else, https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
import type { S3, S3ClientConfig } from "@aws-sdk/client-s3"
import { Config, Duration, Effect, Option, RcMap, Redacted, Schema, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { BootError } from "../kernel/BootError.ts"
import * as Connector from "../kernel/Connector.ts"
import { conflict, ConnectorError, isConflict, type Reason } from "../kernel/ConnectorError.ts"
import * as Deadlines from "../kernel/Deadlines.ts"
import * as S3Key from "./S3Key.ts"

export const settings = {
  /** One that exists. */
  bucket: Schema.NonEmptyString,
  /** Default: as the AWS tools find it; `us-east-1` where there is an `endpoint`. */
  region: Schema.optional(Schema.NonEmptyString),
  /** Of a server that is not Amazon's: `http://127.0.0.1:9000`. */
  endpoint: Schema.optional(Schema.NonEmptyString),
  /** Both or none. Default: what the AWS tools find (environment, files, role of the machine). */
  accessKeyId: Schema.optional(Schema.NonEmptyString),
  /** Goes with `accessKeyId`. */
  secretAccessKey: Schema.optional(Schema.Redacted(Schema.NonEmptyString)),
  /** The bucket in the path of URLs instead of their host. Default: where there is an `endpoint`. */
  forcePathStyle: Schema.optional(Schema.Boolean),
  /** In milliseconds. For one request, and for every pause in an answer. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) }),
  /**
   * Whether the server honours `If-Match` and `If-None-Match` of writes. Default: tried out at the start. Without, a write is
   * checked by this process alone, so that only one process may write to the bucket below the prefix.
   */
  conditionalWrites: Schema.optional(Schema.Boolean)
}
export type Settings = Schema.Struct.Type<typeof settings> & { readonly prefix: string }

const optional = <A>(config: Config.Config<A>) => Config.withDefault(config, undefined)

/** The settings by the names of variables. */
export const config = {
  bucket: Config.nonEmptyString("S3_BUCKET"),
  region: optional(Config.nonEmptyString("AWS_REGION")),
  endpoint: optional(Config.nonEmptyString("S3_ENDPOINT")),
  accessKeyId: optional(Config.nonEmptyString("AWS_ACCESS_KEY_ID")),
  secretAccessKey: optional(Config.redacted(Config.nonEmptyString("AWS_SECRET_ACCESS_KEY"))),
  forcePathStyle: optional(Config.boolean("S3_FORCE_PATH_STYLE")),
  timeout: Config.withDefault(Config.duration("S3_TIMEOUT"), Duration.seconds(30)),
  conditionalWrites: optional(Config.boolean("S3_CONDITIONAL_WRITES"))
}

/** Of an object, as requests want it. */
export interface Place {
  readonly Bucket: string
  readonly Key: string
}

/** What a write demands of the object it replaces; empty where the server cannot be asked. */
export type Conditions = { readonly IfMatch?: string; readonly IfNoneMatch?: string }

export interface S3Bucket {
  readonly timeout: Duration.Duration
  /** Where `key` is stored. Fails with `InvalidInput` when that is longer than S3 allows. */
  readonly place: (method: string, key: string) => Effect.Effect<Place, ConnectorError>
  /** The key that an object of the bucket is for. */
  readonly keyOf: (objectKey: string) => string
  /** Within the time of one request. */
  readonly inTime: (
    method: string
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ConnectorError, R>
  readonly call: <A>(method: string, request: Request<A>) => Effect.Effect<A, ConnectorError>
  /** `call` for an object that may not be there, or not the part of it that was asked for. */
  readonly find: <A>(method: string, request: Request<A>) => Effect.Effect<Option.Option<A>, ConnectorError>
  /** A write that happens only while the stored ETag is `expected` (none: no object yet), else it fails with `Conflict`. */
  readonly replace: <A>(
    method: string,
    place: Place,
    expected: Option.Option<string>,
    write: (conditions: Conditions) => Effect.Effect<A, ConnectorError>
  ) => Effect.Effect<void, ConnectorError>
  readonly remove: (method: string, place: Place, expected: string) => Effect.Effect<void, ConnectorError>
}
type Request<A> = (client: S3, options: { readonly abortSignal: AbortSignal }) => Promise<A>

/** Fails at the start when the bucket, the credentials or the server are not right. */
export const make = Effect.fnUntraced(function*(
  settings: Settings
): Effect.fn.Return<S3Bucket, BootError | ConnectorError, Scope.Scope> {
  const { accessKeyId, bucket, prefix, secretAccessKey, timeout } = settings
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    const problem = `"accessKeyId" and "secretAccessKey" go together`
    return yield* new BootError({ service: "connectors", connector: "S3", problem })
  }
  const sdk = yield* Connector.vendor("S3", "@aws-sdk/client-s3", () => import("@aws-sdk/client-s3"))
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new sdk.S3(clientConfig(settings))),
    (client) => Effect.sync(() => client.destroy())
  )
  const deadlines = yield* Deadlines.make(timeout)
  const locks = yield* RcMap.make({ lookup: (_key: string) => Effect.makeSemaphore(1) })

  const inTime = (method: string) =>
    deadlines.within(() => new ConnectorError({ connector: "S3", method, reason: "Timeout" }))

  const call = <A>(method: string, request: Request<A>) =>
    inTime(method)(
      Effect.tryPromise({ try: (abortSignal) => request(client, { abortSignal }), catch: fromS3Error(method) })
    )

  const find = <A>(method: string, request: Request<A>) =>
    Effect.map(
      call(method, (client, options) =>
        request(client, options).catch((error: unknown) => {
          if (isAbsent(error)) return undefined
          throw error
        })),
      Option.fromNullable
    )

  const verify = (method: string, place: Place, expected: Option.Option<string>) =>
    Effect.flatMap(
      find(method, (client, options) => client.headObject(place, options)),
      (found) =>
        Option.getOrUndefined(Option.map(found, ({ ETag }) => ETag)) === Option.getOrUndefined(expected)
          ? Effect.void
          : Effect.fail(conflict("S3", method))
    )

  /** The server decides which of two writes wins. */
  const conditionally: S3Bucket["replace"] = (method, _place, expected, write) =>
    write(Option.match(expected, { onNone: () => ({ IfNoneMatch: "*" }), onSome: (IfMatch) => ({ IfMatch }) })).pipe(
      // An object that is to be replaced, and is gone.
      Effect.catchIf(
        ({ reason }) => reason === "NotFound" && Option.isSome(expected),
        () => Effect.fail(conflict("S3", method))
      ),
      Effect.asVoid
    )

  /** This process decides. */
  const exclusively: S3Bucket["replace"] = (method, place, expected, write) =>
    Effect.scoped(
      Effect.flatMap(RcMap.get(locks, place.Key), (lock) =>
        lock.withPermits(1)(Effect.zipRight(verify(method, place, expected), write({}))))
    )

  yield* call("connect", (client, options) => client.listObjectsV2({ Bucket: bucket, MaxKeys: 1 }, options))
  const isConditional = settings.conditionalWrites ?? (yield* honoursConditions(call, bucket, prefix))
  if (!isConditional) yield* Effect.logWarning(`S3: ${onlyOneWriter(bucket, prefix)}`)
  const replace = isConditional ? conditionally : exclusively

  return {
    timeout,
    inTime,
    call,
    find,
    replace,
    place: (method, key) => {
      const Key = prefix + S3Key.encode(key)
      return Buffer.byteLength(Key) <= S3Key.maxBytes ? Effect.succeed({ Bucket: bucket, Key }) : Effect.fail(
        new ConnectorError({
          connector: "S3",
          method,
          reason: "InvalidInput",
          detail: `the key is ${Buffer.byteLength(Key)} bytes long with home and prefix; S3 allows ${S3Key.maxBytes}`
        })
      )
    },
    keyOf: (objectKey) => S3Key.decode(objectKey.slice(prefix.length)),
    remove: (method, place, expected) =>
      replace(
        method,
        place,
        Option.some(expected),
        (conditions) => call(method, (client, options) => client.deleteObject({ ...place, ...conditions }, options))
      )
  }
})

const onlyOneWriter = (bucket: string, prefix: string) =>
  `the server ignores conditional writes. No other process may write to the bucket "${bucket}" below "${prefix}"`

const clientConfig = (settings: Settings): S3ClientConfig => {
  const { accessKeyId, endpoint, forcePathStyle, region, secretAccessKey, timeout } = settings
  return {
    // A write whose answer is lost may have happened: sent again, it would be in conflict with itself.
    maxAttempts: 1,
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    // Bodies with a checksum behind them are Amazon's alone.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: Duration.toMillis(timeout) },
    ...(endpoint === undefined ? {} : { endpoint, region: "us-east-1" }),
    ...(region === undefined ? {} : { region }),
    ...(accessKeyId === undefined || secretAccessKey === undefined ? {} : {
      credentials: { accessKeyId, secretAccessKey: Redacted.value(secretAccessKey) }
    })
  }
}

/** Tries with an object of its own; what a server without conditions does with it shows it. */
const honoursConditions = (call: S3Bucket["call"], bucket: string, prefix: string) => {
  const place = { Bucket: bucket, Key: `${prefix}~probe-${randomUUID()}` }
  const put = (conditions: Conditions) =>
    call("connect", (client, options) => client.putObject({ ...place, ...conditions, Body: "probe" }, options))
  const remove = (conditions: Conditions) =>
    call("connect", (client, options) => client.deleteObject({ ...place, ...conditions }, options))
  const isUnsupported = ({ reason }: ConnectorError) => reason === "Unsupported"
  const isRefused = <A>(self: Effect.Effect<A, ConnectorError>) =>
    self.pipe(
      Effect.as(false),
      Effect.catchIf(isUnsupported, () => Effect.succeed(false)),
      Effect.catchIf(isConflict, () => Effect.succeed(true))
    )
  const other = { IfMatch: `"${"0".repeat(32)}"` }
  return put({ IfNoneMatch: "*" }).pipe(
    Effect.zipRight(Effect.zipLeft(
      Effect.every([put({ IfNoneMatch: "*" }), put(other), remove(other)], isRefused),
      remove({})
    )),
    Effect.catchIf(isUnsupported, () => Effect.succeed(false))
  )
}

/* ------------------------------------------------------------------------------------------------------------------
 * Errors, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 * ---------------------------------------------------------------------------------------------------------------- */

interface S3Error {
  readonly name?: string
  readonly code?: unknown
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const isAbsent = (error: unknown) => ["NoSuchKey", "NotFound", "InvalidRange"].includes((error as S3Error).name ?? "")

/** Names and messages of the vendor; nothing of what was sent. */
export const fromS3Error = (method: string) => (cause: unknown): ConnectorError => {
  const { $metadata, code, message = "", name: named = "" } = cause as S3Error
  // The SDK calls a connection that was reset a timeout, too.
  const name = named === "TimeoutError" && typeof code === "string" ? code : named
  const status = $metadata?.httpStatusCode
  const reason = byName[name] ?? (status === undefined ? "Unavailable" : byStatus(status))
  const detail = [name, message].filter((one) => one !== "").join(": ").slice(0, 200)
  return new ConnectorError({ connector: "S3", method, reason, detail })
}

const byName: Readonly<Record<string, Reason>> = {
  CredentialsProviderError: "Unauthorized",
  PreconditionFailed: "Conflict",
  ConditionalRequestConflict: "Conflict",
  OperationAborted: "Conflict",
  SlowDown: "RateLimited",
  RequestTimeout: "Timeout",
  TimeoutError: "Timeout",
  ETIMEDOUT: "Timeout",
  QuotaExceeded: "Full",
  URIError: "Protocol"
}

const byStatus = (status: number): Reason =>
  status === 401 || status === 403
    ? "Unauthorized"
    : status === 404
    ? "NotFound"
    : status === 412
    ? "Conflict"
    : status === 429
    ? "RateLimited"
    : status === 501
    ? "Unsupported"
    : status === 507
    ? "Full"
    : status >= 500
    ? "Unavailable"
    : status >= 400
    ? "InvalidInput"
    : "Protocol"
