/** One request to the token endpoint of an OAuth 2 server: https://www.rfc-editor.org/rfc/rfc6749#section-3.2 */
import { Clock, Duration, Effect, Either, Option, Redacted, Schema } from "effect"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Ids from "../../kernel/Ids.ts"
import * as TemplateString from "../../kernel/TemplateString.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Secrets from "../../security/Secrets.ts"
import type { Vault, VaultError } from "../../security/Vault.ts"
import * as ClientAssertion from "./ClientAssertion.ts"
import * as OAuthRecord from "./OAuthRecord.ts"
import { Outbound, type OutboundError } from "./Outbound.ts"

/** Only a person can help: the authorization has ended, was revoked, or gave nothing to renew it with. */
export class ReauthorizationNeeded extends Schema.TaggedError<ReauthorizationNeeded>()("ReauthorizationNeeded", {
  key: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `The connection "${this.key}" has to be authorized again: ${this.problem}`
  }
}

/** The server does not accept the client, or what it asks for. */
export class TokenRefused extends Schema.TaggedError<TokenRefused>()("TokenRefused", {
  key: Schema.String,
  /** `invalid_client`, or another code of https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
  code: Schema.String
}) {
  override get message(): string {
    return `No token for the connection "${this.key}": ${this.code}. Check its client id, secret and scope`
  }
}

/**
 * Tokens in place of those of the record, in which secrets are those of the home it is in: whoever may write there names no
 * secret of those who use it. Sent once: a refresh token is good for one use.
 */
export const exchange = Effect.fnUntraced(function*(
  key: string,
  home: Candidate.Candidate,
  { client, tokens }: OAuthRecord.OAuthRecord
): Effect.fn.Return<
  OAuthRecord.Tokens,
  ReauthorizationNeeded | TokenRefused | VaultError | OutboundError,
  Vault | Outbound
> {
  if (client.grant === "refresh_token" && Option.isNone(tokens.refresh)) {
    return yield* new ReauthorizationNeeded({ key, problem: "its token has ended and cannot be renewed" })
  }
  const rendered = renderedFor(home)
  const id = yield* rendered(client.clientId)
  const secret = yield* rendered(Option.match(client.clientSecret, { onNone: () => "", onSome: Redacted.value }))
  const url = yield* rendered(client.tokenUrl)
  const form = new URLSearchParams({
    grant_type: client.grant,
    ...given("resource", client.resource),
    ...(client.grant === "client_credentials"
      ? given("scope", client.scope)
      : given("refresh_token", Option.map(tokens.refresh, Redacted.value))),
    ...(client.authentication === "basic" ? {} : { client_id: id }),
    ...(client.authentication === "body" && secret !== "" ? { client_secret: secret } : {}),
    ...(client.authentication === "private_key_jwt"
      ? yield* assertionOf(id, Redacted.make(secret), Option.getOrElse(client.issuer, () => url))
      : {})
  })
  const outbound = yield* Outbound
  const { body, headers, status } = yield* outbound.request({
    method: "POST",
    url,
    headers: {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      ...(client.authentication === "basic" ? { authorization: basic(id, secret) } : {})
    },
    body: form.toString(),
    maxBytes: 256 * 1024,
    maxRedirects: 0
  })
  if (status === 429 || status >= 500) return yield* unavailable(status, headers["retry-after"])
  const text = new TextDecoder().decode(body)
  const refusal = OAuthRecord.refusalOf(text)
  if (Option.isSome(refusal)) {
    return yield* refusal.value === "invalid_grant"
      ? new ReauthorizationNeeded({ key, problem: "the authorization has ended or was revoked" })
      : new TokenRefused({ key, code: refusal.value })
  }
  const answered = OAuthRecord.answered(text, yield* Clock.currentTimeMillis, tokens)
  return status === 200 && Option.isSome(answered) ? answered.value : yield* new ConnectorError({
    connector: "OAuthTokens",
    method: "get",
    reason: "Protocol",
    detail: `status ${status}, and no token in the answer; is it the URL of a token endpoint?`
  })
})

/** A text of a record in this home. */
export const renderedFor = (home: Candidate.Candidate) => (text: string) =>
  Effect.map(Candidate.as(Secrets.render(TemplateString.parse(text), {}), home), Redacted.value)

const assertionOf = Effect.fnUntraced(function*(clientId: string, privateKey: Redacted.Redacted, audience: string) {
  const id = yield* Ids.make("assertion")
  const now = yield* Clock.currentTimeMillis
  return yield* Either.mapLeft(
    ClientAssertion.parameters({ clientId, privateKey, audience, id, now }),
    (detail) => new ConnectorError({ connector: "OAuthTokens", method: "get", reason: "InvalidInput", detail })
  )
})

const given = (name: string, value: Option.Option<string>) =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [name]: value }) })

/** Both parts are encoded like a form's: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1 */
const basic = (id: string, secret: string) => {
  const [first, second] = [id, secret].map((text) => new URLSearchParams({ "": text }).toString().slice(1))
  return `Basic ${Buffer.from(`${first}:${second}`).toString("base64")}`
}

const unavailable = (status: number, retryAfter: string | ReadonlyArray<string> | undefined) =>
  new ConnectorError({
    connector: "OAuthTokens",
    method: "get",
    reason: status === 429 ? "RateLimited" : "Unavailable",
    detail: `the token endpoint answers with status ${status}`,
    ...(/^\d+$/.test(String(retryAfter)) ? { retryAfter: Duration.seconds(Number(retryAfter)) } : {})
  })
