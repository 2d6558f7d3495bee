import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { NullVault, NullVaultLive } from "../../../src/connectors/vault/NullVault.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { Vault } from "../../../src/security/Vault.ts"
import { suite } from "../../../src/testing/conformance/vault.ts"

it.effect("a secret is missing, never a placeholder that could be sent to somebody", () =>
  Effect.gen(function*() {
    const vault = yield* Vault
    const error = yield* Effect.flip(vault.get("openai"))
    assert.strictEqual(error._tag, "SecretNotFound")
    assert.isFalse(yield* vault.exists("openai"))
    assert.deepStrictEqual(yield* vault.list, [])
  }).pipe(Candidate.as(Candidate.user("u1")), Effect.provide(NullVaultLive)))

suite("NullVault", NullVault.contract({}), { writable: false })
