/** Agents with triggers in a whole system behind a real HTTP server, which can be started again on the same data. */
import { Context, Effect, Layer, type Scope } from "effect"
import { createHmac } from "node:crypto"
import { join } from "node:path"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import { Agents } from "../../../src/agents/Agents.ts"
import * as Sre from "../../../src/boot/Sre.ts"
import * as Component from "../../../src/components/Component.ts"
import { DummyAccount } from "../../../src/connectors/account/DummyAccount.ts"
import { RAMCache } from "../../../src/connectors/cache/RAMCache.ts"
import { ConsoleLog } from "../../../src/connectors/log/ConsoleLog.ts"
import { JSONFileManagedVault } from "../../../src/connectors/managedvault/JSONFileManagedVault.ts"
import { LocalNKV } from "../../../src/connectors/nkv/LocalNKV.ts"
import { UndiciOutbound } from "../../../src/connectors/outbound/UndiciOutbound.ts"
import { NodeRouter } from "../../../src/connectors/router/NodeRouter.ts"
import { LocalScheduler } from "../../../src/connectors/scheduler/LocalScheduler.ts"
import { MemoryStorage } from "../../../src/connectors/storage/MemoryStorage.ts"
import type { Audit } from "../../../src/security/Audit.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import * as Vault from "../../../src/security/Vault.ts"
import * as Server from "../../../src/server/Server.ts"
import type { Log } from "../../../src/subsystems/io/Log.ts"
import { Router } from "../../../src/subsystems/io/Router.ts"
import { memoryVault } from "../../fixtures/MemoryVault.ts"
import { send } from "../../server/serving.ts"

export { send } from "../../server/serving.ts"

/** The one user of a server without credentials, who owns the agents. */
export const owner = Candidate.as(Candidate.user("local"))

export interface Options {
  /** Where data stay from one start to the next. */
  readonly folder: string
  readonly documents: ReadonlyArray<unknown>
  readonly secrets?: Readonly<Record<string, string>>
  readonly allow?: ReadonlyArray<string>
  readonly agents?: Sre.Options["agents"]
  readonly components?: ReadonlyArray<Component.Any>
  readonly log?: Layer.Layer<Log | Audit>
  readonly maxBodyBytes?: number
  readonly auth?: Server.Options["auth"]
}

export interface Served {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly agents: typeof Agents.Service
  readonly context: Context.Context<Sre.Sre>
}

export const serving = (
  { agents = {}, allow = [], auth = "local", components = [], documents, folder, log, maxBodyBytes, secrets = {} }:
    Options
): Effect.Effect<Served, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Sre.layer({
      account: DummyAccount.layer({}),
      log: log ?? ConsoleLog.layer({ level: "error" }),
      storage: MemoryStorage.layer({}),
      cache: RAMCache.layer({}),
      nkv: LocalNKV.layer({ folder: join(folder, "nkv") }),
      vault: Layer.provide(Vault.layer, memoryVault({ "team:default": secrets })),
      managedVault: JSONFileManagedVault.layer({ file: join(folder, "managed.json") }),
      scheduler: LocalScheduler.layer({ file: join(folder, "jobs.sqlite") }),
      outbound: UndiciOutbound.layer({ allow: [...allow] }),
      router: NodeRouter.layer({ port: 0 })
    }, { agents, components: [...components, keeper(kept), Fail] }))
    const table = Context.get(context, Agents)
    yield* Effect.gen(function*() {
      for (const document of documents) {
        yield* owner(Effect.flatMap(AgentDefinition.fromUnknown(document), table.load))
      }
      yield* Server.serve({ auth, maxBodyBytes })
    }).pipe(Effect.provide(context))
    return { url: yield* Context.get(context, Router).baseUrl, agents: table, context }
  })

export interface Kept {
  readonly value: unknown
  /** What the run is asked with, and as whom it runs. */
  readonly run: Component.RunInfo
  readonly who: string
}

/** What components `Keep` got, in all systems of this file. */
export const kept: Array<Kept> = []

/** Those of one agent; agents of different tests have different names. */
export const keptOf = (agent: string) => kept.filter(({ who }) => who === `agent:${agent}`)

const keeper = (kept: Array<Kept>) =>
  Component.make("Keep", {
    description: "Keeps what it gets.",
    category: "data",
    openInputs: true,
    openOutputs: true,
    run: ({ inputs, step }) =>
      Effect.map(Candidate.current, (who) => {
        kept.push({ value: inputs["v"], run: step.run, who: Candidate.format(who) })
        return { out: inputs["v"] }
      })
  })

const Fail = Component.make("Fail", {
  description: "Fails.",
  category: "data",
  openInputs: true,
  run: () => new Component.ComponentFailed({ message: "no luck" })
})

export const hmac = (key: string, text: string | Uint8Array, encoding: "hex" | "base64" = "hex") =>
  createHmac("sha256", key).update(text).digest(encoding)

export const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  send(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } })
