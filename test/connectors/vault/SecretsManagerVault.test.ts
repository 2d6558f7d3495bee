import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, FastCheck, Layer, Option, Redacted } from "effect"
import * as SecretsManagerClient from "../../../src/connectors/vault/SecretsManagerClient.ts"
import { SecretsManagerVault, SecretsManagerVaultLive } from "../../../src/connectors/vault/SecretsManagerVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Vault, VaultConnector } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/vault.ts"
import * as faults from "../../conformance/faults.ts"
import * as SecretsManagerServer from "../../fixtures/SecretsManagerServer.ts"

type Settings = Parameters<typeof SecretsManagerVault.contract>[0]

const region = "eu-central-1"
const { credentials } = SecretsManagerServer

const connect = (settings: Partial<Settings>) =>
  Effect.map(
    Layer.build(Layer.fresh(SecretsManagerVault.contract({ region, ...credentials, ...settings }))),
    Context.get(VaultConnector)
  )

const shown = (found: Option.Option<Redacted.Redacted>) => Option.getOrUndefined(Option.map(found, Redacted.value))

/** What an operator stores by other means. */
const stored = (server: SecretsManagerServer.SecretsManagerServer, name: string, value: object) =>
  Effect.promise(async () => {
    const { SecretsManager } = await import("@aws-sdk/client-secrets-manager")
    const { awsAccessKeyId: accessKeyId, awsSecretAccessKey: secretAccessKey } = credentials
    const sdk = new SecretsManager({ region, endpoint: server.url, credentials: { accessKeyId, secretAccessKey } })
    await sdk.createSecret({ Name: name, ...value })
    sdk.destroy()
  })

describe("SecretsManagerVault", () => {
  it.scopedLive("reads secrets as operators store them: as text, or as a field of their name", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      yield* stored(server, "smythos/t1/openai", { SecretString: "sk-1" })
      yield* stored(server, "smythos/t1/groq", { SecretString: "{\"groq\":\"gk\",\"other\":\"x\"}" })
      yield* stored(server, "smythos/t1/account", { SecretString: "{\"type\":\"service_account\"}" })
      yield* stored(server, "smythos/t1/bytes", { SecretBinary: new Uint8Array([1, 2]) })
      yield* stored(server, "smythos/t10/openai", { SecretString: "of another team" })
      const vault = yield* connect({ endpoint: server.url })
      assert.strictEqual(shown(yield* vault.get("team:t1", "openai")), "sk-1")
      assert.strictEqual(shown(yield* vault.get("team:t1", "groq")), "gk")
      assert.strictEqual(shown(yield* vault.get("team:t1", "account")), "{\"type\":\"service_account\"}")
      assert.strictEqual((yield* Effect.flip(vault.get("team:t1", "bytes"))).reason, "Unsupported")
      assert.sameMembers([...yield* vault.names("team:t1")], ["openai", "groq", "account", "bytes"])
    }))

  it.scopedLive("what was removed can be restored for a week, and is when it is set again", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      const vault = yield* connect({ endpoint: server.url })
      yield* vault.set("team:t1", "openai", Redacted.make("old"))
      yield* vault.remove("team:t1", "openai")
      assert.isTrue(server.secrets.get("smythos/t1/openai")?.deleted)
      yield* vault.set("team:t1", "openai", Redacted.make("new"))
      assert.strictEqual(shown(yield* vault.get("team:t1", "openai")), "new")
    }))

  it.scopedLive("a wrong secret key, an unknown key and no server stop the start; no secret is told", () =>
    Effect.gen(function*() {
      const { url: endpoint } = yield* SecretsManagerServer.make()
      const cases: ReadonlyArray<readonly [Partial<Settings>, string]> = [
        [{ endpoint, awsSecretAccessKey: "hunter2" }, "Unauthorized"],
        [{ endpoint, awsAccessKeyId: "AKIAOTHER", awsSecretAccessKey: "hunter2" }, "Unauthorized"],
        [{ endpoint: "http://127.0.0.1:1", awsSecretAccessKey: "hunter2" }, "Unavailable"]
      ]
      for (const [settings, reason] of cases) {
        const error = yield* Effect.flip(connect(settings))
        assert.strictEqual(error._tag === "ConnectorError" ? error.reason : error._tag, reason)
        assert.notInclude(error.message, "hunter2")
      }
      const half = yield* Effect.flip(Layer.build(SecretsManagerVault.contract({ region, awsAccessKeyId: "AKIATEST" })))
      assert.strictEqual(half._tag, "BootError")
      assert.include(half.message, "go together")
    }))

  it.scopedLive("too many requests are told as such, and may pass", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      const vault = yield* connect({ endpoint: server.url })
      server.throttle(1)
      assert.strictEqual((yield* Effect.flip(vault.get("team:t1", "k"))).reason, "RateLimited")
      assert.deepStrictEqual(yield* vault.get("team:t1", "k"), Option.none())
    }))

  it.scopedLive("is configured by the variables of AWS", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      yield* stored(server, "p/everyone/openai", { SecretString: "sk" })
      const environment = ConfigProvider.fromMap(
        new Map([
          ["AWS_REGION", region],
          ["AWS_ACCESS_KEY_ID", credentials.awsAccessKeyId],
          ["AWS_SECRET_ACCESS_KEY", credentials.awsSecretAccessKey],
          ["AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url],
          ["SRE_VAULT_PREFIX", "p"],
          ["SRE_VAULT_SHARED", "everyone"]
        ])
      )
      const found = yield* Effect.flatMap(Vault, (vault) => vault.get("openai")).pipe(
        Candidate.as(Candidate.user("ann")),
        Effect.provide(Layer.provide(SecretsManagerVaultLive, Layer.setConfigProvider(environment)))
      )
      assert.strictEqual(Redacted.value(found), "sk")
    }))
})

