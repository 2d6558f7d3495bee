/**
 * Account on an OpenID issuer: a signed access token says who asks, and its claims which teams and roles that is. What was
 * last said of a user counts for a while, for work that goes on when the request is answered; each process knows of the
 * tokens it has seen.
 */
import { Clock, Config, Data, Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as TemplateString from "../../kernel/TemplateString.ts"
import * as Account from "../../security/Account.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as JsonHttp from "../JsonHttp.ts"
import * as AccountData from "./AccountData.ts"
import * as IssuerKeys from "./IssuerKeys.ts"
import * as Memberships from "./Memberships.ts"

/** With public keys: a symmetric one would be a secret of the issuer's clients, and `none` is no signature. */
const Algorithm = Schema.Literal(
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519"
)

/** Where in the token something is: a claim's name, else a path: `realm_access.roles`. */
const Claim = Schema.NonEmptyString

const OIDCAccountSettings = Schema.Struct({
  /** `https://login.example.org`; its configuration is below it, at `/.well-known/openid-configuration`. */
  issuer: JsonHttp.BaseUrl,
  /** What tokens have to be for; one of several. */
  audience: Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)),
  /** Signatures that are accepted. */
  algorithms: Schema.optionalWith(Schema.NonEmptyArray(Algorithm), {
    default: (): [typeof Algorithm.Type, ...Array<typeof Algorithm.Type>] => ["RS256", "PS256", "ES256", "EdDSA"]
  }),
  /** How far clocks may differ, in milliseconds where a configuration writes it. Default 30 s. */
  clockTolerance: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) }),
  /** Where a token says who it is of: `{ user = "sub", teams = "groups", roles = "roles", settings }`. */
  claims: Schema.optionalWith(
    Schema.Struct({
      /** The id of the user. */
      user: Schema.optionalWith(Claim, { default: () => "sub" }),
      /** A list of text, or one. */
      teams: Schema.optionalWith(Claim, { default: () => "groups" }),
      /** Named like roles in `data`: `writer`, or `t1/writer` for the one of a team. */
      roles: Schema.optionalWith(Claim, { default: () => "roles" }),
      /** Settings of the user and the claims they are in: `{ "mail": "email" }`. */
      settings: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Claim }), { default: () => ({}) })
    }),
    { default: () => ({ user: "sub", teams: "groups", roles: "roles", settings: {} }) }
  ),
  /** What a team is called here, where that is not the name in the claim: `{ "/SRE Team": "sre" }`. */
  teamNames: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.NonEmptyString }), {
    default: () => ({})
  }),
  /** Clients whose own tokens are those of an agent: `{ "<sub>": "a1" }`. */
  agents: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Candidate.CandidateId }), {
    default: () => ({})
  }),
  /** Agents, settings of teams and what roles let one do, which the issuer does not know. */
  data: Schema.optionalWith(AccountData.Teams, { default: () => ({}) }),
  /** How long what a token said of a user counts. Default 8 hours. */
  remember: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.hours(8) }),
  /** Between two looks at the issuer's keys for one that is not known. Default 30 s. */
  keysCooldown: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(30) }),
  /** For one request to the issuer. Default 10 s. */
  timeout: Schema.optionalWith(Schema.DurationFromMillis, { default: () => Duration.seconds(10) })
})

