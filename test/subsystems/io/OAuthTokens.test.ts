import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Either, FastCheck, Fiber, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { exportJWK, exportPKCS8, generateKeyPair } from "jose"
import { join } from "node:path"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import * as Access from "../../../src/security/Access.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ManagedVault } from "../../../src/security/ManagedVault.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as OAuthRecord from "../../../src/subsystems/io/OAuthRecord.ts"
import * as OAuthTokens from "../../../src/subsystems/io/OAuthTokens.ts"
import * as HttpServer from "../../fixtures/HttpServer.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"
import * as OidcProvider from "../../fixtures/OidcProvider.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const ann = Candidate.user("ann")

/** One process: the services on a file of tokens, with the servers' ports opened. */
const open = (
  file: string,
  rules: ReadonlyArray<string>,
  secrets: Record<string, Record<string, string>> = {}
) =>
  Effect.map(
    Layer.build(Layer.fresh(
      OAuthTokens.layer().pipe(
        Layer.provideMerge(
          Layer.mergeAll(
            JSONFileManagedVault.layer({ file }),
            Layer.provide(Vault.layer, memoryVault(secrets)),
            UndiciOutbound.layer({ allow: rules })
          ).pipe(Layer.provide(Layer.succeed(Access.Teams, () => Effect.succeed(["t1"]))))
        )
      )
    )),
    (context) => ({ tokens: Context.get(context, OAuthTokens.OAuthTokens), vault: Context.get(context, ManagedVault) })
  )

const process = (...rules: ReadonlyArray<string>) =>
  Effect.flatMap(tempFolder, (folder) => open(join(folder, "tokens.json"), rules))

const { id: clientId, secret } = OidcProvider.client
const clientSecret = Redacted.make(secret)

/** A connection whose token has ended. */
const ended = (provider: OidcProvider.OidcProvider) =>
  Effect.map(Effect.promise(() => provider.authorize("ann")), (refresh): OAuthTokens.Connection => ({
    tokenUrl: provider.tokenUrl,
    clientId,
    clientSecret,
    authentication: "basic",
    access: Redacted.make("ended"),
    refresh: Redacted.make(refresh),
    expiresAt: 1
  }))

const text = ({ value }: OAuthTokens.AccessToken) => Redacted.value(value)
const exchanges = ({ requests }: OidcProvider.OidcProvider) => requests.filter((one) => one === "POST /token").length

