/** What is stored of an OAuth 2 connection, in the layouts agents of old left in the vault, and what a token endpoint answers. */
import { Either, Option, ParseResult, Redacted, Schema } from "effect"

const Text = Schema.optional(Schema.NullOr(Schema.String))

/** Milliseconds since 1970, also as text. */
const Time = Schema.Union(Schema.Number, Schema.NumberFromString)

const Data = Schema.Struct({
  primary: Text,
  secondary: Text,
  expires_in: Schema.optional(Schema.NullOr(Time)),
  lifetime: Schema.optional(Schema.NullOr(Schema.Number)),
  granted_scope: Text
})

/**
 * How the client proves itself: with its secret in the body, or by the header `Authorization: Basic`; or with its private key,
 * which stands in place of the secret.
 */
export const Authentication = Schema.Literal("body", "basic", "private_key_jwt")
export type Authentication = typeof Authentication.Type

const Settings = Schema.Struct({
  type: Text,
  service: Text,
  tokenURL: Text,
  clientID: Text,
  clientSecret: Text,
  scope: Text,
  /** What the tokens are for: https://www.rfc-editor.org/rfc/rfc8707 */
  resource: Text,
  /** Of the authorization server, for clients that prove themselves with a key. */
  issuer: Text,
  clientAuthentication: Schema.optional(Authentication)
})

export interface Tokens {
  readonly access: Option.Option<Redacted.Redacted>
  readonly refresh: Option.Option<Redacted.Redacted>
  /** Milliseconds since 1970. */
  readonly expiresAt: Option.Option<number>
  /** Milliseconds it had when it was given. */
  readonly lifetime: Option.Option<number>
  /** What the server granted, or was asked for. */
  readonly scopes: ReadonlyArray<string>
}

/** In its texts `{{KEY(name)}}` is a secret of the home the record is in. */
export interface Client {
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: Option.Option<Redacted.Redacted>
  readonly scope: Option.Option<string>
  /** What the tokens are for, where the server has to be told. */
  readonly resource: Option.Option<string>
  /** Whom a key proves the client to. None: the token endpoint. */
  readonly issuer: Option.Option<string>
  readonly grant: "refresh_token" | "client_credentials"
  readonly authentication: Authentication
}

/** Who is about to renew the tokens: a refresh token is good for one use, and a second one ends the authorization. */
const Claim = Schema.Struct({
  by: Schema.String,
  /** Milliseconds since 1970. Who has not stored anything by then is gone. */
  until: Schema.Number
})
export type Claim = typeof Claim.Type

export interface OAuthRecord {
  readonly tokens: Tokens
  readonly client: Client
  readonly claim: Option.Option<Claim>
  /** As it was stored, with fields of others. */
  readonly raw: Json
}
type Json = Readonly<Record<string, unknown>>

const clientCredentials = "oauth2_client_credentials"

/** `{auth_data, auth_settings}`, or all of it side by side. What is wrong is told without what it says. */
export const parse = (text: Redacted.Redacted): Either.Either<OAuthRecord, string> =>
  Either.gen(function*() {
    const raw = yield* Either.fromOption(record(Redacted.value(text)), () => "it is not a JSON object")
    const nested = isRecord(raw["auth_data"]) && isRecord(raw["auth_settings"])
    const data = yield* decode(Data, nested ? raw["auth_data"] : raw)
    const settings = yield* decode(Settings, nested ? raw["auth_settings"] : { ...raw, ...object(raw["oauth_info"]) })
    if (settings.type === "oauth") return yield* Either.left("it is of OAuth 1, whose tokens sign requests")
    const scope = given(settings.scope)
    return {
      raw,
      claim: Schema.decodeUnknownOption(Claim)(raw["renewing"]),
      tokens: {
        access: secret(data.primary),
        refresh: secret(data.secondary),
        expiresAt: Option.fromNullable(data.expires_in),
        lifetime: Option.fromNullable(data.lifetime),
        scopes: scopes(Option.orElse(given(data.granted_scope), () => scope))
      },
      client: {
        tokenUrl: settings.tokenURL ?? "",
        clientId: settings.clientID ?? "",
        clientSecret: secret(settings.clientSecret),
        scope,
        resource: given(settings.resource),
        issuer: given(settings.issuer),
        grant: settings.service === clientCredentials ? "client_credentials" : "refresh_token",
        authentication: settings.clientAuthentication ?? "body"
      }
    }
  })

