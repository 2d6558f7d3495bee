import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { SmythVault } from "../../../src/connectors/vault/SmythVault.ts"
import { VaultConnector } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/vault.ts"
import * as faults from "../../conformance/faults.ts"
import { managedHost, tokens } from "../../fixtures/managed.ts"

const open = (settings: Parameters<typeof SmythVault.contract>[0]) =>
  Effect.map(Layer.build(SmythVault.contract(settings)), Context.get(VaultConnector))

describe("SmythVault", () => {
  it.scopedLive("secrets are the team's alone, and encrypted where they are kept", () =>
    Effect.gen(function*() {
      const { folder, url } = yield* managedHost
      const acme = yield* open({ url, team: "acme", token: tokens.acme, shared: "default" })
      const other = yield* open({ url, team: "other", token: tokens.other })
      yield* acme.set("team:default", "openai", Redacted.make("s3cret"))
      assert.deepStrictEqual(acme.shared, Option.some("default"))
      assert.deepStrictEqual(yield* other.get("team:default", "openai"), Option.none())
      assert.deepStrictEqual(yield* other.names("team:default"), [])
      assert.notInclude(yield* Effect.promise(() => readFile(join(folder, "vault.json"), "utf8")), "s3cret")
      const member = yield* open({ url, team: "acme", token: tokens.member })
      const error = yield* Effect.flip(member.get("team:default", "openai"))
      assert.strictEqual(error.reason, "Unauthorized")
      assert.include(error.message, "smyth.hosts")
    }))
})

suite(
  "SmythVault",
  Layer.unwrapScoped(Effect.map(managedHost, ({ team, token, url }) => SmythVault.contract({ url, team, token }))),
  { writable: true }
)

faults.suite("SmythVault", {
  server: Effect.map(managedHost, ({ port }) => port),
  connector: ({ port, timeoutMillis }) =>
    SmythVault.contract({
      url: `http://127.0.0.1:${port}`,
      team: "acme",
      token: tokens.acme,
      timeout: timeoutMillis
    }),
  read: Effect.flatMap(VaultConnector, (vault) => Effect.map(vault.get("user:ann", "k"), Option.map(Redacted.value))),
  write: (value) => Effect.flatMap(VaultConnector, (vault) => vault.set("user:ann", "k", Redacted.make(value)))
})