describe("names of secrets", () => {
  const owner = FastCheck.tuple(
    FastCheck.constantFrom("team", "user", "agent"),
    FastCheck.oneof(FastCheck.constantFrom("user", "=user", "t1", "a.b@c"), FastCheck.string({ minLength: 1 }))
  ).map(([role, id]) => `${role}:${id.replaceAll("/", "-")}`)
  const text = FastCheck.oneof(FastCheck.string(), FastCheck.string({ unit: "binary" }))

  it.prop("are read back, and are of letters AWS allows", [owner, text], ([owner, name]) => {
    const wellFormed = name.toWellFormed()
    const id = SecretsManagerClient.idOf("p", owner, wellFormed)
    assert.match(id, /^[A-Za-z0-9/_+=.@-]+$/)
    const folder = SecretsManagerClient.folderOf("p", owner)
    assert.deepStrictEqual(SecretsManagerClient.nameOf(folder, id), Option.some(wellFormed))
  })

  it.prop("of different owners never meet", [owner, owner, text, text], ([one, other, a, b]) => {
    if (one.toWellFormed() === other.toWellFormed()) return
    assert.notStrictEqual(SecretsManagerClient.idOf("p", one, a), SecretsManagerClient.idOf("p", other, b))
  })
})

const contract = (url: string, timeout = 10_000) =>
  SecretsManagerVault.contract({ region, ...credentials, endpoint: url, timeout })

suite(
  "SecretsManagerVault",
  Layer.unwrapScoped(Effect.map(SecretsManagerServer.make(), ({ url }) => contract(url))),
  { writable: true }
)

faults.suite("SecretsManagerVault", {
  server: Effect.map(SecretsManagerServer.make(), ({ port }) => port),
  connector: ({ port, timeoutMillis }) => contract(`http://127.0.0.1:${port}`, timeoutMillis),
  read: Effect.flatMap(VaultConnector, (vault) => Effect.map(vault.get("team:t1", "k"), shown)),
  write: (value) => Effect.flatMap(VaultConnector, (vault) => vault.set("team:t1", "k", Redacted.make(value)))
})