describe("a connection somebody authorized", () => {
  it.scopedLive("is renewed when its token ends, keeps the refresh token that replaces the used one, and not before", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens } = yield* process(provider.rule)
      yield* tokens.save("drive", yield* ended(provider))
      const first = yield* tokens.get("drive")
      assert.isAbove(Option.getOrThrow(first.expiresAt), yield* Clock.currentTimeMillis)
      assert.sameMembers([...first.scopes], ["read", "write"])
      assert.strictEqual(text(yield* tokens.get("drive")), text(first))
      assert.strictEqual(exchanges(provider), 1)
      const second = yield* tokens.get("drive", { rejected: first.value })
      const third = yield* tokens.get("drive", { rejected: second.value })
      assert.strictEqual(new Set([first, second, third].map(text)).size, 3)
      assert.strictEqual(text(yield* tokens.get("drive", { rejected: first.value })), text(third))
      assert.strictEqual(exchanges(provider), 3)
    }).pipe(Candidate.as(ann)))

  it.scopedLive("100 who ask at once renew it once, and in two processes as well", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const file = join(yield* tempFolder, "tokens.json")
      const one = yield* open(file, [provider.rule])
      const other = yield* open(file, [provider.rule])
      yield* one.tokens.save("drive", yield* ended(provider))
      const seen = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n % 2 === 0 ? one : other),
        ({ tokens }) => tokens.get("drive"),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(seen.map(text)).size, 1)
      assert.strictEqual(exchanges(provider), 1)
    }).pipe(Candidate.as(ann)))

  it.scopedLive("is asked for anew when it was revoked, as often as one asks", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens } = yield* process(provider.rule)
      yield* tokens.save("drive", yield* ended(provider))
      yield* Effect.promise(provider.revoke)
      for (let times = 0; times < 2; times++) {
        const error = yield* Effect.flip(tokens.get("drive"))
        assert.strictEqual(error._tag, "ReauthorizationNeeded")
        assert.include(error.message, "\"drive\"")
      }
      yield* tokens.save("drive", yield* ended(provider))
      assert.notStrictEqual(text(yield* tokens.get("drive")), "ended")
      yield* tokens.remove("drive")
      assert.strictEqual((yield* Effect.flip(tokens.get("drive")))._tag, "SecretNotFound")
    }).pipe(Candidate.as(ann)))

  it.scopedLive("what was renewed is stored when nobody waits for it any more", () =>
    Effect.gen(function*() {
      let answer = () => {}
      const server = yield* HttpServer.make((_, response) => {
        answer = () => HttpServer.json(response, 200, { access_token: "new", refresh_token: "r2", expires_in: 3600 })
      })
      const { tokens } = yield* process(server.rule)
      yield* tokens.save("drive", {
        tokenUrl: server.url,
        clientId,
        access: Redacted.make("old"),
        refresh: Redacted.make("r1"),
        expiresAt: 1
      })
      const impatient = yield* Effect.fork(tokens.get("drive"))
      while (server.requests.length === 0) yield* Effect.sleep("5 millis")
      yield* Fiber.interrupt(impatient)
      answer()
      assert.strictEqual(text(yield* tokens.get("drive")), "new")
      assert.lengthOf(server.requests, 1)
    }).pipe(Candidate.as(ann)))

  it.scopedLive("tokens that live for less than the leeway are used for a while all the same", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make({ ttl: 30 })
      const { tokens } = yield* process(provider.rule)
      yield* tokens.save("drive", yield* ended(provider))
      const first = yield* tokens.get("drive")
      assert.strictEqual(text(yield* tokens.get("drive")), text(first))
      assert.strictEqual(exchanges(provider), 1)
    }).pipe(Candidate.as(ann)))

  it.scopedLive("a token without an end and without a means to renew it is used as it is", () =>
    Effect.gen(function*() {
      const { tokens } = yield* process()
      yield* tokens.save("drive", { tokenUrl: "", clientId, access: Redacted.make("forever") })
      assert.strictEqual(text(yield* tokens.get("drive")), "forever")
      yield* tokens.save("drive", { tokenUrl: "", clientId, access: Redacted.make("brief"), expiresAt: 1 })
      assert.strictEqual((yield* Effect.flip(tokens.get("drive")))._tag, "ReauthorizationNeeded")
    }).pipe(Candidate.as(ann)))

  it.scopedLive("a server that is out of order takes no token away that is still good, and is told when none is", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens } = yield* process(provider.rule)
      provider.fail(503)
      const connection = yield* ended(provider)
      const now = yield* Clock.currentTimeMillis
      yield* tokens.save("drive", { ...connection, access: Redacted.make("good"), expiresAt: now + 30_000 })
      assert.strictEqual(text(yield* tokens.get("drive")), "good")
      yield* tokens.save("drive", connection)
      const error = yield* Effect.flip(tokens.get("drive"))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unavailable" })
      provider.fail(undefined)
      assert.notStrictEqual(text(yield* tokens.get("drive")), "ended")
    }).pipe(Candidate.as(ann)))
})

