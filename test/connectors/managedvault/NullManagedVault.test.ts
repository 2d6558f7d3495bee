import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { NullManagedVaultLive } from "../../../src/connectors/managedvault/NullManagedVault.ts"
import { ConnectorError } from "../../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { ManagedVault } from "../../../src/security/ManagedVault.ts"

it.effect("NullManagedVault keeps nothing and says which service to configure", () =>
  Effect.gen(function*() {
    const vault = yield* ManagedVault
    const error = yield* Effect.flip(vault.set("token", Redacted.make("t0ken")))
    assert.isTrue(error instanceof ConnectorError && error.reason === "Unsupported")
    assert.include(error.message, "set ManagedVault to JSONFileManagedVault")
    assert.notInclude(error.message, "t0ken")
    assert.strictEqual((yield* Effect.flip(vault.get("token")))._tag, "SecretNotFound")
    assert.isFalse(yield* vault.exists("token"))
    yield* vault.remove("token")
  }).pipe(Candidate.as(Candidate.agent("a1")), Effect.provide(NullManagedVaultLive)))
