/** Every connector with a network in between has its fault suite; those with none in between stand here by name. */
import { assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import type * as Connector from "../../src/kernel/Connector.ts"
import { services } from "../fixtures/connectorDocs.ts"
import { filesIn, read, root } from "../fixtures/source.ts"

/** In this process, on this machine's disk, or a program it starts. */
const local = [
  ["Account", "DummyAccount", "JSONFileAccount"],
  ["AgentData", "NullAgentData", "Local", "CLI"],
  ["ApiDocuments", "SwaggerParser"],
  ["BudgetStore", "RAM"],
  ["Cache", "RAM", "LocalStorage"],
  ["Code", "ECMASandbox", "Process"],
  ["Documents", "Local"],
  ["Embeddings", "Hashed", "LlamaCpp"],
  ["Log", "ConsoleLog"],
  ["ManagedVault", "JSONFileManagedVault", "NullManagedVault"],
  ["ModelsProvider", "JSONModels"],
  ["NKV", "LocalStorage", "RAM"],
  ["RateLimitStore", "RAM"],
  ["Router", "Node", "Express", "NullRouter"],
  ["Scheduler", "LocalScheduler"],
  ["Storage", "Local", "Memory"],
  ["Telemetry", "NullTelemetry"],
  ["Vault", "JSONFileVault", "Env", "NullVault"],
  ["VectorDB", "SQLiteVec", "RAMVec"]
].flatMap(([service, ...names]) => names.map((name) => `${service}: ${name}`))

/** These only send, and have faults of their own in their tests. */
const senders = ["Log: SmythLog", "Telemetry: OTel"]

/** These ask the network through another service, whose connectors have their suites. */
const users = ["AgentData: Storage", "Computer: Browser", "WebSearch: ModelSearch"]

const suites = filesIn("test", /\.test\.ts$/).map(read).filter((text) =>
  /conformance\/(faults|websearch)\.ts"/.test(text)
)

const symbols = new Map<Connector.Any, string>()
for (const file of filesIn("src/connectors", /\.ts$/)) {
  const exported = await import(join(root, file)) as Readonly<Record<string, unknown>>
  for (const [symbol, one] of Object.entries(exported)) symbols.set(one as Connector.Any, symbol)
}

describe("fault suites", () => {
  // Providers of models have a suite of their own: `llm-wire.ts`.
  const missing = services.filter(({ name }) => name !== "LLM").flatMap(({ connectors, name }) =>
    connectors.filter((one) => !suites.some((text) => new RegExp(`\\b${symbols.get(one)}\\.contract\\b`).test(text)))
      .map((one) => `${name}: ${one.name}`)
  )

  it("are there for every connector with a network in between", () => {
    assert.sameMembers(missing, [...local, ...senders, ...users])
  })
})
