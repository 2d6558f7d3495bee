import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option, Redacted } from "effect"
import {
  SecretsManagerManagedVault,
  SecretsManagerManagedVaultLive
} from "../../../src/connectors/managedvault/SecretsManagerManagedVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ManagedVault, ManagedVaultConnector } from "../../../src/security/ManagedVault.ts"
import { suite } from "../../../src/testing/conformance/managedvault.ts"
import * as faults from "../../conformance/faults.ts"
import * as SecretsManagerServer from "../../fixtures/SecretsManagerServer.ts"

const region = "eu-central-1"
const { credentials } = SecretsManagerServer

const contract = (url: string, timeout = 10_000) =>
  SecretsManagerManagedVault.contract({ region, ...credentials, endpoint: url, timeout, prefix: "managed" })

const connect = (url: string) => Effect.map(Layer.build(Layer.fresh(contract(url))), Context.get(ManagedVaultConnector))

const value = Option.map(({ value }: { readonly value: Redacted.Redacted }) => Redacted.value(value))
const version = Option.map(({ version }: { readonly version: string }) => version)

describe("SecretsManagerManagedVault", () => {
  it.scopedLive("an outrun write is never current, not even for a moment, and is not left in the way", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      const one = yield* connect(server.url)
      const other = yield* connect(server.url)
      yield* one.set("agent:a1", "token", Redacted.make("0"), Option.none())
      const expected = version(yield* one.get("agent:a1", "token"))
      yield* other.set("agent:a1", "token", Redacted.make("theirs"), expected)
      const error = yield* Effect.flip(one.set("agent:a1", "token", Redacted.make("mine"), expected))
      assert.strictEqual(error.reason, "Conflict")
      const stored = yield* one.get("agent:a1", "token")
      assert.deepStrictEqual(value(stored), Option.some("theirs"))
      yield* one.set("agent:a1", "token", Redacted.make("mine"), version(stored))
      assert.deepStrictEqual(value(yield* other.get("agent:a1", "token")), Option.some("mine"))
      const stages = Array.from(server.secrets.get("managed/=agent/a1/token")?.stages.keys() ?? [])
      assert.sameMembers(stages, ["AWSCURRENT", "AWSPREVIOUS", "SRE-PENDING"])
    }))

  it.scopedLive("what was removed is restored when it is written again, with the new value", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      const vault = yield* connect(server.url)
      yield* vault.set("team:t1", "token", Redacted.make("old"), Option.none())
      const before = version(yield* vault.get("team:t1", "token"))
      yield* vault.remove("team:t1", "token")
      assert.strictEqual(
        (yield* Effect.flip(vault.set("team:t1", "token", Redacted.make("x"), before))).reason,
        "Conflict"
      )
      yield* vault.set("team:t1", "token", Redacted.make("new"), Option.none())
      assert.deepStrictEqual(value(yield* vault.get("team:t1", "token")), Option.some("new"))
      assert.deepStrictEqual(server.secrets.get("managed/t1/token")?.tags, [
        { Key: "smyth-managed-vault", Value: "true" }
      ])
    }))

  it.scopedLive("a wrong secret key stops the start", () =>
    Effect.gen(function*() {
      const { url } = yield* SecretsManagerServer.make()
      const wrong = SecretsManagerManagedVault.contract({
        region,
        ...credentials,
        awsSecretAccessKey: "hunter2",
        endpoint: url
      })
      const error = yield* Effect.flip(Layer.build(wrong))
      assert.deepInclude(error, { _tag: "ConnectorError", reason: "Unauthorized" })
      assert.notInclude(error.message, "hunter2")
    }))

  it.scopedLive("is configured by the variables of AWS, and loses nothing that is renewed by two at a time", () =>
    Effect.gen(function*() {
      const server = yield* SecretsManagerServer.make()
      const environment = ConfigProvider.fromMap(
        new Map([
          ["AWS_REGION", region],
          ["AWS_ACCESS_KEY_ID", credentials.awsAccessKeyId],
          ["AWS_SECRET_ACCESS_KEY", credentials.awsSecretAccessKey],
          ["AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url],
          ["SRE_MANAGED_VAULT_PREFIX", "p"]
        ])
      )
      const live = Layer.provide(SecretsManagerManagedVaultLive, Layer.setConfigProvider(environment))
      const process = Effect.map(Layer.build(Layer.fresh(live)), Context.get(ManagedVault))
      const one = yield* process
      const other = yield* process
      yield* one.set("count", Redacted.make("0")).pipe(Candidate.as(Candidate.agent("a1")))
      const increment = (vault: typeof ManagedVault.Service) =>
        vault.refresh(
          "count",
          (current) => Effect.succeedSome(Redacted.make(String(Number(Redacted.value(current)) + 1)))
        )
      yield* Effect.all([increment(one), increment(other), increment(one), increment(other)], {
        concurrency: "unbounded"
      }).pipe(Candidate.as(Candidate.agent("a1")))
      const counted = yield* Candidate.as(one.get("count"), Candidate.agent("a1"))
      assert.strictEqual(Redacted.value(counted), "4")
    }))
})

suite(
  "SecretsManagerManagedVault",
  Layer.unwrapScoped(Effect.map(SecretsManagerServer.make(), ({ url }) => contract(url)))
)

faults.suite("SecretsManagerManagedVault", {
  server: Effect.map(SecretsManagerServer.make(), ({ port }) => port),
  connector: ({ port, timeoutMillis }) => contract(`http://127.0.0.1:${port}`, timeoutMillis),
  read: Effect.flatMap(ManagedVaultConnector, (vault) => Effect.map(vault.get("agent:a1", "k"), value)),
  write: (text) =>
    Effect.flatMap(
      ManagedVaultConnector,
      (vault) =>
        Effect.flatMap(vault.get("agent:a1", "k"), (stored) =>
          vault.set("agent:a1", "k", Redacted.make(text), version(stored)))
    )
})
