/** Vault of another system of this kind, in the space of one of its teams. */
import { Config, Effect, Option, Schema } from "effect"
import * as Connector from "../../kernel/Connector.ts"
import * as Vault from "../../security/Vault.ts"
import * as SmythHost from "../SmythHost.ts"

const SmythVaultSettings = Schema.Struct({
  ...SmythHost.settings,
  /** Team of this system whose secrets every candidate may use. Default: none. */
  shared: Schema.optional(Schema.NonEmptyString)
})

export const SmythVault = Connector.make({
  name: "SmythVault",
  aliases: ["Smyth"],
  contract: Vault.VaultConnector,
  service: Vault.layer,
  settings: SmythVaultSettings,
  make: Effect.fnUntraced(function*({ shared, ...settings }) {
    const { api, call, path } = yield* SmythHost.open("SmythVault", settings)
    return Vault.VaultConnector.of({
      shared: Option.fromNullable(shared),
      get: (owner, name) =>
        Effect.map(call("get", api.vault.get({ path, payload: { owner, name } })), ({ value }) => value),
      names: (owner) => Effect.map(call("names", api.vault.names({ path, payload: { owner } })), ({ names }) => names),
      set: (owner, name, value) => Effect.asVoid(call("set", api.vault.set({ path, payload: { owner, name, value } }))),
      remove: (owner, name) => Effect.asVoid(call("remove", api.vault.remove({ path, payload: { owner, name } })))
    })
  })
})

/** `Vault` at `SMYTH_URL`, for the team `SMYTH_TEAM`, with `SMYTH_TOKEN`; the team `SRE_VAULT_SHARED` is open to everybody. */
export const SmythVaultLive = SmythVault.layerConfig({
  ...SmythHost.config,
  shared: Config.withDefault(Config.nonEmptyString("SRE_VAULT_SHARED"), undefined)
})
