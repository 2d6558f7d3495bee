/** A whole system whose lasting data is in one database, by configuration alone. */
import { assert, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Redacted, Schema } from "effect"
import { randomBytes } from "node:crypto"
import * as Configuration from "../../src/boot/Configuration.ts"
import * as AccountData from "../../src/connectors/account/AccountData.ts"
import { write } from "../../src/connectors/account/SQLAccount.ts"
import { save } from "../../src/connectors/agentdata/SQLAgentData.ts"
import { ConnectorError } from "../../src/kernel/ConnectorError.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { ManagedVault } from "../../src/security/ManagedVault.ts"
import { AgentData } from "../../src/subsystems/io/AgentData.ts"
import { NKV } from "../../src/subsystems/io/NKV.ts"
import { Storage } from "../../src/subsystems/io/Storage.ts"
import { Models } from "../../src/subsystems/llm/Models.ts"
import { databases } from "../fixtures/Databases.ts"
import { tempFolder } from "../fixtures/TempFolder.ts"

const teams = Schema.decodeUnknownSync(AccountData.Teams)({
  t1: {
    users: { reader: { roles: ["reader"] }, boss: { roles: ["boss"] } },
    roles: { reader: ["NKV: read on shared:*", "AgentData: read on mine"], boss: ["*: owner"] }
  }
})

const reader = Candidate.user("reader")
const boss = Candidate.user("boss")

for (const [name, database] of databases) {
  it.scopedLive(
    `on ${name}: all services in one database, with the roles of its account`,
    () =>
      Effect.gen(function*() {
        const url = yield* database
        yield* write({ url }, teams)
        for (const id of ["mine", "other"]) yield* save({ url }, { document: JSON.stringify({ id }), team: "t1" })
        const SQL = { Connector: "SQL", Settings: { url } }
        const system = Configuration.layerFromConfig({
          Account: SQL,
          NKV: SQL,
          AgentData: SQL,
          ModelsProvider: SQL,
          ManagedVault: { ...SQL, Settings: { url, key: randomBytes(32).toString("base64") } },
          Storage: { Connector: "Memory" }
        })
        const data = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_DATA", yield* tempFolder]])))
        yield* Effect.gen(function*() {
          const nkv = yield* NKV
          const shared = "smythfs://t1.team/shared"
          yield* Candidate.as(nkv.set(shared, "k", { n: 1 }), boss)
          assert.deepStrictEqual(yield* Candidate.as(nkv.get(shared, "k"), reader), Option.some({ n: 1 }))
          assert.strictEqual((yield* Effect.flip(Candidate.as(nkv.set(shared, "k", 2), reader)))._tag, "AccessDenied")
          const agents = yield* AgentData
          assert.deepStrictEqual((yield* Candidate.as(agents.list, reader)).map(({ id }) => id), ["mine"])
          assert.strictEqual((yield* Candidate.as(agents.list, boss)).length, 2)
          const models = yield* Models
          yield* Candidate.as(models.add("own", { provider: "Echo" }), reader)
          assert.isTrue((yield* Candidate.as(models.get("own"), reader)).isCustom)
          const vault = yield* ManagedVault
          yield* Candidate.as(vault.set("token", Redacted.make("secret")), reader)
          assert.strictEqual(Redacted.value(yield* Candidate.as(vault.get("token"), reader)), "secret")
        }).pipe(Effect.provide(Layer.provide(system, data)))
      }),
    30_000
  )
}

it.scopedLive("AgentData in the Storage of the same system", () =>
  Effect.gen(function*() {
    const system = Configuration.layerFromConfig({
      Account: { Connector: "Dummy", Settings: { data: { t1: { users: { ann: {} } } } } },
      Storage: { Connector: "Memory" },
      AgentData: { Connector: "Storage", Settings: { owner: "team:t1" } }
    })
    const data = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["SRE_DATA", yield* tempFolder]])))
    yield* Effect.gen(function*() {
      const storage = yield* Storage
      const agents = yield* AgentData
      yield* storage.write("smythfs://t1.team/agents/development/a.smyth", new TextEncoder().encode("{\"name\":\"A\"}"))
      assert.deepStrictEqual((yield* agents.list).map(({ id, name }) => [id, name]), [["a", "A"]])
      yield* storage.write("smythfs://t1.team/agents/development/a.smyth", new TextEncoder().encode("{"))
      assert.instanceOf(yield* Effect.flip(agents.get("a")), ConnectorError)
    }).pipe(Candidate.as(Candidate.user("ann")), Effect.provide(Layer.provide(system, data)))
  }))
