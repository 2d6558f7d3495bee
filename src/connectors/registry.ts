/** Every service and every connector this build ships with. The first connector of a list is the embedded default. */
import type { Context, Layer } from "effect"
import type * as Connector from "../kernel/Connector.ts"
import * as Account from "../security/Account.ts"
import * as ManagedVault from "../security/ManagedVault.ts"
import * as Vault from "../security/Vault.ts"
import * as Code from "../subsystems/compute/Code.ts"
import * as Computer from "../subsystems/compute/Computer.ts"
import * as Scheduler from "../subsystems/compute/Scheduler.ts"
import * as AgentData from "../subsystems/io/AgentData.ts"
import * as ApiDocuments from "../subsystems/io/ApiDocuments.ts"
import * as Documents from "../subsystems/io/Documents.ts"
import * as Log from "../subsystems/io/Log.ts"
import * as Mcp from "../subsystems/io/Mcp.ts"
import * as NKV from "../subsystems/io/NKV.ts"
import * as Outbound from "../subsystems/io/Outbound.ts"
import * as Router from "../subsystems/io/Router.ts"
import * as Storage from "../subsystems/io/Storage.ts"
import * as Telemetry from "../subsystems/io/Telemetry.ts"
import * as VectorDB from "../subsystems/io/VectorDB.ts"
import * as WebPages from "../subsystems/io/WebPages.ts"
import * as WebSearch from "../subsystems/io/WebSearch.ts"
import * as BudgetStore from "../subsystems/llm/BudgetStore.ts"
import * as Inference from "../subsystems/llm/Inference.ts"
import * as Models from "../subsystems/llm/Models.ts"
import * as RateLimitStore from "../subsystems/llm/RateLimitStore.ts"
import * as Cache from "../subsystems/memory/Cache.ts"
import { DummyAccount } from "./account/DummyAccount.ts"
import { JSONFileAccount } from "./account/JSONFileAccount.ts"
import { LDAPAccount } from "./account/LDAPAccount.ts"
import { OIDCAccount } from "./account/OIDCAccount.ts"
import { SQLAccount } from "./account/SQLAccount.ts"
import { CLIAgentData } from "./agentdata/CLIAgentData.ts"
import { LocalAgentData } from "./agentdata/LocalAgentData.ts"
import { NullAgentData } from "./agentdata/NullAgentData.ts"
import { SQLAgentData } from "./agentdata/SQLAgentData.ts"
import { StorageAgentData } from "./agentdata/StorageAgentData.ts"
import { SwaggerParser } from "./apidocuments/SwaggerParser.ts"
import { RAMBudgets } from "./budgets/RAMBudgets.ts"
import { RedisBudgets } from "./budgets/RedisBudgets.ts"
import { LocalStorageCache } from "./cache/LocalStorageCache.ts"
import { RAMCache } from "./cache/RAMCache.ts"
import { RedisCache } from "./cache/RedisCache.ts"
import { S3Cache } from "./cache/S3Cache.ts"
import { TieredCache } from "./cache/TieredCache.ts"
import { AWSLambda } from "./code/AWSLambda.ts"
import { ECMASandbox } from "./code/ECMASandbox.ts"
import { Process } from "./code/Process.ts"
import { BrowserComputer } from "./computer/BrowserComputer.ts"
import { LocalDocuments } from "./documents/LocalDocuments.ts"
import { HuggingFace } from "./inference/HuggingFace.ts"
import { ConsoleLog } from "./log/ConsoleLog.ts"
import { SmythLog } from "./log/SmythLog.ts"
import { JSONFileManagedVault } from "./managedvault/JSONFileManagedVault.ts"
import { NullManagedVault } from "./managedvault/NullManagedVault.ts"
import { SecretsManagerManagedVault } from "./managedvault/SecretsManagerManagedVault.ts"
import { SQLManagedVault } from "./managedvault/SQLManagedVault.ts"
import { McpClient } from "./mcp/McpClient.ts"
import { JSONModels } from "./models/JSONModels.ts"
import { SQLModels } from "./models/SQLModels.ts"
import { LocalNKV } from "./nkv/LocalNKV.ts"
import { RAMNKV } from "./nkv/RAMNKV.ts"
import { RedisNKV } from "./nkv/RedisNKV.ts"
import { SQLNKV } from "./nkv/SQLNKV.ts"
import { UndiciOutbound } from "./outbound/UndiciOutbound.ts"
import { RAMRateLimits } from "./ratelimits/RAMRateLimits.ts"
import { RedisRateLimits } from "./ratelimits/RedisRateLimits.ts"
import { ExpressRouter } from "./router/ExpressRouter.ts"
import { NodeRouter } from "./router/NodeRouter.ts"
import { NullRouter } from "./router/NullRouter.ts"
import { LocalScheduler } from "./scheduler/LocalScheduler.ts"
import { SQLScheduler } from "./scheduler/SQLScheduler.ts"
import { LocalStorage } from "./storage/LocalStorage.ts"
import { MemoryStorage } from "./storage/MemoryStorage.ts"
import { S3Storage } from "./storage/S3Storage.ts"
import { SmythStorage } from "./storage/SmythStorage.ts"
import { NullTelemetry } from "./telemetry/NullTelemetry.ts"
import { OTel } from "./telemetry/OTel.ts"
import { EnvVault } from "./vault/EnvVault.ts"
import { HashicorpVault } from "./vault/HashicorpVault.ts"
import { JSONFileVault } from "./vault/JSONFileVault.ts"
import { NullVault } from "./vault/NullVault.ts"
import { SecretsManagerVault } from "./vault/SecretsManagerVault.ts"
import { SmythVault } from "./vault/SmythVault.ts"
import { Milvus } from "./vectordb/Milvus.ts"
import { Pinecone } from "./vectordb/Pinecone.ts"
import { PostgresVec } from "./vectordb/PostgresVec.ts"
import { RAMVec } from "./vectordb/RAMVec.ts"
import { SmythManagedVectorDB } from "./vectordb/SmythManagedVectorDB.ts"
import { SQLiteVec } from "./vectordb/SQLiteVec.ts"
import { Browser } from "./webpages/Browser.ts"
import { Readability } from "./webpages/Readability.ts"
import { Scrapfly } from "./webpages/Scrapfly.ts"
import { Brave } from "./websearch/Brave.ts"
import { ModelSearch } from "./websearch/ModelSearch.ts"
import { SearXNG } from "./websearch/SearXNG.ts"
import { Tavily } from "./websearch/Tavily.ts"

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
  telemetry: subsystem("Telemetry", Telemetry.Telemetry, Telemetry.layer, [NullTelemetry, OTel]),
  log: subsystem("Log", Log.Log, Log.layer, [ConsoleLog, SmythLog]),
  account: subsystem("Account", Account.Account, Account.layer, [
    DummyAccount,
    JSONFileAccount,
    SQLAccount,
    LDAPAccount,
    OIDCAccount
  ])
}

