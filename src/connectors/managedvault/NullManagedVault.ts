/** A managed vault that keeps nothing and says so when something is to be kept. */
import { Effect, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import { ConnectorError } from "../../kernel/ConnectorError.ts"
import * as ManagedVault from "../../security/ManagedVault.ts"

export const NullManagedVault = Connector.make({
  name: "NullManagedVault",
  aliases: ["Null"],
  contract: ManagedVault.ManagedVaultConnector,
  service: ManagedVault.layer,
  settings: Schema.Struct({}),
  make: () =>
    Effect.succeed(ManagedVault.ManagedVaultConnector.of({
      get: () => Effect.succeedNone,
      set: () => unsupported,
      remove: () => Effect.void
    }))
})

export const NullManagedVaultLive = NullManagedVault.layer({})

const unsupported = Effect.suspend(() =>
  Effect.fail(
    new ConnectorError({
      connector: "NullManagedVault",
      method: "set",
      reason: "Unsupported",
      detail: "tokens cannot be kept; set ManagedVault to JSONFileManagedVault"
    })
  )
)
