/**
 * OAuthTokens: access tokens of OAuth 2 connections, kept in the {@link ManagedVault} of whoever authorized them and renewed
 * before they end. Keys are relative to the asker's home; a team's connection is `smythfs://<id>.team/<key>`.
 */
import {
  Clock,
  Context,
  Duration,
  Effect,
  Fiber,
  HashMap,
  Layer,
  Option,
  Redacted,
  Schema,
  SynchronizedRef
} from "effect"
import * as Ids from "../../kernel/Ids.ts"
import { traced } from "../../kernel/Trace.ts"
import * as Address from "../../security/Address.ts"
import * as Candidate from "../../security/Candidate.ts"
import { ManagedVault, type ManagedVaultError } from "../../security/ManagedVault.ts"
import type { SecretNotFound, Vault } from "../../security/Vault.ts"
import * as OAuth1 from "./OAuth1.ts"
import * as OAuthRecord from "./OAuthRecord.ts"
import type { Outbound, OutboundError } from "./Outbound.ts"
import * as TokenEndpoint from "./TokenEndpoint.ts"

export { ReauthorizationNeeded, TokenRefused } from "./TokenEndpoint.ts"

/** What is stored under the key is no OAuth 2 connection. Never says what it is. */
export class InvalidConnection extends Schema.TaggedError<InvalidConnection>()("InvalidConnection", {
  key: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `"${this.key}" is not an OAuth 2 connection: ${this.problem}`
  }
}

export type OAuthError =
  | TokenEndpoint.ReauthorizationNeeded
  | TokenEndpoint.TokenRefused
  | InvalidConnection
  | SecretNotFound
  | ManagedVaultError
  | OutboundError

export interface AccessToken {
  readonly value: Redacted.Redacted
  /** Milliseconds since 1970; none where the server did not say. */
  readonly expiresAt: Option.Option<number>
  readonly scopes: ReadonlyArray<string>
}

export interface Connection {
  readonly tokenUrl: string
  readonly clientId: string
  /** With `private_key_jwt` the private key: PEM, or a JWK as JSON. */
  readonly clientSecret?: Redacted.Redacted | undefined
  readonly scope?: string | undefined
  /** What the tokens are for, where the server has to be told: https://www.rfc-editor.org/rfc/rfc8707 */
  readonly resource?: string | undefined
  /** Default: `refresh_token`. */
  readonly grant?: "refresh_token" | "client_credentials" | undefined
  /** How the client proves itself. Default: in the body. */
  readonly authentication?: OAuthRecord.Authentication | undefined
  /** Of the authorization server, which a key proves the client to. Default: `tokenUrl`. */
  readonly issuer?: string | undefined
  /** What the authorization gave; client credentials need nothing. */
  readonly access?: Redacted.Redacted | undefined
  readonly refresh?: Redacted.Redacted | undefined
  readonly expiresAt?: number | undefined
}

export class OAuthTokens extends Context.Tag("effect-sre/OAuthTokens")<OAuthTokens, {
  /**
   * A token that is good for a while. Those who ask at the same time wait for one renewal, which is finished and stored also
   * when none of them waits any more. `rejected` is a token an API did not take though it should be good: it is replaced.
   */
  readonly get: (
    key: string,
    options?: { readonly rejected?: Redacted.Redacted | undefined }
  ) => Effect.Effect<AccessToken, OAuthError>
  /** What requests are signed with, when the connection is one of OAuth 1, whose tokens are never renewed. */
  readonly signing: (key: string) => Effect.Effect<Option.Option<OAuth1.Credentials>, OAuthError>
  /** Stores a connection, or replaces it. */
  readonly save: (key: string, connection: Connection) => Effect.Effect<void, ManagedVaultError>
  readonly remove: (key: string) => Effect.Effect<void, ManagedVaultError>
}>() {}

export interface Options {
  /** A token is renewed when it has no longer left than this. Default: a minute. */
  readonly leeway?: Duration.DurationInput | undefined
}