describe("client credentials", () => {
  it.scopedLive("give a token without anybody's authorization, by header and by body, with secrets of the vault", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens } = yield* open(join(yield* tempFolder, "tokens.json"), [provider.rule], {
        "user:ann": { app: secret }
      })
      const connection = {
        tokenUrl: provider.tokenUrl,
        clientSecret: Redacted.make("{{KEY(app)}}"),
        scope: "read",
        grant: "client_credentials"
      } as const
      yield* tokens.save("basic", { ...connection, clientId, authentication: "basic" })
      yield* tokens.save("body", { ...connection, clientId: "poster" })
      for (const key of ["basic", "body"]) {
        const token = yield* tokens.get(key)
        assert.deepStrictEqual(token.scopes, ["read"])
        assert.strictEqual(text(yield* tokens.get(key)), text(token))
      }
      assert.strictEqual(exchanges(provider), 2)
    }).pipe(Candidate.as(ann)))

  it.scopedLive("prove themselves with a private key, as PEM or JWK, to the issuer or the token endpoint", () =>
    Effect.gen(function*() {
      const pairs = yield* Effect.promise(() =>
        Promise.all(["RS256", "ES256", "ES384", "ES512", "EdDSA"].map(async (alg) => {
          const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
          return { alg, privateKey, jwk: { ...await exportJWK(publicKey), alg } }
        }))
      )
      const keys = Object.fromEntries(pairs.map(({ alg, jwk }) => [alg, jwk]))
      const provider = yield* OidcProvider.make({ keys })
      const { tokens } = yield* process(provider.rule)
      const connection = (clientId: string, privateKey: string) => ({
        tokenUrl: provider.tokenUrl,
        clientId,
        clientSecret: Redacted.make(privateKey),
        authentication: "private_key_jwt",
        grant: "client_credentials",
        scope: "read"
      } as const)
      for (const { alg, privateKey } of pairs) {
        const pem = yield* Effect.promise(() => exportPKCS8(privateKey))
        const jwk = yield* Effect.promise(async () => JSON.stringify(await exportJWK(privateKey)))
        yield* tokens.save(`${alg}-pem`, connection(alg, pem))
        yield* tokens.save(`${alg}-jwk`, { ...connection(alg, jwk), issuer: provider.issuer })
        for (const key of [`${alg}-pem`, `${alg}-jwk`]) {
          assert.deepStrictEqual((yield* tokens.get(key)).scopes, ["read"], key)
        }
      }
      const [{ privateKey }] = pairs as [typeof pairs[number]]
      const wrongKey = yield* Effect.promise(() => exportPKCS8(privateKey))
      yield* tokens.save("other", connection("ES256", wrongKey))
      assert.include((yield* Effect.flip(tokens.get("other"))).message, "invalid_client")
      yield* tokens.save("none", connection("RS256", "hunter2"))
      const unreadable = yield* Effect.flip(tokens.get("none"))
      assert.include(unreadable.message, "neither PEM nor a JWK")
      assert.notInclude(JSON.stringify(unreadable), "hunter2")
      yield* tokens.save("foreign", { ...connection("RS256", wrongKey), issuer: "https://elsewhere.example" })
      assert.include((yield* Effect.flip(tokens.get("foreign"))).message, "invalid_client")
    }).pipe(Candidate.as(ann)))

  it.scopedLive("of a team take the team's secrets, never those of the member who uses them", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens } = yield* open(join(yield* tempFolder, "tokens.json"), [provider.rule], {
        "user:ann": { app: "ann's own", own: secret },
        "team:t1": { app: secret }
      })
      const connection = {
        tokenUrl: provider.tokenUrl,
        clientId: "poster",
        clientSecret: Redacted.make("{{KEY(app)}}"),
        grant: "client_credentials"
      } as const
      yield* tokens.save("smythfs://t1.team/drive", connection)
      assert.isNotEmpty(text(yield* tokens.get("smythfs://t1.team/drive")))
      yield* tokens.save("smythfs://t1.team/trap", { ...connection, clientSecret: Redacted.make("{{KEY(own)}}") })
      assert.include((yield* Effect.flip(tokens.get("smythfs://t1.team/trap"))).message, "own")
      assert.strictEqual(exchanges(provider), 1)
    }).pipe(Candidate.as(ann)))

  it.scopedLive("a wrong secret, a wrong address and a forbidden one are told apart, and nothing secret is told", () => {
    const logged: Array<string> = []
    return Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens, vault } = yield* process(provider.rule)
      const wrong = {
        tokenUrl: provider.tokenUrl,
        clientId,
        clientSecret: Redacted.make("hunter2"),
        grant: "client_credentials",
        authentication: "basic"
      } as const
      const cases: ReadonlyArray<readonly [OAuthTokens.Connection, string]> = [
        [wrong, "invalid_client"],
        [{ ...wrong, clientId: "nobody" }, "invalid_client"],
        [{ ...wrong, tokenUrl: `${provider.issuer}/nothing` }, "token endpoint"],
        [{ ...wrong, tokenUrl: "http://10.0.0.1/token" }, "refused"],
        [{ ...wrong, tokenUrl: "" }, "absolute URL"],
        [{ ...wrong, clientSecret: Redacted.make("{{KEY(missing)}}") }, "missing"]
      ]
      for (const [connection, told] of cases) {
        yield* tokens.save("c", connection)
        const error = yield* Effect.flip(tokens.get("c"))
        assert.include(error.message, told)
        logged.push(JSON.stringify(error))
      }
      for (
        const stored of [
          "hunter2",
          "[]",
          "{\"primary\":{\"hunter2\":1}}",
          "{\"type\":\"oauth\",\"primary\":\"hunter2\"}"
        ]
      ) {
        yield* vault.set("c", Redacted.make(stored))
        const error = yield* Effect.flip(tokens.get("c"))
        assert.strictEqual(error._tag, "InvalidConnection")
        logged.push(error.message)
      }
      assert.notInclude(logged.join("\n"), "hunter2")
      assert.notInclude(logged.join("\n"), secret)
    }).pipe(
      Candidate.as(ann),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ cause, message }) => logged.push(`${String(message)} ${JSON.stringify(cause)}`))
        )
      )
    )
  })
})

