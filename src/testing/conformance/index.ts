/**
 * What every connector of a contract must do, as suites for vitest: a connector of one's own passes the one of its contract.
 * A suite registers nothing when it is imported: `storage.suite("My", () => MyStorage.contract(settings))`.
 */
export * as account from "./account.ts"
export * as agentData from "./agentData.ts"
export * as budgets from "./budgets.ts"
export * as cache from "./cache.ts"
export * as code from "./code.ts"
export * as embeddings from "./embeddings.ts"
export * as lasting from "./lasting.ts"
export * as log from "./log.ts"
export * as managedVault from "./managedvault.ts"
export * as models from "./models.ts"
export * as nkv from "./nkv.ts"
export * as rateLimits from "./rateLimits.ts"
export * as router from "./router.ts"
export * as scheduler from "./scheduler.ts"
export * as storage from "./storage.ts"
export * as telemetry from "./telemetry.ts"
export * as vault from "./vault.ts"
export * as vectorDB from "./vectordb.ts"