const make = ({ leeway = "1 minute" }: Options) =>
  Effect.gen(function*() {
    const vault = yield* ManagedVault
    const needed = yield* Effect.context<Vault | Outbound>()
    const scope = yield* Effect.scope
    const flights = yield* SynchronizedRef.make(HashMap.empty<string, Fiber.Fiber<AccessToken, OAuthError>>())

    const parsed = (key: string, stored: Redacted.Redacted) =>
      Effect.mapError(OAuthRecord.parse(stored), (problem) => new InvalidConnection({ key, problem }))

    /** Writes what `change` makes of the record as it is then; none: leaves it. */
    const update = (
      key: string,
      change: (record: OAuthRecord.OAuthRecord, now: number) => Option.Option<Redacted.Redacted>
    ) =>
      vault.refresh(key, (stored) => Effect.zipWith(parsed(key, stored), Clock.currentTimeMillis, change)).pipe(
        Effect.flatMap((stored) => parsed(key, stored))
      )

    /** The one of all processes that wrote its claim asks the server; the others wait for what it stores. */
    const renewed = (key: string, isGood: IsGood): Effect.Effect<AccessToken, OAuthError> =>
      Effect.gen(function*() {
        const by = yield* Ids.make("claim")
        const record = yield* update(key, (record, now) =>
          isGood(record.tokens, now) || Option.exists(record.claim, ({ until }) => until > now)
            ? Option.none()
            : Option.some(OAuthRecord.withClaim(record, { by, until: now + claimMillis })))
        const isMine = ({ claim }: OAuthRecord.OAuthRecord) =>
          Option.exists(claim, (claim) => claim.by === by)
        if (isGood(record.tokens, yield* Clock.currentTimeMillis)) return yield* accessToken(key, record.tokens)
        if (!isMine(record)) return yield* Effect.delay(renewed(key, isGood), "250 millis")
        const tokens = yield* TokenEndpoint.exchange(key, (yield* placeOf(key)).home, record).pipe(
          Effect.provide(needed),
          Effect.tapError(() =>
            update(key, (record) => isMine(record) ? Option.some(OAuthRecord.withoutClaim(record)) : Option.none())
          )
        )
        yield* update(key, (record) => Option.some(OAuthRecord.withTokens(record, tokens)))
        return yield* accessToken(key, tokens)
      })

    /** One at a time for each home and key. What runs is not the caller's: it may be interrupted, and its identity is its own. */
    const once = (id: string, work: Effect.Effect<AccessToken, OAuthError>) =>
      SynchronizedRef.modifyEffect(flights, (all) =>
        Option.match(HashMap.get(all, id), {
          onSome: (fiber) => Effect.succeed([fiber, all] as const),
          onNone: () =>
            work.pipe(
              Effect.ensuring(SynchronizedRef.update(flights, HashMap.remove(id))),
              Effect.forkIn(scope),
              Effect.map((fiber) => [fiber, HashMap.set(all, id, fiber)] as const)
            )
        })).pipe(Effect.flatMap(Fiber.await), Effect.flatten)

    return OAuthTokens.of({
      get: Effect.fnUntraced(function*(key, { rejected } = {}) {
        const { tokens } = yield* Effect.flatMap(vault.get(key), (stored) => parsed(key, stored))
        const lasts = (leeway: number): IsGood => ({ access, expiresAt, lifetime, refresh }, now) =>
          Option.exists(access, (access) =>
            rejected === undefined || Redacted.value(access) !== Redacted.value(rejected)) &&
          Option.match(expiresAt, {
            // Without a means to renew it, nothing is known better than to use it.
            onNone: () =>
              Option.isNone(refresh),
            // A token that never lives long is not renewed all the time.
            onSome: (expiresAt) =>
              expiresAt > now + Math.min(leeway, Option.getOrElse(lifetime, () => Infinity) / 2)
          })
        const isGood = lasts(Duration.toMillis(leeway))
        if (isGood(tokens, yield* Clock.currentTimeMillis)) return yield* accessToken(key, tokens)
        const { key: id } = yield* placeOf(key)
        return yield* Effect.catchAll(once(id, renewed(key, isGood)), (error) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            lasts(0)(tokens, now) ? accessToken(key, tokens) : Effect.fail(error)))
      }, traced("OAuthTokens.get")),
      signing: Effect.fnUntraced(function*(key) {
        const credentials = OAuth1.parse(yield* vault.get(key))
        if (Option.isNone(credentials)) {
          return credentials
        }
        const { home } = yield* placeOf(key)
        const rendered = (secret: Redacted.Redacted) =>
          Effect.map(TokenEndpoint.renderedFor(home)(Redacted.value(secret)), Redacted.make)
        return Option.some(
          yield* Effect.all({
            consumerKey: rendered(credentials.value.consumerKey),
            consumerSecret: rendered(credentials.value.consumerSecret),
            token: rendered(credentials.value.token),
            tokenSecret: rendered(credentials.value.tokenSecret)
          }).pipe(Effect.provide(needed))
        )
      }, traced("OAuthTokens.signing")),
      save: (key, connection) =>
        traced("OAuthTokens.save")(
          Effect.suspend(() =>
            vault.set(key, OAuthRecord.make(clientOf(connection), tokensOf(connection)))
          )
        ),
      remove: (key) =>
        traced("OAuthTokens.remove")(vault.remove(key))
    })
  })

export const layer = (
  options: Options = {}
): Layer.Layer<OAuthTokens, never, ManagedVault | Vault | Outbound> => Layer.scoped(OAuthTokens, make(options))

const placeOf = (key: string) => Effect.flatMap(Candidate.current, (who) => Address.resolve(key, who))

type IsGood = (tokens: OAuthRecord.Tokens, now: number) => boolean

/** Longer than a request may take; a process that died with its claim holds up the others for no longer. */
const claimMillis = 45_000

const accessToken = (key: string, { access, expiresAt, scopes }: OAuthRecord.Tokens) =>
  Option.match(access, {
    onNone: () => Effect.fail(new TokenEndpoint.ReauthorizationNeeded({ key, problem: "it has no token" })),
    onSome: (value) => Effect.succeed<AccessToken>({ value, expiresAt, scopes })
  })

const clientOf = (
  { authentication, clientId, clientSecret, grant, issuer, resource, scope, tokenUrl }: Connection
): OAuthRecord.Client => ({
  tokenUrl,
  clientId,
  clientSecret: Option.fromNullable(clientSecret),
  scope: Option.fromNullable(scope),
  resource: Option.fromNullable(resource),
  issuer: Option.fromNullable(issuer),
  grant: grant ?? "refresh_token",
  authentication: authentication ?? "body"
})

const tokensOf = ({ access, expiresAt, refresh }: Connection): OAuthRecord.Tokens => ({
  access: Option.fromNullable(access),
  refresh: Option.fromNullable(refresh),
  expiresAt: Option.fromNullable(expiresAt),
  lifetime: Option.none(),
  scopes: []
})
