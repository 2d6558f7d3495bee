import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Layer, Logger, Redacted, TestClock } from "effect"
import { type JWTPayload, SignJWT } from "jose"
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encrypt, JSONFileAccount, JSONFileAccountLive } from "../../../src/connectors/account/JSONFileAccount.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import { AccountConnector } from "../../../src/security/Account.ts"
import * as ApiKey from "../../../src/security/ApiKey.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { data, suite } from "../../../src/testing/conformance/account.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

type Settings = Parameters<typeof JSONFileAccount.contract>[0]

const write = (file: string, content: unknown) =>
  Effect.promise(() => writeFile(file, typeof content === "string" ? content : JSON.stringify(content)))

const accountFile = (content: unknown) =>
  Effect.gen(function*() {
    const file = join(yield* tempFolder, "account.json")
    yield* write(file, content)
    return file
  })

const opened = (settings: Settings) =>
  Effect.map(
    Layer.build(Layer.fresh(JSONFileAccount.contract(settings))),
    (context) => context.unsafeMap.get(AccountConnector.key) as typeof AccountConnector.Service
  )

const opening = (content: unknown) =>
  Effect.flatMap(accountFile(content), (file) =>
    Effect.map(Effect.flip(opened({ file })), (error) => {
      assert.instanceOf(error, ConnectorError)
      return error as ConnectorError
    }))

describe("API keys", () => {
  it.scoped("are known by their hash alone, and only while their owner is in the account", () =>
    Effect.gen(function*() {
      const { hash, key } = yield* ApiKey.make
      const gone = yield* ApiKey.make
      const file = yield* accountFile({ ...data, apiKeys: { [hash]: "agent:a1", [gone.hash]: "user:gone" } })
      const account = yield* opened({ file })
      assert.deepStrictEqual(yield* account.authenticate(key), Candidate.agent("a1"))
      for (const wrong of [Redacted.make(hash), Redacted.make(`${Redacted.value(key)}x`), gone.key]) {
        const error = yield* Effect.flip(account.authenticate(wrong))
        assert.strictEqual(error._tag, "Unauthenticated")
        assert.notInclude(error.message, Redacted.value(wrong))
      }
      assert.notInclude(yield* Effect.promise(() => readFile(file, "utf8")), Redacted.value(key))
    }))

  it.effect("no two are alike", () =>
    Effect.gen(function*() {
      const keys = yield* Effect.replicateEffect(ApiKey.make, 100)
      assert.strictEqual(new Set(keys.map(({ key }) => Redacted.value(key))).size, 100)
      for (const { hash, key } of keys) {
        assert.match(Redacted.value(key), /^sre_[A-Za-z0-9_-]{43}$/)
        assert.strictEqual(hash, ApiKey.hash(key))
      }
    }))
})

