import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Redacted } from "effect"
import { EnvVault, EnvVaultLive } from "../../../src/connectors/vault/EnvVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Vault, VaultConnector } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/vault.ts"

const environment = (variables: Record<string, string>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)), { pathDelim: "_" }))

describe("EnvVault", () => {
  const variables = {
    OPENAI_API_KEY: "sk-openai",
    GOOGLE_AI_API_KEY: "google",
    ANTHROPIC_API_KEY: "",
    SRE_SECRET_STRIPE: "sk-stripe",
    SRE_SECRET_MY_OWN_KEY: "own",
    SRE_SECRET_GROQ: "mine",
    GROQ_API_KEY: "vendor's",
    DATABASE_URL: "postgres://secret"
  }
  const vault = Layer.provide(EnvVault.contract({ team: "t1" }), environment(variables))
  const read = (owner: string, name: string) =>
    Effect.flatMap(VaultConnector, (vault) => Effect.map(vault.get(owner, name), Option.map(Redacted.value)))

  it.effect("reads provider keys and SRE_SECRET_ variables, the own one first", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read("team:t1", "openai"), Option.some("sk-openai"))
      assert.deepStrictEqual(yield* read("team:t1", "stripe"), Option.some("sk-stripe"))
      assert.deepStrictEqual(yield* read("team:t1", "my-own-key"), Option.some("own"))
      assert.deepStrictEqual(yield* read("team:t1", "groq"), Option.some("mine"))
    }).pipe(Effect.provide(vault)))

  it.effect("an empty variable counts as unset, and no other variable is a secret", () =>
    Effect.gen(function*() {
      for (const name of ["anthropic", "DATABASE_URL", "database_url", "OPENAI_API_KEY", "xai", "constructor"]) {
        assert.deepStrictEqual(yield* read("team:t1", name), Option.none(), name)
      }
    }).pipe(Effect.provide(vault)))

  it.effect("only its team sees them", () =>
    Effect.gen(function*() {
      for (const owner of ["team:t2", "user:t1", "team:default", "t1"]) {
        assert.deepStrictEqual(yield* read(owner, "openai"), Option.none(), owner)
      }
      const connector = yield* VaultConnector
      assert.deepStrictEqual(yield* connector.names("team:t2"), [])
    }).pipe(Effect.provide(vault)))

  it.effect("lists those that are set", () =>
    Effect.gen(function*() {
      const connector = yield* VaultConnector
      assert.sameMembers([...yield* connector.names("team:t1")], ["openai", "googleai", "groq", "stripe", "my_own_key"])
    }).pipe(Effect.provide(vault)))

  it.effect("reads the process environment at each call", () =>
    Effect.gen(function*() {
      const connector = yield* VaultConnector
      assert.notInclude(yield* connector.names("team:default"), "late_one")
      process.env["SRE_SECRET_LATE_ONE"] = "now"
      yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env["SRE_SECRET_LATE_ONE"]))
      assert.deepStrictEqual(yield* read("team:default", "late_one"), Option.some("now"))
      assert.include(yield* connector.names("team:default"), "late_one")
    }).pipe(Effect.scoped, Effect.provide(EnvVault.contract({}))))

  it.effect("the Live layer serves the team SRE_VAULT_ENVIRONMENT names", () =>
    Effect.gen(function*() {
      const guarded = yield* Vault
      const secret = yield* Candidate.as(guarded.get("openai"), Candidate.team("ops"))
      assert.strictEqual(Redacted.value(secret), "sk")
      const refused = yield* Effect.flip(Candidate.as(guarded.get("openai"), Candidate.team("default")))
      assert.strictEqual(refused._tag, "SecretNotFound")
    }).pipe(Effect.provide(
      Layer.provide(EnvVaultLive, environment({ SRE_VAULT_ENVIRONMENT: "ops", OPENAI_API_KEY: "sk" }))
    )))
})

suite("EnvVault", EnvVault.contract({}), { writable: false })
