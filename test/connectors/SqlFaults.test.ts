/** The connectors in SQL that have no suite of faults of their own file, over one PostgreSQL: what they add to {@link Sql}. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import * as AccountData from "../../src/connectors/account/AccountData.ts"
import * as SQLAccount from "../../src/connectors/account/SQLAccount.ts"
import * as SQLAgentData from "../../src/connectors/agentdata/SQLAgentData.ts"
import { SQLManagedVault } from "../../src/connectors/managedvault/SQLManagedVault.ts"
import { SQLModels } from "../../src/connectors/models/SQLModels.ts"
import { SQLScheduler } from "../../src/connectors/scheduler/SQLScheduler.ts"
import { AccountConnector } from "../../src/security/Account.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { ManagedVaultConnector } from "../../src/security/ManagedVault.ts"
import * as Scheduler from "../../src/subsystems/compute/Scheduler.ts"
import { AgentDataConnector } from "../../src/subsystems/io/AgentData.ts"
import { ModelsConnector } from "../../src/subsystems/llm/Models.ts"
import * as faults from "../conformance/faults.ts"
import { postgres } from "../fixtures/Databases.ts"
import * as FaultProxy from "../fixtures/FaultProxy.ts"
import { hasPostgres } from "../fixtures/PostgresServer.ts"

const server = Effect.map(postgres, ({ port }) => port)
const at = ({ port, timeoutMillis }: { readonly port: number; readonly timeoutMillis: number }) => ({
  url: `postgres://postgres@127.0.0.1:${port}/postgres`,
  timeout: timeoutMillis
})

const owner = "user:faults"

const isThere = hasPostgres()

describe.skipIf(!isThere)("SQLScheduler on a network that fails", () => {
  it.scopedLive(
    "jobs that came due while the database was gone are run once when it is back, in the same process",
    () =>
      Effect.gen(function*() {
        const { port, url } = yield* postgres
        const proxy = yield* FaultProxy.make(port)
        const ran: Array<string> = []
        const asAgent = Candidate.as(Candidate.agent("a1"))
        const system = (settings: Parameters<typeof SQLScheduler.layer>[0]) =>
          Layer.build(Layer.provideMerge(
            Scheduler.handler("work", Schema.String, (data) => Effect.sync(() => void ran.push(data))),
            SQLScheduler.layer(settings)
          ))
        yield* system({ ...at({ port: proxy.port, timeoutMillis: 400 }), poll: 50, lease: 1000 })
        const jobs = yield* Effect.provide(Scheduler.Scheduler, yield* system({ url: url(), runJobs: false }))
        const add = (id: string) =>
          jobs.add(id, { task: { kind: "work", data: id }, schedule: { at: new Date().toISOString() } }).pipe(asAgent)
        const finished = (id: string) =>
          asAgent(Effect.repeat(Effect.delay(jobs.history(id), "50 millis"), { until: (runs) => runs.length > 0 }))
        for (const fault of ["refuse", { stall: Infinity }, { cutAfterBytes: 30 }] as const) {
          const id = `during ${JSON.stringify(fault)}`
          yield* add(`before ${id}`)
          yield* finished(`before ${id}`)
          yield* proxy.set(fault)
          yield* add(id)
          yield* Effect.sleep("600 millis")
          yield* proxy.set("pass")
          const [run] = yield* finished(id)
          assert.strictEqual(run?.outcome, "succeeded")
          assert.lengthOf(ran.filter((one) => one === id), 1, id)
        }
      }),
    30_000
  )
})

if (isThere) {
  faults.suite("SQLScheduler", {
    server,
    connector: (to) => SQLScheduler.contract(at(to)),
    read: Effect.flatMap(
      Scheduler.SchedulerConnector,
      (jobs) => Effect.map(jobs.get(owner, "j"), Option.map(({ job }) => job))
    ),
    write: (value) =>
      Effect.flatMap(
        Scheduler.SchedulerConnector,
        (jobs) => jobs.put({ owner, id: "j", kind: "k", job: value, created: 0, paused: false, due: Option.none() })
      )
  })

  faults.suite("SQLModels", {
    server,
    connector: (to) => SQLModels.contract(at(to)),
    read: Effect.flatMap(ModelsConnector, (models) => models.custom(owner)),
    write: (value) =>
      Effect.flatMap(ModelsConnector, (models) => models.put(owner, "m", { provider: "Echo", modelId: value }))
  })

  faults.suite("SQLManagedVault", {
    server,
    connector: (to) => SQLManagedVault.contract({ ...at(to), key: "0".repeat(64) }),
    read: Effect.flatMap(
      ManagedVaultConnector,
      (vault) => Effect.map(vault.get(owner, "s"), Option.map(({ value }) => Redacted.value(value)))
    ),
    write: (value) =>
      Effect.gen(function*() {
        const vault = yield* ManagedVaultConnector
        const found = yield* vault.get(owner, "s")
        yield* vault.set(owner, "s", Redacted.make(value), Option.map(found, ({ version }) => version))
      })
  })

  faults.suite("SQLAccount", {
    server: Effect.tap(server, (port) =>
      Effect.orDie(SQLAccount.write(
        at({ port, timeoutMillis: 10_000 }),
        Schema.decodeUnknownSync(AccountData.Teams)({
          t1: { users: { ann: {} }, roles: { reader: ["Storage: read"] } }
        })
      ))),
    connector: (to) => SQLAccount.SQLAccount.contract({ ...at(to), remember: 0 }),
    read: Effect.flatMap(
      AccountConnector,
      (account) =>
        Effect.all([account.teamsOf(Candidate.user("ann")), account.permissions(Candidate.user("ann"), "t1")])
    )
  })

  faults.suite("SQLAgentData", {
    server: Effect.tap(server, (port) =>
      Effect.orDie(SQLAgentData.save(
        at({ port, timeoutMillis: 10_000 }),
        { document: JSON.stringify({ id: "a", name: "A" }), team: "t1" }
      ))),
    connector: (to) => SQLAgentData.SQLAgentData.contract(at(to)),
    read: Effect.flatMap(
      AgentDataConnector,
      (agents) => Effect.map(agents.get("a", Option.none()), Option.map(({ document }) => document))
    )
  })
}