export const OIDCAccount = Connector.make({
  name: "OIDCAccount",
  aliases: ["OIDC", "OpenID"],
  contract: Account.AccountConnector,
  service: Account.layer,
  settings: OIDCAccountSettings,
  make: Effect.fnUntraced(function*(settings) {
    const { agents, algorithms, audience, claims, clockTolerance, data, keysCooldown, remember, teamNames } = settings
    const jose = yield* Connector.vendor(name, "jose", () => import("jose"))
    const http = yield* JsonHttp.make(name, settings.timeout)
    const { issuer, known, newer } = yield* IssuerKeys.open(http, {
      connector: name,
      issuer: settings.issuer,
      cooldown: keysCooldown
    })
    const people = Memberships.memory<Memberships.Person>(10_000, remember)

    const verified = (token: string, keys: Parameters<typeof jose.createLocalJWKSet>[0]) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.tryPromise({
          try: () =>
            jose.jwtVerify(token, jose.createLocalJWKSet(keys), {
              algorithms: [...algorithms],
              issuer,
              audience: typeof audience === "string" ? audience : [...audience],
              clockTolerance: Duration.toSeconds(clockTolerance),
              requiredClaims: ["exp", "sub"],
              currentDate: new Date(now)
            }),
          catch: (cause) =>
            new NotVerified({
              problem: cause instanceof jose.errors.JWTExpired ? "the token has expired" : "the token is not valid",
              unknownKey: cause instanceof jose.errors.JWKSNoMatchingKey
            })
        }))

    const payload = Effect.fnUntraced(function*(token: string) {
      const { payload } = yield* Effect.flatMap(known, (keys) => verified(token, keys)).pipe(
        Effect.catchIf(
          ({ unknownKey }) => unknownKey,
          () => Effect.flatMap(newer, (keys) => verified(token, keys))
        ),
        Effect.catchTag("NotVerified", ({ problem }) => new Account.Unauthenticated({ problem }))
      )
      return payload as TemplateString.Data & { readonly sub: string }
    })

    const personOf = (payload: TemplateString.Data): Memberships.Person => ({
      teams: texts(lookup(claims.teams, payload))
        .map((team) => Object.hasOwn(teamNames, team) ? teamNames[team] ?? team : team)
        .filter(isId),
      roles: texts(lookup(claims.roles, payload)),
      settings: Object.fromEntries(
        Object.entries(claims.settings).flatMap(([setting, claim]) => {
          const value = lookup(claim, payload)
          return value === undefined ? [] : [[setting, value]]
        })
      )
    })

    return Account.AccountConnector.of({
      ...Memberships.make(data, {
        person: people.get,
        users: (team) =>
          Effect.map(people.all, (all) => {
            const users = all.filter(([, { teams }]) => teams.includes(team)).map(([id]) => id)
            return users.length === 0 ? Option.none() : Option.some(users)
          })
      }),
      authenticate: Effect.fnUntraced(function*(credential) {
        const claimed = yield* payload(Redacted.value(credential))
        if (Object.hasOwn(agents, claimed.sub)) return Candidate.agent(agents[claimed.sub] ?? "")
        const id = lookup(claims.user, claimed)
        // An address nobody has shown to be theirs is a name anybody may choose.
        if (!isId(id) || (claims.user === "email" && claimed["email_verified"] === false)) {
          return yield* new Account.Unauthenticated({ problem: "the token names nobody" })
        }
        yield* people.set(id, personOf(claimed))
        return Candidate.user(id)
      })
    })
  })
})

/**
 * Tokens of `OIDC_ISSUER` for `OIDC_AUDIENCE`, with the user's id, teams and roles in the claims `OIDC_USER_CLAIM`,
 * `OIDC_TEAMS_CLAIM` and `OIDC_ROLES_CLAIM`.
 */
export const OIDCAccountLive = OIDCAccount.layerConfig(Config.all({
  issuer: Schema.Config("OIDC_ISSUER", JsonHttp.BaseUrl),
  audience: Config.nonEmptyString("OIDC_AUDIENCE"),
  algorithms: Config.succeed<typeof OIDCAccountSettings.Type["algorithms"]>(["RS256", "PS256", "ES256", "EdDSA"]),
  clockTolerance: Config.succeed(Duration.seconds(30)),
  claims: Config.all({
    user: Config.withDefault(Config.nonEmptyString("OIDC_USER_CLAIM"), "sub"),
    teams: Config.withDefault(Config.nonEmptyString("OIDC_TEAMS_CLAIM"), "groups"),
    roles: Config.withDefault(Config.nonEmptyString("OIDC_ROLES_CLAIM"), "roles"),
    settings: Config.succeed({})
  }),
  teamNames: Config.succeed({}),
  agents: Config.succeed({}),
  data: Config.succeed({}),
  remember: Config.succeed(Duration.hours(8)),
  keysCooldown: Config.succeed(Duration.seconds(30)),
  timeout: Config.succeed(Duration.seconds(10))
}))

const name = "OIDCAccount"

class NotVerified extends Data.TaggedError("NotVerified")<{ readonly problem: string; readonly unknownKey: boolean }> {}

const isId = Schema.is(Candidate.CandidateId)

const lookup = (claim: string, payload: TemplateString.Data): unknown =>
  TemplateString.raw(TemplateString.parse(`{{${claim}}}`), payload)

const texts = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === "string")
