/** Every service and every connector this build ships with. The first connector of a list is the embedded default. */
import type { Context, Layer } from "effect"
import type * as Connector from "../kernel/Connector.ts"
import * as Account from "../security/Account.ts"
import * as ManagedVault from "../security/ManagedVault.ts"
import * as Vault from "../security/Vault.ts"
import * as AgentData from "../subsystems/io/AgentData.ts"
import * as Log from "../subsystems/io/Log.ts"
import * as NKV from "../subsystems/io/NKV.ts"
import * as Outbound from "../subsystems/io/Outbound.ts"
import * as Router from "../subsystems/io/Router.ts"
import * as Storage from "../subsystems/io/Storage.ts"
import * as Models from "../subsystems/llm/Models.ts"
import * as Cache from "../subsystems/memory/Cache.ts"
import { DummyAccount } from "./account/DummyAccount.ts"
import { JSONFileAccount } from "./account/JSONFileAccount.ts"
import { LocalAgentData } from "./agentdata/LocalAgentData.ts"
import { NullAgentData } from "./agentdata/NullAgentData.ts"
import { RAMCache } from "./cache/RAMCache.ts"
import { RedisCache } from "./cache/RedisCache.ts"
import { ConsoleLog } from "./log/ConsoleLog.ts"
import { JSONFileManagedVault } from "./managedvault/JSONFileManagedVault.ts"
import { NullManagedVault } from "./managedvault/NullManagedVault.ts"
import { JSONModels } from "./models/JSONModels.ts"
import { LocalNKV } from "./nkv/LocalNKV.ts"
import { RAMNKV } from "./nkv/RAMNKV.ts"
import { UndiciOutbound } from "./outbound/UndiciOutbound.ts"
import { NodeRouter } from "./router/NodeRouter.ts"
import { NullRouter } from "./router/NullRouter.ts"
import { LocalStorage } from "./storage/LocalStorage.ts"
import { MemoryStorage } from "./storage/MemoryStorage.ts"
import { EnvVault } from "./vault/EnvVault.ts"
import { JSONFileVault } from "./vault/JSONFileVault.ts"
import { NullVault } from "./vault/NullVault.ts"

/** A service with the connectors that can stand behind it. */
export interface Subsystem<Id = unknown, S = unknown, Out = unknown, ContractId = unknown> {
  /** As in the configuration: `ManagedVault`. */
  readonly name: string
  readonly tag: Context.Tag<Id, S>
  /** The guarded service on a contract. */
  readonly layer: Layer.Layer<Out, never, ContractId>
  readonly connectors: readonly [Connector.Any, ...ReadonlyArray<Connector.Any>]
  /** Settings of the embedded default. */
  readonly settings: Readonly<Record<string, unknown>>
}

const subsystem = <Id, S, Out, ContractId>(
  name: string,
  tag: Context.Tag<Id, S>,
  layer: Layer.Layer<Out, never, ContractId>,
  connectors: readonly [Connector.Any, ...ReadonlyArray<Connector.Any>],
  settings: Readonly<Record<string, unknown>> = {}
): Subsystem<Id, S, Out, ContractId> => ({ name, tag, layer, connectors, settings })

/** What every access check needs; started before all others. */
export const foundations = {
  log: subsystem("Log", Log.Log, Log.layer, [ConsoleLog]),
  account: subsystem("Account", Account.Account, Account.layer, [DummyAccount, JSONFileAccount])
}

export const subsystems = {
  // Keys of providers in the environment are those of the team that the embedded account puts everybody in.
  vault: subsystem("Vault", Vault.Vault, Vault.layer, [JSONFileVault, EnvVault, NullVault], { environment: "default" }),
  managedVault: subsystem("ManagedVault", ManagedVault.ManagedVault, ManagedVault.layer, [
    JSONFileManagedVault,
    NullManagedVault
  ]),
  cache: subsystem("Cache", Cache.Cache, Cache.layer, [RAMCache, RedisCache]),
  storage: subsystem("Storage", Storage.Storage, Storage.layer, [LocalStorage, MemoryStorage]),
  nkv: subsystem("NKV", NKV.NKV, NKV.layer, [LocalNKV, RAMNKV]),
  models: subsystem("ModelsProvider", Models.Models, Models.layer, [JSONModels]),
  agentData: subsystem("AgentData", AgentData.AgentData, AgentData.layer, [NullAgentData, LocalAgentData]),
  outbound: subsystem("Outbound", Outbound.Outbound, Outbound.layer, [UndiciOutbound]),
  router: subsystem("Router", Router.Router, Router.layer, [NodeRouter, NullRouter])
}
