import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Redacted } from "effect"
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose"
import { OIDCAccount, OIDCAccountLive } from "../../../src/connectors/account/OIDCAccount.ts"
import { Account, AccountConnector } from "../../../src/security/Account.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { data, suite } from "../../../src/testing/conformance/account.ts"
import * as faults from "../../conformance/faults.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import * as OidcProvider from "../../fixtures/OidcProvider.ts"

type Settings = Parameters<typeof OIDCAccount.contract>[0]

const { audience } = OidcProvider

const connect = (issuer: string, settings: Partial<Settings> = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(OIDCAccount.contract({ issuer, audience, ...settings }))),
    Context.get(AccountConnector)
  )

const token = (provider: OidcProvider.OidcProvider, account: string) =>
  Effect.map(Effect.promise(() => provider.token(account)), Redacted.make)

const refused = (account: typeof AccountConnector.Service, token: Redacted.Redacted) =>
  Effect.map(Effect.flip(account.authenticate(token)), (error) => {
    assert.strictEqual(error._tag, "Unauthenticated")
    assert.notInclude(error.message, Redacted.value(token).slice(0, 20))
    return error.message
  })

const keysAsked = ({ requests }: OidcProvider.OidcProvider) => requests.filter((one) => one === "GET /jwks").length

describe("with a real provider", () => {
  it.scopedLive("its tokens say who asks, in which teams, with which roles", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make({
        claims: {
          ann: {
            groups: ["t1", "/SRE Team", "not an id"],
            realm: { roles: ["writer", "t2/reader"] },
            email: "a@x.example"
          },
          app: { groups: ["t1"] }
        }
      })
      const account = yield* connect(provider.issuer, {
        claims: { roles: "realm.roles", settings: { mail: "email" } },
        teamNames: { "/SRE Team": "sre" },
        data: { sre: { roles: { writer: ["NKV: owner"], reader: ["Storage: read"] } } }
      })
      const ann = Candidate.user("ann")
      assert.deepStrictEqual(yield* account.teamsOf(ann), [])
      assert.deepStrictEqual(yield* account.authenticate(yield* token(provider, "ann")), ann)
      assert.deepStrictEqual(yield* account.teamsOf(ann), ["sre", "t1"])
      assert.deepStrictEqual(yield* account.members("sre"), [ann])
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.team("sre")), ["sre"])
      assert.deepStrictEqual(yield* account.settings(ann), { mail: "a@x.example" })
      const permissions = yield* Effect.flatten(account.permissions(ann, "sre"))
      assert.deepStrictEqual(permissions, [{ service: "NKV", levels: ["owner"], resource: "*" }])
    }))

  it.scopedLive("one of a client is an agent's where the operator says so", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { access_token } = yield* Effect.promise(async () => {
        const answer = await fetch(provider.tokenUrl, {
          method: "POST",
          body: new URLSearchParams({
            grant_type: "client_credentials",
            client_id: "poster",
            client_secret: OidcProvider.client.secret,
            resource: audience
          })
        })
        return await answer.json() as { access_token: string }
      })
      const account = yield* connect(provider.issuer, { agents: { poster: "a1" } })
      assert.deepStrictEqual(yield* account.authenticate(Redacted.make(access_token)), Candidate.agent("a1"))
    }))

  it.scopedLive("new keys are found when a token is signed with one, and old ones are no longer good", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make({ alg: "ES256" })
      const account = yield* connect(provider.issuer, { keysCooldown: 0 })
      const old = yield* token(provider, "ann")
      yield* account.authenticate(old)
      yield* Effect.promise(provider.rotate)
      assert.deepStrictEqual(yield* account.authenticate(yield* token(provider, "ann")), Candidate.user("ann"))
      yield* refused(account, old)
    }))

  it.scopedLive("tokens of unknown keys do not make it ask the issuer again and again", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const other = yield* OidcProvider.make()
      const account = yield* connect(provider.issuer, { keysCooldown: 60_000 })
      const foreign = yield* token(other, "ann")
      yield* Effect.all(Array.from({ length: 20 }, () => refused(account, foreign)), { concurrency: "unbounded" })
      assert.strictEqual(keysAsked(provider), 1)
      const eager = yield* connect(provider.issuer, { keysCooldown: 0 })
      yield* refused(eager, foreign)
      assert.isAbove(keysAsked(provider), 2)
    }))

  it.scopedLive("an issuer that is out of order is no reason to refuse a token, but one to come back later", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const other = yield* OidcProvider.make()
      const account = yield* connect(provider.issuer, { keysCooldown: 0 })
      const good = yield* token(provider, "ann")
      const unknown = yield* token(other, "ann")
      provider.fail(503)
      assert.deepStrictEqual(yield* account.authenticate(good), Candidate.user("ann"))
      const error = yield* Effect.flip(account.authenticate(unknown))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unavailable" })
    }))

  it.scopedLive("is configured by variables", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make({ claims: { ann: { teams: "t1" } } })
      const environment = ConfigProvider.fromMap(
        new Map([["OIDC_ISSUER", `${provider.issuer}/`], ["OIDC_AUDIENCE", audience], ["OIDC_TEAMS_CLAIM", "teams"]])
      )
      const credential = yield* token(provider, "ann")
      const teams = yield* Effect.gen(function*() {
        const account = yield* Account
        const ann = yield* account.authenticate(credential)
        return yield* Candidate.as(account.teamsOf(ann), ann)
      }).pipe(Effect.provide(Layer.provide(OIDCAccountLive, Layer.setConfigProvider(environment))))
      assert.deepStrictEqual(teams, ["t1"])
    }))
})

