import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import {
  JSONFileManagedVault,
  JSONFileManagedVaultLive
} from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import { JSONFileVault } from "../../../src/connectors/vault/JSONFileVault.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ManagedVault, ManagedVaultConnector } from "../../../src/security/ManagedVault.ts"
import { VaultConnector } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/managedvault.ts"
import { tempFolder } from "../../fixtures/TempFolder.ts"

const boot = (file: string) =>
  Effect.flip(Effect.provide(ManagedVaultConnector, JSONFileManagedVault.contract({ file })))

describe("JSONFileManagedVault", () => {
  it.scopedLive("lives in SRE_DATA, encrypted, and outlives its process", () =>
    Effect.gen(function*() {
      const folder = yield* tempFolder
      const live = Layer.provide(
        JSONFileManagedVaultLive,
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_DATA", folder]])))
      )
      const asAgent = <A, E>(effect: Effect.Effect<A, E, ManagedVault>) =>
        effect.pipe(Candidate.as(Candidate.agent("a1")), Effect.provide(Layer.fresh(live)))
      yield* asAgent(Effect.flatMap(ManagedVault, (vault) => vault.set("OAUTH_A_TOKENS", Redacted.make("refresh-1"))))
      const stored = yield* asAgent(Effect.flatMap(ManagedVault, (vault) => vault.get("OAUTH_A_TOKENS")))
      assert.strictEqual(Redacted.value(stored), "refresh-1")
      const file = join(folder, "managed-vault.json")
      assert.notInclude(yield* Effect.promise(() => readFile(file, "utf8")), "refresh-1")
      assert.strictEqual((yield* Effect.promise(() => stat(file))).mode & 0o777, 0o600)
    }))

  it.scopedLive("a file in plain text is refused at boot", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "file.json")
      yield* Effect.promise(() => writeFile(file, "{\"t1\":{\"a\":\"b\"}}"))
      const plain = yield* boot(file)
      assert.isTrue(plain instanceof ConnectorError && plain.reason === "Corrupted")
    }))

  it.scopedLive("a file of the vault is refused though the key is the same", () =>
    Effect.gen(function*() {
      const file = join(yield* tempFolder, "file.json")
      yield* Effect.provide(
        Effect.flatMap(VaultConnector, (vault) => vault.set("team:t1", "a", Redacted.make("b"))),
        JSONFileVault.contract({ file })
      )
      const other = yield* boot(file)
      assert.isTrue(other instanceof ConnectorError && other.reason === "Unauthorized")
    }))
})

suite(
  "JSONFileManagedVault",
  Layer.unwrapScoped(
    Effect.map(tempFolder, (folder) => JSONFileManagedVault.contract({ file: join(folder, "managed-vault.json") }))
  )
)