describe("signed tokens", () => {
  const secret = "a secret of at least thirty-two bytes"
  const bytes = (text: string) => new TextEncoder().encode(text)
  /** Seconds; the test clock starts at 0. */
  const inAnHour = 3600

  const sign = (payload: JWTPayload, options: { key?: Uint8Array | KeyObject; alg?: string } = {}) =>
    Effect.promise(() =>
      new SignJWT(payload).setProtectedHeader({ alg: options.alg ?? "HS256" }).sign(options.key ?? bytes(secret))
    ).pipe(Effect.map(Redacted.make))

  const withTokens = (tokens: unknown) => Effect.flatMap(accountFile({ ...data, tokens }), (file) => opened({ file }))

  const refused = (account: typeof AccountConnector.Service, token: Redacted.Redacted) =>
    Effect.map(Effect.flip(account.authenticate(token)), (error) => {
      assert.strictEqual(error._tag, "Unauthenticated")
      return error.message
    })

  it.scoped("name somebody of the account: a user, or who `role` says", () =>
    Effect.gen(function*() {
      const account = yield* withTokens({ secret })
      const authenticate = (payload: JWTPayload) =>
        Effect.flatMap(sign({ exp: inAnHour, ...payload }), account.authenticate)
      assert.deepStrictEqual(yield* authenticate({ sub: "u1" }), Candidate.user("u1"))
      assert.deepStrictEqual(yield* authenticate({ sub: "a1", role: "agent" }), Candidate.agent("a1"))
      assert.deepStrictEqual(yield* authenticate({ sub: "t1", role: "team" }), Candidate.team("t1"))
      for (
        const payload of [{ sub: "a1" }, { sub: "u1", role: "admin" }, { sub: "../u1" }, {
          sub: "public",
          role: "public"
        }, {}]
      ) {
        yield* refused(account, yield* sign({ exp: inAnHour, ...payload }))
      }
    }))

  it.scoped("expire by the clock, and must say when", () =>
    Effect.gen(function*() {
      const account = yield* withTokens({ secret })
      const token = yield* sign({ sub: "u1", exp: inAnHour })
      yield* TestClock.adjust(Duration.minutes(59))
      assert.deepStrictEqual(yield* account.authenticate(token), Candidate.user("u1"))
      yield* TestClock.adjust(Duration.minutes(2))
      assert.include(yield* refused(account, token), "expired")
      yield* refused(account, yield* sign({ sub: "u1" }))
      yield* refused(account, yield* sign({ sub: "u1", exp: inAnHour * 9, nbf: inAnHour * 8 }))
    }))

  it.scoped("must be signed with the secret, and not changed", () =>
    Effect.gen(function*() {
      const account = yield* withTokens({ secret })
      yield* refused(account, yield* sign({ sub: "u1", exp: inAnHour }, { key: bytes(`${secret}!`) }))
      const [head, , signature] = Redacted.value(yield* sign({ sub: "u1", exp: inAnHour })).split(".")
      const forged = Buffer.from(JSON.stringify({ sub: "a1", role: "agent", exp: inAnHour })).toString("base64url")
      yield* refused(account, Redacted.make(`${head}.${forged}.${signature}`))
      const none = Buffer.from("{\"alg\":\"none\"}").toString("base64url")
      yield* refused(account, Redacted.make(`${none}.${forged}.`))
      yield* refused(yield* withTokens(undefined), yield* sign({ sub: "u1", exp: inAnHour }))
    }))

  it.scoped("must be for us and from whom we trust, where that is configured", () =>
    Effect.gen(function*() {
      const account = yield* withTokens({ secret, issuer: "https://id.example", audience: "sre" })
      const claims = { sub: "u1", exp: inAnHour, iss: "https://id.example", aud: "sre" }
      assert.deepStrictEqual(yield* Effect.flatMap(sign(claims), account.authenticate), Candidate.user("u1"))
      yield* refused(account, yield* sign({ ...claims, iss: "https://other.example" }))
      yield* refused(account, yield* sign({ ...claims, aud: "other" }))
      yield* refused(account, yield* sign({ sub: "u1", exp: inAnHour }))
    }))

  it.scoped("are verified with RSA, EC and Ed25519 keys, and a public key is never a secret", () =>
    Effect.gen(function*() {
      const pairs = [
        { alg: "RS256", ...generateKeyPairSync("rsa", { modulusLength: 2048 }) },
        { alg: "ES256", ...generateKeyPairSync("ec", { namedCurve: "P-256" }) },
        { alg: "EdDSA", ...generateKeyPairSync("ed25519") }
      ]
      for (const { alg, privateKey, publicKey } of pairs) {
        const pem = publicKey.export({ type: "spki", format: "pem" }).toString()
        const account = yield* withTokens({ publicKey: pem })
        const token = yield* sign({ sub: "u1", exp: inAnHour }, { alg, key: privateKey })
        assert.deepStrictEqual(yield* account.authenticate(token), Candidate.user("u1"))
        yield* refused(account, yield* sign({ sub: "u1", exp: inAnHour }, { key: bytes(pem) }))
      }
    }))
})

