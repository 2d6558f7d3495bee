/** A whole system for tests: everything in memory, nothing on disk, and nothing on the network but what is allowed. */
import { Context, Effect, Layer } from "effect"
import * as Sre from "../boot/Sre.ts"
import { DummyAccount } from "../connectors/account/DummyAccount.ts"
import { NullAgentData } from "../connectors/agentdata/NullAgentData.ts"
import { RAMCache } from "../connectors/cache/RAMCache.ts"
import { ECMASandbox } from "../connectors/code/ECMASandbox.ts"
import { HashedEmbeddings } from "../connectors/embeddings/HashedEmbeddings.ts"
import { ConsoleLog } from "../connectors/log/ConsoleLog.ts"
import { NullManagedVault } from "../connectors/managedvault/NullManagedVault.ts"
import { RAMNKV } from "../connectors/nkv/RAMNKV.ts"
import { UndiciOutbound } from "../connectors/outbound/UndiciOutbound.ts"
import { NullRouter } from "../connectors/router/NullRouter.ts"
import { LocalScheduler } from "../connectors/scheduler/LocalScheduler.ts"
import { MemoryStorage } from "../connectors/storage/MemoryStorage.ts"
import { RAMVec } from "../connectors/vectordb/RAMVec.ts"
import type { BootError } from "../kernel/BootError.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import type * as ManagedVault from "../security/ManagedVault.ts"
import * as Vault from "../security/Vault.ts"
import type * as LLM from "../subsystems/llm/LLM.ts"
import type * as Cache from "../subsystems/memory/Cache.ts"
import { memoryVault } from "./MemoryVault.ts"

export interface Options<Script = never, E = unknown> extends Sre.Options {
  /** Who is in which team: `{ ta: { users: { a: {} }, agents: { a1: {} } } }`. Absent: everybody in the team `default`. */
  readonly teams?: NonNullable<Parameters<typeof DummyAccount.layer>[0]["data"]> | undefined
  /** Secrets by owner: `{ "team:ta": { openai: "sk-…" } }`. */
  readonly secrets?: Parameters<typeof memoryVault>[0] | undefined
  /** `TestLLM.layer([…])`, say; what it gives beside `LLM`, the system gives too. Absent: the usual providers. */
  readonly llm?: Layer.Layer<LLM.LLM | Script, E> | undefined
  /** Absent: in memory, and gone with the system. */
  readonly cache?: Layer.Layer<Cache.Cache, BootError | E> | undefined
  /** Absent: one that keeps nothing. */
  readonly managedVault?: Layer.Layer<ManagedVault.ManagedVault, BootError | E> | undefined
  /** Addresses of one's own network that components may call: `127.0.0.1:4112`. */
  readonly allow?: ReadonlyArray<string> | undefined
}

export const layer = <Script = never, E = never>({
  allow = [],
  cache = RAMCache.layer({}),
  llm,
  managedVault = NullManagedVault.layer({}),
  secrets = {},
  teams,
  ...options
}: Options<Script, E> = {}): Layer.Layer<Sre.Sre | Script, BootError | ConnectorError | E> =>
  Layer.suspend(() => {
    let script = Context.empty() as Context.Context<LLM.LLM | Script>
    const system: Layer.Layer<Sre.Sre, unknown> = Sre.layer({
      account: DummyAccount.layer(teams === undefined ? {} : { data: teams }),
      log: ConsoleLog.layer({ level: "error" }),
      storage: MemoryStorage.layer({}),
      cache,
      nkv: RAMNKV.layer({}),
      vault: Layer.provide(Vault.layer, memoryVault(secrets)),
      managedVault,
      agentData: NullAgentData.layer({}),
      code: ECMASandbox.layer({ workers: 1 }),
      scheduler: LocalScheduler.layer({ file: ":memory:" }),
      outbound: UndiciOutbound.layer({ allow: [...allow] }),
      router: NullRouter.layer({}),
      embeddings: HashedEmbeddings.layer({}),
      vectorDB: RAMVec.layer({}),
      ...(llm === undefined ? {} : { llm: Layer.tap(llm, (made) => Effect.sync(() => void (script = made))) })
    }, options)
    // The system's own `LLM`, which governs that of the script, wins.
    const all = Layer.map(system, (services) => Context.merge(script, services))
    // Types cannot follow what a layer of the caller fails with through the choices above.
    return all as Layer.Layer<Sre.Sre | Script, BootError | ConnectorError | E>
  })
