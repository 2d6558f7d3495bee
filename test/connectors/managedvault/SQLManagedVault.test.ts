import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Option, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { SQLManagedVault, SQLManagedVaultLive } from "../../../src/connectors/managedvault/SQLManagedVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ManagedVault, ManagedVaultConnector } from "../../../src/security/ManagedVault.ts"
import { suite } from "../../../src/testing/conformance/managedvault.ts"
import { databases, execute, on, sqlite } from "../../fixtures/Databases.ts"

const key = randomBytes(32).toString("base64")
const other = randomBytes(32).toString("hex")

const opened = (settings: Parameters<typeof SQLManagedVault.contract>[0]) =>
  Effect.map(Layer.build(Layer.fresh(SQLManagedVault.contract(settings))), Context.get(ManagedVaultConnector))

const text = Option.map(({ value }: { readonly value: Redacted.Redacted }) => Redacted.value(value))
const none = Option.none<string>()

describe("SQLManagedVault", () => {
  it.scopedLive("the database holds nothing of a secret, and no two alike", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const vault = yield* opened({ url, key })
      for (const name of ["one", "two"]) yield* vault.set("agent:a", name, Redacted.make("the secret"), none)
      const rows = yield* execute(url, "SELECT * FROM sre_managed_vault")
      const stored = JSON.stringify(rows)
      for (const form of ["utf8", "base64", "hex"] as const) {
        assert.notInclude(stored, Buffer.from("the secret").toString(form))
      }
      for (const column of ["sealed", "data_key", "version"]) {
        assert.strictEqual(new Set(rows.map((row) => row[column])).size, 2)
      }
    }))

  it.scopedLive("a secret that was moved, mixed or damaged is refused", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const vault = yield* opened({ url, key })
      yield* vault.set("agent:a", "one", Redacted.make("1"), none)
      yield* vault.set("agent:b", "one", Redacted.make("2"), none)
      const reason = Effect.map(Effect.flip(vault.get("agent:a", "one")), ({ reason }) => reason)
      const of = (owner: string) => `owner = X'${Buffer.from(owner).toString("hex")}'`
      for (const column of ["sealed", "data_key", "version"]) {
        const [row] = yield* execute(url, `SELECT ${column} AS old FROM sre_managed_vault WHERE ${of("agent:a")}`)
        const change = `UPDATE sre_managed_vault SET ${column} =`
        yield* execute(
          url,
          `${change} (SELECT ${column} FROM sre_managed_vault WHERE ${of("agent:b")}) WHERE ${of("agent:a")}`
        )
        assert.strictEqual(yield* reason, "Corrupted", column)
        yield* execute(url, `${change} '${String(row?.["old"])}' WHERE ${of("agent:a")}`)
        assert.deepStrictEqual(text(yield* vault.get("agent:a", "one")), Option.some("1"))
      }
      yield* execute(url, `DELETE FROM sre_managed_vault WHERE ${of("agent:a")}`)
      yield* execute(url, `UPDATE sre_managed_vault SET owner = X'${Buffer.from("agent:a").toString("hex")}'`)
      assert.strictEqual(yield* reason, "Corrupted")
    }))

  it.scopedLive("a new master key reads what a former one wrote, and writes under itself", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const before = yield* opened({ url, key })
      yield* before.set("agent:a", "token", Redacted.make("1"), none)
      const stranger = yield* opened({ url, key: other })
      assert.deepInclude(yield* Effect.flip(stranger.get("agent:a", "token")), { reason: "Unauthorized" })
      const after = yield* opened({ url, key: other, formerKeys: [key] })
      const found = yield* after.get("agent:a", "token")
      assert.deepStrictEqual(text(found), Option.some("1"))
      yield* after.set("agent:a", "token", Redacted.make("2"), Option.map(found, ({ version }) => version))
      assert.deepStrictEqual(text(yield* stranger.get("agent:a", "token")), Option.some("2"))
      assert.deepInclude(yield* Effect.flip(before.get("agent:a", "token")), { reason: "Unauthorized" })
    }))

  it.scopedLive("boot wants a key of 32 bytes and does not tell the one it got", () =>
    Effect.gen(function*() {
      const url = yield* sqlite
      const passphrase = yield* Effect.flip(opened({ url, key: "open sesame" }))
      assert.include(passphrase.message, "ManagedVault.Settings.key")
      assert.notInclude(passphrase.message, "sesame")
      const nothing = Layer.setConfigProvider(ConfigProvider.fromMap(new Map()))
      const missing = yield* Effect.flip(Layer.build(Layer.provide(SQLManagedVault.contract({ url }), nothing)))
      assert.include(missing.message, "SRE_VAULT_KEY")
    }))

  it.scopedLive("the Live layer is in SRE_SQL_URL under SRE_VAULT_KEY, and each has its own secrets", () =>
    Effect.gen(function*() {
      const environment = ConfigProvider.fromMap(new Map([["SRE_SQL_URL", yield* sqlite], ["SRE_VAULT_KEY", key]]))
      yield* Effect.gen(function*() {
        const { get, set } = yield* ManagedVault
        yield* Candidate.as(set("token", Redacted.make("1")), Candidate.agent("a"))
        assert.strictEqual(Redacted.value(yield* Candidate.as(get("token"), Candidate.agent("a"))), "1")
        const stolen = Candidate.as(get("smythfs://a.agent/token"), Candidate.agent("b"))
        assert.strictEqual((yield* Effect.flip(stolen))._tag, "AccessDenied")
      }).pipe(Effect.provide(Layer.provide(SQLManagedVaultLive, Layer.setConfigProvider(environment))))
    }))
})

for (const [name, database] of databases) {
  suite(`SQLManagedVault on ${name}`, on(database, (url) => SQLManagedVault.contract({ url, key })))
}