describe("the file", () => {
  it.scoped("what is wrong with it stops the boot and is named, never with a secret", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<[unknown, ConnectorError["reason"], string]> = [
        ["{\"t1\": ", "Corrupted", "line 1"],
        ["[]", "Corrupted", ""],
        [{ t1: { users: [] } }, "Corrupted", "t1.users"],
        [{ "a b": {} }, "Corrupted", "a b"],
        // Without roles all members may do what the team may.
        [{ t1: { role: { writer: [] } } }, "Corrupted", `t1.role: there is no such setting. Did you mean "roles"?`],
        [{ apiKeys: { "sre_in-the-clear": "user:u1" } }, "Corrupted", "SHA-256"],
        [{ apiKeys: { ["0".repeat(64)]: "root" } }, "Corrupted", "user:<id>"],
        [{ tokens: { secret: "hunter2" } }, "Corrupted", "tokens.secret"],
        [{ tokens: {} }, "Corrupted", "exactly one"],
        [{ tokens: { publicKey: "no pem" } }, "Corrupted", "PEM"]
      ]
      for (const [content, reason, problem] of cases) {
        const error = yield* opening(content)
        assert.strictEqual(error.reason, reason)
        assert.include(error.message, problem)
        assert.notInclude(error.message, "hunter2")
        assert.notInclude(error.message, "sre_in-the-clear")
      }
      const file = join(yield* tempFolder, "account.json")
      const missing = yield* Effect.flip(opened({ file }))
      assert.isTrue(
        missing instanceof ConnectorError && missing.reason === "NotFound" && missing.message.includes(file)
      )
    }))

  it.scoped("in plain text is refused where encryption is asked for", () =>
    Effect.gen(function*() {
      const file = yield* accountFile(data)
      const error = yield* Effect.flip(opened({ file, encryption: true }))
      assert.isTrue(error instanceof ConnectorError && error.message.includes("encryption"))
      yield* encrypt(file)
      assert.notInclude(yield* Effect.promise(() => readFile(file, "utf8")), "custom-llm")
      const account = yield* opened({ file, encryption: true })
      assert.deepStrictEqual(yield* account.teamsOf(Candidate.user("u1")), ["t1"])
    }))

  it.scoped("is read again when it changes; broken by an edit, the last good one counts and the log says so once", () => {
    const logged: Array<string> = []
    return Effect.gen(function*() {
      const file = yield* accountFile(data)
      const account = yield* opened({ file })
      const teams = account.teamsOf(Candidate.user("u1"))
      yield* write(file, { t2: { users: { u1: {} } } })
      assert.deepStrictEqual(yield* teams, ["t2"])
      yield* write(file, "{ broken")
      assert.deepStrictEqual(yield* Effect.all([teams, teams, teams]), [["t2"], ["t2"], ["t2"]])
      yield* write(file, { t3: { users: { u1: {} } } })
      assert.deepStrictEqual(yield* teams, ["t3"])
      assert.strictEqual(logged.filter((line) => line.includes("not reloaded")).length, 1)
    }).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => logged.push(String(message)))))
    )
  })

  it.scoped("is where SRE_ACCOUNT_FILE says, or account.json in SRE_DATA", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      yield* write(join(folder, "account.json"), data)
      yield* write(join(folder, "other.json"), { t7: {} })
      const members = (variables: ReadonlyArray<readonly [string, string]>) =>
        Effect.scoped(Layer.build(Layer.fresh(
          Layer.provide(JSONFileAccountLive, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables))))
        )))
      yield* members([["SRE_DATA", folder]])
      yield* members([["SRE_ACCOUNT_FILE", join(folder, "other.json")]])
      assert.isTrue((yield* Effect.exit(members([["SRE_DATA", join(folder, "none")]])))._tag === "Failure")
    }))
})

suite(
  "JSONFileAccount",
  Layer.unwrapScoped(Effect.map(accountFile(data), (file) => JSONFileAccount.contract({ file })))
)

suite(
  "JSONFileAccount, encrypted",
  Layer.unwrapScoped(
    Effect.gen(function*() {
      const file = yield* accountFile(data)
      yield* encrypt(file)
      return JSONFileAccount.contract({ file, encryption: true })
    })
  )
)
