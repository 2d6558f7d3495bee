/** A vault without secrets: every name is missing. */
import { Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as Vault from "../../security/Vault.ts"

export const NullVault = Connector.make({
  name: "NullVault",
  aliases: ["Null"],
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: Schema.Struct({}),
  make: () =>
    Effect.succeed(Vault.VaultConnector.of({
      shared: Option.none(),
      get: () => Effect.succeedNone,
      names: () => Effect.succeed([]),
      set: () => unsupported,
      remove: () => Effect.void
    }))
})

export const NullVaultLive = NullVault.layer({})

const unsupported = Effect.suspend(() =>
  Effect.fail(
    new ConnectorError({
      connector: "NullVault",
      method: "set",
      reason: "Unsupported",
      detail: "no vault is configured; set Vault to JSONFileVault"
    })
  )
)