/** An issuer whose tokens one signs oneself. */
const issuing = Effect.gen(function*() {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("RS256", { extractable: true }))
  const jwk = yield* Effect.promise(() => exportJWK(publicKey))
  const server = yield* HttpServer.make(({ url }, response) =>
    HttpServer.json(
      response,
      200,
      url === "/keys"
        ? { keys: [{ ...jwk, kid: "k1", use: "sig" }] }
        : { issuer: server.url, jwks_uri: `${server.url}/keys` }
    )
  )
  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
  const claims = { sub: "ann", iss: server.url, aud: audience, exp: inSeconds(3600) }
  const sign = (payload: JWTPayload, header = {}, key: typeof privateKey | Uint8Array = privateKey) =>
    Effect.map(
      Effect.promise(() =>
        new SignJWT({ ...claims, ...payload }).setProtectedHeader({ alg: "RS256", kid: "k1", ...header }).sign(key)
      ),
      Redacted.make
    )
  return { url: server.url, claims, inSeconds, publicKey, sign }
})

describe("a token", () => {
  it.scopedLive("is of this issuer, for this audience, in its time, give or take the tolerance", () =>
    Effect.gen(function*() {
      const { claims, inSeconds, sign, url } = yield* issuing
      const account = yield* connect(url, { audience: ["other", audience] })
      for (const payload of [{}, { aud: ["x", "other"] }, { exp: inSeconds(-10) }, { nbf: inSeconds(10) }]) {
        assert.deepStrictEqual(yield* account.authenticate(yield* sign(payload)), Candidate.user("ann"))
      }
      const wrong = [
        { iss: "https://other.example" },
        { aud: "urn:other" },
        { nbf: inSeconds(60) },
        { sub: "a b" },
        { sub: "" }
      ]
      for (const payload of wrong) yield* refused(account, yield* sign(payload))
      assert.include(yield* refused(account, yield* sign({ exp: inSeconds(-60) })), "expired")
      const strict = yield* connect(url, { clockTolerance: 0 })
      yield* refused(strict, yield* sign({ exp: inSeconds(-10) }))
      yield* refused(account, Redacted.make(new UnsecuredJWT(claims).encode()))
    }))

  it.scopedLive("is signed with the issuer's key, by an algorithm that was allowed, and not changed", () =>
    Effect.gen(function*() {
      const { publicKey, sign, url } = yield* issuing
      const account = yield* connect(url, { keysCooldown: 0 })
      const other = yield* Effect.promise(() => generateKeyPair("RS256"))
      yield* refused(account, yield* sign({}, {}, other.privateKey))
      yield* refused(account, yield* sign({}, { kid: "k2" }))
      const pem = new TextEncoder().encode(yield* Effect.promise(() => exportSPKI(publicKey)))
      yield* refused(account, yield* sign({}, { alg: "HS256" }, pem))
      const [head, , signature] = Redacted.value(yield* sign({})).split(".")
      const forged = Buffer.from(JSON.stringify({ sub: "root" })).toString("base64url")
      yield* refused(account, Redacted.make([head, forged, signature].join(".")))
      const narrow = yield* connect(url, { algorithms: ["ES256"] })
      yield* refused(narrow, yield* sign({}))
    }))

  it.scopedLive("names its user by the claim the operator chose; an address that is not verified names nobody", () =>
    Effect.gen(function*() {
      const { sign, url } = yield* issuing
      const account = yield* connect(url, { claims: { user: "email" } })
      const email = "ann@x.example"
      assert.deepStrictEqual(
        yield* account.authenticate(yield* sign({ email, email_verified: true })),
        Candidate.user(email)
      )
      yield* refused(account, yield* sign({ email, email_verified: false }))
      yield* refused(account, yield* sign({}))
      const namespaced = yield* connect(url, { claims: { user: "https://x.example/id" } })
      assert.deepStrictEqual(
        yield* namespaced.authenticate(yield* sign({ "https://x.example/id": "bob" })),
        Candidate.user("bob")
      )
    }))

  it.scopedLive("the last one counts for memberships, for as long as they are remembered", () =>
    Effect.gen(function*() {
      const { sign, url } = yield* issuing
      const account = yield* connect(url)
      const teams = account.teamsOf(Candidate.user("ann"))
      yield* account.authenticate(yield* sign({ groups: ["t1", "t2"] }))
      assert.deepStrictEqual(yield* teams, ["t1", "t2"])
      yield* account.authenticate(yield* sign({ groups: ["t2"] }))
      assert.deepStrictEqual(yield* teams, ["t2"])
      const forgetful = yield* connect(url, { remember: 0 })
      yield* forgetful.authenticate(yield* sign({ groups: ["t1"] }))
      assert.deepStrictEqual(yield* forgetful.teamsOf(Candidate.user("ann")), [])
    }))
})

