/** Signed requests of OAuth 1.0a, HMAC-SHA1: https://www.rfc-editor.org/rfc/rfc5849#section-3 */
import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { createHash, createHmac } from "node:crypto"
import * as Ids from "../../kernel/Ids.ts"
import type { Method } from "./Outbound.ts"

/** In each of them `{{KEY(name)}}` is a secret of the home the record is in, as they are stored. */
export interface Credentials {
  readonly consumerKey: Redacted.Redacted
  readonly consumerSecret: Redacted.Redacted
  /** Empty for calls that only the client itself stands behind. */
  readonly token: Redacted.Redacted
  readonly tokenSecret: Redacted.Redacted
}

const Text = Schema.optional(Schema.NullOr(Schema.String))
const Fields = Schema.Struct({
  type: Schema.Literal("oauth"),
  primary: Text,
  secondary: Text,
  consumerKey: Schema.NonEmptyString,
  consumerSecret: Text
})

/** A stored connection, in either of the layouts agents of old left; none if it is not one of OAuth 1. */
export const parse = (stored: Redacted.Redacted): Option.Option<Credentials> => {
  const raw = Option.liftThrowable((text: string): unknown => JSON.parse(text))(Redacted.value(stored))
  return Option.flatMap(raw, (value) => {
    const { auth_data, auth_settings, oauth_info, ...flat } = object(value)
    const fields = { ...flat, ...object(oauth_info), ...object(auth_data), ...object(auth_settings) }
    return Option.map(
      Schema.decodeUnknownOption(Fields)(fields),
      ({ consumerKey, consumerSecret, primary, secondary }) => ({
        consumerKey: Redacted.make(consumerKey),
        consumerSecret: Redacted.make(consumerSecret ?? ""),
        token: Redacted.make(primary ?? ""),
        tokenSecret: Redacted.make(secondary ?? "")
      })
    )
  })
}

const object = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? value as Readonly<Record<string, unknown>> : {}

/** What is signed of a request. */
export interface Signed {
  readonly method: Method
  readonly url: string
  /** Of the body. */
  readonly contentType: string | undefined
  readonly body: Uint8Array | string | undefined
}

/** The header `Authorization` of one request; it is good for one use. */
export const authorization = (request: Signed, credentials: Credentials): Effect.Effect<Redacted.Redacted> =>
  Effect.gen(function*() {
    const nonce = (yield* Ids.make("n")).replace(/\W/g, "")
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    return Redacted.make(header(request, credentials, nonce, String(seconds)))
  })

/**
 * The fields of a form are signed; of any other body its hash is
 * (https://oauth.googlecode.com/svn/spec/ext/body_hash/1.0/oauth-bodyhash.html), but for multipart, which nobody reads whole.
 */
export const header = (
  { body, contentType = "", method, url }: Signed,
  { consumerKey, consumerSecret, token, tokenSecret }: Credentials,
  nonce: string,
  timestamp: string
): string => {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(contentType)
  const isHashed = body !== undefined && body.length > 0 && !isForm && !/^multipart\//i.test(contentType)
  const own: Readonly<Record<string, string>> = {
    oauth_consumer_key: Redacted.value(consumerKey),
    oauth_nonce: nonce,
    oauth_signature_method: "HMAC-SHA1",
    oauth_timestamp: timestamp,
    oauth_version: "1.0",
    ...(Redacted.value(token) === "" ? {} : { oauth_token: Redacted.value(token) }),
    ...(isHashed ? { oauth_body_hash: createHash("sha1").update(body).digest("base64") } : {})
  }
  const target = new URL(url)
  const form = isForm && body !== undefined ? new URLSearchParams(Buffer.from(body).toString()) : []
  const parameters = [...Object.entries(own), ...target.searchParams, ...form]
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a, one], [b, two]) => compare(a, b) || compare(one, two))
    .map((pair) => pair.join("="))
    .join("&")
  const base = [method, `${target.origin}${target.pathname}`, parameters].map(encoded).join("&")
  const key = [consumerSecret, tokenSecret].map((secret) => encoded(Redacted.value(secret))).join("&")
  const signature = createHmac("sha1", key).update(base).digest("base64")
  return `OAuth ${
    Object.entries({ ...own, oauth_signature: signature }).map(([name, value]) => `${name}="${encoded(value)}"`).join(
      ", "
    )
  }`
}

const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0

/** https://www.rfc-editor.org/rfc/rfc5849#section-3.6 */
const encoded = (text: string) =>
  encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`
  )
