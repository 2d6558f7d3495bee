/**
 * Addresses under which anybody may fetch an object for a while, signed with the credentials of the bucket:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
 *
 * What is stored has random bytes behind its own, so an address is of a copy without them. It stays as it is when the object is
 * replaced or removed. Copies whose time is over are taken away while others are made.
 */
import type { S3 } from "@aws-sdk/client-s3"
import { Clock, Duration, Effect, Option, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import type { ConnectorError } from "../../kernel/ConnectorError.ts"
import type * as Storage from "../../subsystems/io/Storage.ts"
import type * as S3Bucket from "../S3Bucket.ts"
import * as S3Body from "./S3Body.ts"

/** No signature is good for longer. */
export const maxTime = Duration.days(7)

export interface PublicUrls {
  /**
   * A URL of these bytes. None where the credentials are gone sooner than `timeToLive`, or the server cannot copy what is too
   * large to be sent again.
   */
  readonly make: (
    object: Storage.StoredObject,
    from: S3Bucket.Place,
    bytes: Effect.Effect<Uint8Array, ConnectorError>,
    timeToLive: Duration.Duration
  ) => Effect.Effect<Option.Option<string>, ConnectorError>
}

export const make = (
  s3: S3Bucket.S3Bucket,
  { Bucket, Key: prefix }: S3Bucket.Place,
  uploads: S3Body.Uploads,
  scope: Scope.Scope
): PublicUrls => {
  const folder = `${prefix}~shared/`

  /** Those that end first are listed first, for their names begin with their ends. */
  const sweep = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const { Contents = [] } = yield* s3.call(
      "publicUrl",
      (client, options) => client.listObjectsV2({ Bucket, Prefix: folder, MaxKeys: sweepSize }, options)
    )
    const ended = Contents.flatMap(({ Key = "" }) => Number.parseInt(Key.slice(folder.length), 10) < now ? [Key] : [])
    yield* Effect.forEach(
      ended,
      (Key) => s3.call("publicUrl", (client, options) => client.deleteObject({ Bucket, Key }, options)),
      { concurrency: 4, discard: true }
    )
  }).pipe(Effect.ignoreLogged)

  return {
    make: Effect.fnUntraced(function*({ contentType, key, sizeBytes }, from, bytes, timeToLive) {
      const ends = (yield* Clock.currentTimeMillis) + Duration.toMillis(timeToLive)
      const expiration = yield* s3.call("publicUrl", async ({ config }) => (await config.credentials()).expiration)
      if (expiration !== undefined && expiration.getTime() < ends) return Option.none()
      const extension = /\.\w{1,10}$/.exec(key)?.[0] ?? ""
      const to = { Bucket, Key: `${folder}${String(Math.ceil(ends)).padStart(15, "0")}-${randomUUID()}${extension}` }
      const head = { ContentType: contentType, Metadata: {} }
      const isCopied = yield* (sizeBytes < S3Body.minPartBytes
        ? Effect.flatMap(
          bytes,
          (Body) => s3.call("publicUrl", (client, options) => client.putObject({ ...to, ...head, Body }, options))
        )
        : uploads.copy("publicUrl", { from, sizeBytes, to, head, expected: Option.none() })).pipe(
          Effect.as(true),
          Effect.catchIf(({ reason }) => reason === "Unsupported", () => Effect.succeed(false))
        )
      yield* Effect.forkIn(sweep, scope)
      if (!isCopied) return Option.none()
      const now = yield* Clock.currentTimeMillis
      return Option.some(
        yield* s3.call("publicUrl", (client) => signed(client, to, contentType, now, Duration.toSeconds(timeToLive)))
      )
    })
  }
}

const sweepSize = 100

/** What the client would send, signed in its address instead of its head. Nothing is sent. */
const signed = async (client: S3, place: S3Bucket.Place, contentType: string, now: number, seconds: number) => {
  const { GetObjectCommand } = await import("@aws-sdk/client-s3")
  const command = new GetObjectCommand({
    ...place,
    // What a browser would run is not to be a page of the bucket's host.
    ...(/html|xml|svg/i.test(contentType) ? { ResponseContentDisposition: "attachment" } : {})
  })
  let url = ""
  command.middlewareStack.add(
    (_next, { endpointV2 }) => async ({ request }) => {
      const { hostname, path, port, protocol, query } = request as Address
      const host = port === undefined ? hostname : `${hostname}:${port}`
      const signer = await client.config.signer(endpointV2?.properties?.["authSchemes"]?.[0])
      const { query: all } = await (signer as unknown as Presigner).presign(
        // Only what is in here is signed, so that whoever asks needs to send no more.
        {
          method: "GET",
          headers: { host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
          hostname,
          path,
          port,
          protocol,
          query
        },
        { expiresIn: Math.max(1, Math.floor(seconds)), signingDate: new Date(now + client.config.systemClockOffset) }
      )
      url = `${protocol}//${host}${path}?${queryText(all)}`
      return { response: undefined, output: { $metadata: {} } }
    },
    { step: "finalizeRequest", priority: "low", name: "signedAddress" }
  )
  await client.send(command)
  return url
}

/** As signatures have it, which quote more than a URL does. */
const queryText = (query: Address["query"]) =>
  Object.entries(query).map(([name, value]) => `${quoted(name)}=${quoted(String(value))}`).join("&")
const quoted = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)

interface Address {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

/** The signer of the S3 client can do more than its type says. */
interface Presigner {
  readonly presign: (
    request: Address,
    options: { readonly expiresIn: number; readonly signingDate: Date }
  ) => Promise<Address>
}
