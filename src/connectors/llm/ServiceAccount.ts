/**
 * Access tokens of Google Cloud for a service account: https://developers.google.com/identity/protocols/oauth2/service-account
 * The SDK would ask the address that stands in the key, which a tenant may have written; here it is the operator's.
 */
import { Clock, Duration, Effect, Either, type Option, Redacted, Ref, Schema } from "effect"
import { createHash, sign } from "node:crypto"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as PooledFetch from "./PooledFetch.ts"

/** The part of the key file that is needed: https://cloud.google.com/iam/docs/keys-create-delete */
const ServiceAccount = Schema.parseJson(Schema.Struct({
  client_email: Schema.NonEmptyString,
  private_key: Schema.NonEmptyString,
  private_key_id: Schema.optional(Schema.String),
  project_id: Schema.optional(Schema.NonEmptyString)
}))
export type ServiceAccount = typeof ServiceAccount.Type

/** A key that is the JSON of a service account; nothing for any other. */
export const from = (key: Redacted.Redacted): Option.Option<ServiceAccount> =>
  Schema.decodeOption(ServiceAccount)(Redacted.value(key))

const Answer = Schema.parseJson(Schema.Struct({ access_token: Schema.NonEmptyString, expires_in: Schema.Number }))

interface Token {
  readonly value: Redacted.Redacted
  /** Milliseconds since 1970. */
  readonly until: number
}

/** Keeps the tokens of the accounts asked for last until shortly before they expire. */
export const make = Effect.fnUntraced(function*(connector: string, fetch: PooledFetch.PooledFetch, tokenURL: string) {
  const kept = yield* Ref.make<ReadonlyMap<string, Token>>(new Map())

  const ask = Effect.fnUntraced(function*(account: ServiceAccount, now: number) {
    const assertion = yield* Effect.try({
      try: () => assert(account, tokenURL, Math.floor(now / 1000)),
      catch: () => failure(connector, "InvalidInput", "the private key of the service account cannot be read")
    })
    const body = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion })
    const { status, text } = yield* Effect.tryPromise({
      try: async (signal) => {
        const response = await fetch(tokenURL, {
          method: "POST",
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: body.toString(),
          signal
        })
        const text = PooledFetch.isUnread(response)
          ? await PooledFetch.textOf(response.source)
          : await response.text()
        return { status: response.status, text }
      },
      catch: (cause) => PooledFetch.failure(connector, cause)
    })
    if (status >= 300) {
      return yield* status >= 500
        ? failure(connector, "Unavailable", `no access token: status ${status}`)
        : failure(connector, "Unauthorized", `status ${status}: Google refused the service account`)
    }
    const answer = Schema.decodeEither(Answer)(text)
    if (Either.isLeft(answer)) return yield* failure(connector, "Protocol", "the answer has no access token")
    const { access_token, expires_in } = answer.right
    return { value: Redacted.make(access_token), until: now + (expires_in - 60) * 1000 }
  })

  return Effect.fnUntraced(function*(account: ServiceAccount) {
    const now = yield* Clock.currentTimeMillis
    const key = createHash("sha256").update(`${account.client_email} ${account.private_key}`).digest("base64")
    const found = (yield* Ref.get(kept)).get(key)
    if (found !== undefined && found.until > now) return found.value
    const token = yield* ask(account, now)
    yield* Ref.update(kept, (tokens) => new Map([...Array.from(tokens).slice(-maxTokens), [key, token]]))
    return token.value
  })
})

const maxTokens = 1000

/** A JSON Web Token that says who asks, for what, for one hour: https://www.rfc-editor.org/rfc/rfc7523 */
const assert = ({ client_email, private_key, private_key_id }: ServiceAccount, audience: string, now: number) => {
  const head = { alg: "RS256", typ: "JWT", ...(private_key_id === undefined ? {} : { kid: private_key_id }) }
  const claims = {
    iss: client_email,
    scope: "https://www.googleapis.com/auth/cloud-platform",
    aud: audience,
    iat: now,
    exp: now + Duration.toSeconds("1 hour")
  }
  const said = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")
  return `${said}.${sign("RSA-SHA256", Buffer.from(said), private_key).toString("base64url")}`
}

const failure = (connector: string, reason: ConnectorError["reason"], detail: string) =>
  new ConnectorError({ connector, method: "stream", reason, detail })