/** The record with other tokens, in the layout it had, and free for the next renewal. */
export const withTokens = ({ raw }: Pick<OAuthRecord, "raw">, tokens: Tokens): Redacted.Redacted => {
  const next = data(tokens)
  return written(
    isRecord(raw["auth_data"]) ? { ...raw, auth_data: { ...raw["auth_data"], ...next } } : { ...raw, ...next }
  )
}

export const withClaim = ({ raw }: OAuthRecord, claim: Claim): Redacted.Redacted => written(raw, claim)

export const withoutClaim = ({ raw }: OAuthRecord): Redacted.Redacted => written(raw)

export const make = (client: Client, tokens: Tokens): Redacted.Redacted =>
  withTokens({
    raw: {
      auth_data: {},
      auth_settings: {
        type: "oauth2",
        service: client.grant === "client_credentials" ? clientCredentials : "oauth2",
        tokenURL: client.tokenUrl,
        clientID: client.clientId,
        clientSecret: Option.getOrUndefined(Option.map(client.clientSecret, Redacted.value)),
        scope: Option.getOrUndefined(client.scope),
        resource: Option.getOrUndefined(client.resource),
        issuer: Option.getOrUndefined(client.issuer),
        clientAuthentication: client.authentication
      }
    }
  }, tokens)

/** https://www.rfc-editor.org/rfc/rfc6749#section-5.1 */
const Answer = Schema.Struct({
  access_token: Schema.NonEmptyString,
  expires_in: Schema.optional(Schema.NullOr(Schema.Union(Schema.Number, Schema.NumberFromString))),
  refresh_token: Text,
  scope: Text
})

/** Servers that do not say how long a token lives are asked again after an hour. */
const unknownLifetime = 3600

/** What a token endpoint answered at `now`; a refresh token it does not replace stays. */
export const answered = (body: string, now: number, before: Tokens): Option.Option<Tokens> =>
  Option.map(Option.flatMap(record(body), Schema.decodeUnknownOption(Answer)), (answer) => {
    const lifetime = (answer.expires_in ?? unknownLifetime) * 1000
    const scope = given(answer.scope)
    return {
      access: secret(answer.access_token),
      refresh: Option.orElse(secret(answer.refresh_token), () => before.refresh),
      expiresAt: Option.some(now + lifetime),
      lifetime: Option.some(lifetime),
      scopes: Option.isSome(scope) ? scopes(scope) : before.scopes
    }
  })

/** The code of https://www.rfc-editor.org/rfc/rfc6749#section-5.2, if the body has one. */
export const refusalOf = (body: string): Option.Option<string> =>
  Option.filter(
    Option.map(record(body), ({ error }) => String(error)),
    (error) => /^[\w.-]{1,64}$/.test(error) && error !== "undefined"
  )

const data = ({ access, expiresAt, lifetime, refresh, scopes }: Tokens) => ({
  primary: Option.getOrUndefined(Option.map(access, Redacted.value)),
  secondary: Option.getOrUndefined(Option.map(refresh, Redacted.value)),
  expires_in: Option.getOrUndefined(expiresAt),
  lifetime: Option.getOrUndefined(lifetime),
  granted_scope: scopes.length === 0 ? undefined : scopes.join(" ")
})

const written = (raw: Json, renewing?: Claim) => Redacted.make(JSON.stringify({ ...raw, renewing }))

const decode = <A, I>(schema: Schema.Schema<A, I>, value: unknown) =>
  Either.mapLeft(
    ParseResult.decodeUnknownEither(schema, { errors: "all" })(value),
    (error) =>
      `these fields are not what they should be: ${
        ParseResult.ArrayFormatter.formatIssueSync(error).map(({ path }) => path.join(".")).join(", ")
      }`
  )

const record = (text: string): Option.Option<Json> =>
  Option.filter(Option.liftThrowable((): unknown => JSON.parse(text))(), isRecord)

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const object = (value: unknown): Json => isRecord(value) ? value : {}

const given = (text: string | null | undefined) => Option.filter(Option.fromNullable(text), (text) => text !== "")

const secret = (text: string | null | undefined) => Option.map(given(text), (text) => Redacted.make(text))

const scopes = (scope: Option.Option<string>) =>
  Option.match(scope, { onNone: () => [], onSome: (text) => text.split(/[\s,]+/).filter((one) => one !== "") })