describe("whose it is", () => {
  it.scopedLive("is nobody else's", () =>
    Effect.gen(function*() {
      const provider = yield* OidcProvider.make()
      const { tokens } = yield* process(provider.rule)
      yield* Candidate.as(tokens.save("drive", yield* ended(provider)), ann)
      const key = "smythfs://ann.user/drive"
      for (const method of [tokens.get(key), tokens.save(key, { tokenUrl: "", clientId }), tokens.remove(key)]) {
        assert.strictEqual(
          (yield* Effect.flip(method as Effect.Effect<unknown, { readonly _tag: string }>))._tag,
          "NoCandidate"
        )
        assert.strictEqual(
          (yield* Effect.flip(
            Candidate.as(method as Effect.Effect<unknown, { readonly _tag: string }>, Candidate.user("bob"))
          ))._tag,
          "AccessDenied"
        )
      }
      assert.strictEqual(
        (yield* Effect.flip(Candidate.as(tokens.get("drive"), Candidate.user("bob"))))._tag,
        "SecretNotFound"
      )
      assert.strictEqual(exchanges(provider), 0)
    }))
})

describe("what is stored", () => {
  it("is read in both layouts, and written in the one it had, with what others keep there", () => {
    const settings = { type: "oauth2", tokenURL: "https://a/t", clientID: "c", clientSecret: "s", scope: "a b" }
    const data = { primary: "p", secondary: "r", expires_in: "1700000000000" }
    for (
      const raw of [
        { auth_data: data, auth_settings: settings, note: 1 },
        { ...data, ...settings, note: 1 },
        { ...data, oauth_info: settings, note: 1 }
      ]
    ) {
      const record = Either.getOrThrow(OAuthRecord.parse(Redacted.make(JSON.stringify(raw))))
      assert.strictEqual(record.client.tokenUrl, "https://a/t")
      assert.deepStrictEqual(record.tokens.expiresAt, Option.some(1_700_000_000_000))
      assert.deepStrictEqual(record.tokens.scopes, ["a", "b"])
      const next = OAuthRecord.withTokens(record, { ...record.tokens, refresh: Option.some(Redacted.make("r2")) })
      const stored = JSON.parse(Redacted.value(next)) as Record<string, unknown>
      assert.strictEqual(stored["note"], 1)
      assert.strictEqual(((stored["auth_data"] ?? stored) as { secondary: string }).secondary, "r2")
    }
  })

  it.prop("never throws, whatever it is", [FastCheck.oneof(FastCheck.json(), FastCheck.string())], ([stored]) => {
    OAuthRecord.parse(Redacted.make(stored))
  })
})