export const subsystems = {
  // Keys of providers in the environment are those of the team that the embedded account puts everybody in.
  vault: subsystem("Vault", Vault.Vault, Vault.layer, [
    JSONFileVault,
    EnvVault,
    HashicorpVault,
    SecretsManagerVault,
    SmythVault,
    NullVault
  ], { environment: "default" }),
  managedVault: subsystem("ManagedVault", ManagedVault.ManagedVault, ManagedVault.layer, [
    JSONFileManagedVault,
    SQLManagedVault,
    SecretsManagerManagedVault,
    NullManagedVault
  ]),
  cache: subsystem("Cache", Cache.Cache, Cache.layer, [RAMCache, RedisCache, S3Cache, LocalStorageCache, TieredCache]),
  storage: subsystem("Storage", Storage.Storage, Storage.layer, [LocalStorage, MemoryStorage, S3Storage, SmythStorage]),
  nkv: subsystem("NKV", NKV.NKV, NKV.layer, [LocalNKV, RAMNKV, RedisNKV, SQLNKV]),
  budgetStore: subsystem("BudgetStore", BudgetStore.BudgetStore, BudgetStore.layer, [RAMBudgets, RedisBudgets]),
  rateLimitStore: subsystem("RateLimitStore", RateLimitStore.RateLimitStore, RateLimitStore.layer, [
    RAMRateLimits,
    RedisRateLimits
  ]),
  models: subsystem("ModelsProvider", Models.Models, Models.layer, [JSONModels, SQLModels]),
  code: subsystem("Code", Code.Code, Code.layer, [ECMASandbox, Process, AWSLambda]),
  scheduler: subsystem("Scheduler", Scheduler.Scheduler, Scheduler.layer, [LocalScheduler, SQLScheduler]),
  computer: subsystem("Computer", Computer.Computer, Computer.layer, [BrowserComputer]),
  documents: subsystem("Documents", Documents.Documents, Documents.layer, [LocalDocuments]),
  webPages: subsystem("WebPages", WebPages.WebPages, WebPages.layer, [Readability, Scrapfly, Browser]),
  webSearch: subsystem("WebSearch", WebSearch.WebSearch, WebSearch.layer, [Tavily, Brave, SearXNG, ModelSearch]),
  outbound: subsystem("Outbound", Outbound.Outbound, Outbound.layer, [UndiciOutbound]),
  router: subsystem("Router", Router.Router, Router.layer, [NodeRouter, ExpressRouter, NullRouter])
}

/** What stands on other subsystems and on models; started after them. */
export const dependents = {
  agentData: subsystem("AgentData", AgentData.AgentData, AgentData.layer, [
    NullAgentData,
    LocalAgentData,
    SQLAgentData,
    StorageAgentData,
    CLIAgentData
  ]),
  apiDocuments: subsystem("ApiDocuments", ApiDocuments.ApiDocuments, ApiDocuments.layer, [SwaggerParser]),
  inference: subsystem("Inference", Inference.Inference, Inference.layer, [HuggingFace]),
  mcp: subsystem("Mcp", Mcp.Mcp, Mcp.layer, [McpClient]),
  vectorDB: subsystem("VectorDB", VectorDB.VectorDB, VectorDB.layer, [
    SQLiteVec,
    RAMVec,
    PostgresVec,
    Pinecone,
    Milvus,
    SmythManagedVectorDB
  ])
}