describe("the issuer", () => {
  it.scopedLive("has to be one, and the one that was meant", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) =>
        url.startsWith("/other")
          ? HttpServer.json(response, 200, { issuer: "https://other.example", jwks_uri: "https://other.example/keys" })
          : url.startsWith("/broken")
          ? HttpServer.json(response, 503, {})
          : HttpServer.json(response, 404, {})
      )
      const cases: ReadonlyArray<readonly [Settings, string, string]> = [
        [{ issuer: `${server.url}/nothing`, audience }, "BootError", "OpenID configuration"],
        [{ issuer: `${server.url}/other`, audience }, "BootError", "other.example"],
        [{ issuer: `${server.url}/broken`, audience }, "Unavailable", "503"],
        [{ issuer: "http://127.0.0.1:1", audience }, "Unavailable", "127.0.0.1:1"],
        [{ issuer: "login.example.org", audience }, "BootError", "issuer"],
        [{ issuer: server.url, audience: "" }, "BootError", "audience"]
      ]
      for (const [settings, kind, told] of cases) {
        const error = yield* Effect.flip(Layer.build(OIDCAccount.contract(settings)))
        assert.strictEqual(error._tag === "ConnectorError" ? error.reason : error._tag, kind, error.message)
        assert.include(error.message, told)
      }
    }))
})

/** The suite asks about people whose tokens were seen; agents, settings of teams and roles are the operator's. */
const claims = {
  u1: { groups: ["t1"], theme: "dark" },
  both: { groups: ["t1", "t2"] },
  editor: { groups: ["t4"], roles: ["reader", "writer", "stranger"] },
  plain: { groups: ["t4"] }
}
const seen = Effect.gen(function*() {
  const provider = yield* OidcProvider.make({ claims })
  const connector = OIDCAccount.contract({
    issuer: provider.issuer,
    audience,
    claims: { settings: { theme: "theme" } },
    data: {
      t1: { agents: data.t1.agents, settings: data.t1.settings },
      t4: { agents: data.t4.agents, roles: data.t4.roles }
    }
  })
  return Layer.tap(
    connector,
    (context) =>
      Effect.forEach(
        Object.keys(claims),
        (id) => Effect.flatMap(token(provider, id), Context.get(context, AccountConnector).authenticate)
      )
  )
})

suite("OIDCAccount", Layer.unwrapScoped(seen))

/** Has a new key at every look; behind a proxy it is the issuer that its clients think it is. */
const rotating = Effect.gen(function*() {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("RS256"))
  const jwk = yield* Effect.promise(() => exportJWK(publicKey))
  let looks = 0
  const server = yield* HttpServer.make(({ headers, url }, response) => {
    const issuer = `http://${headers.host}`
    HttpServer.json(
      response,
      200,
      url === "/keys" ? { keys: [{ ...jwk, kid: `k${++looks}`, use: "sig" }] } : { issuer, jwks_uri: `${issuer}/keys` }
    )
  })
  /** Of the key that the next look will find. */
  const next = (issuer: string) =>
    Effect.promise(() =>
      new SignJWT({ sub: "ann", iss: issuer, aud: audience, exp: Math.floor(Date.now() / 1000) + 3600 })
        .setProtectedHeader({ alg: "RS256", kid: `k${looks + 1}` }).sign(privateKey)
    )
  return { port: server.port, next }
})

let rotated: Effect.Effect.Success<typeof rotating>
let issuer = ""
faults.suite("OIDCAccount", {
  server: Effect.map(rotating, (server) => (rotated = server).port),
  connector: ({ port, timeoutMillis }) => {
    issuer = `http://127.0.0.1:${port}`
    return OIDCAccount.contract({ issuer, audience, keysCooldown: 0, timeout: timeoutMillis })
  },
  read: Effect.flatMap(AccountConnector, (account) =>
    Effect.flatMap(
      Effect.suspend(() => rotated.next(issuer)),
      (token) => account.authenticate(Redacted.make(token))
    ))
})
