/** Swap the connectors, keep the code: `work` never names one, a configuration does. Here it is the embedded one. */
import { Chunk, Effect, Option, Redacted, Stream } from "effect"
import { AgentDefinition, Agents, Cache, Candidate, Configuration } from "effect-sre"
import { Conversation, Log, NKV, Storage, Vault, VectorDB } from "effect-sre"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Remembers what it is told; and talks, with the model that the operator calls `house`. */
const clerk = {
  id: "clerk",
  defaultModel: "house",
  components: [
    {
      id: "E",
      name: "APIEndpoint",
      data: { endpoint: "note" },
      inputs: [{ name: "text" }],
      outputs: [{ name: "text", expression: "body.text" }]
    },
    {
      id: "W",
      name: "MemoryWriteKeyVal",
      data: { memoryName: "notes", key: "last", value: "{{text}}", scope: "" },
      inputs: [{ name: "text" }],
      outputs: [{ name: "Key" }]
    },
    {
      id: "R",
      name: "MemoryReadKeyVal",
      data: { memoryName: "notes", key: "{{Key}}", scope: "" },
      inputs: [{ name: "Key" }],
      outputs: [{ name: "Value" }]
    }
  ],
  connections: [
    { sourceId: "E", sourceIndex: "text", targetId: "W", targetIndex: "text" },
    { sourceId: "W", sourceIndex: "Key", targetId: "R", targetIndex: "Key" }
  ]
}

/** What comes out is the same on every system. */
export const work = Effect.gen(function*() {
  const storage = yield* Storage.Storage
  yield* storage.write("reports/monday", new TextEncoder().encode("Sales are up."), { contentType: "text/plain" })
  const listed = yield* Stream.runCollect(Stream.unwrap(storage.list("reports/")))

  const cache = yield* Cache.Cache
  yield* cache.set("rate", "1.08", { timeToLive: "1 minute" })

  const nkv = yield* NKV.NKV
  yield* nkv.set("settings", "theme", { dark: true })

  const vectors = yield* VectorDB.VectorDB
  yield* vectors.createNamespace("handbook")
  yield* vectors.insert("handbook", [
    { id: "leave", text: "Everybody has thirty days of holiday a year." },
    { id: "travel", text: "Journeys by train are booked in second class." },
    { id: "lunch", text: "Soup is served from noon." }
  ])
  const hits = yield* vectors.search("handbook", "how many days of holiday", { topK: 1 })

  const vault = yield* Vault.Vault
  yield* vault.set("mail", Redacted.make("s3cret"))

  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown(clerk))
  const { answer } = yield* agents.call("clerk", { endpoint: "note", body: { text: "call Bob" } })
  const said = yield* Conversation.answerOf(agents.prompt("clerk", { message: "Good morning!" }))

  const log = yield* Log.Log
  yield* log.record({ level: "info", message: "the work is done" })

  const asBob = Candidate.as(Candidate.user("bob"))
  return {
    stored: new TextDecoder().decode(yield* storage.read("reports/monday")),
    listed: Chunk.toReadonlyArray(listed).map(({ key }) => key),
    cached: yield* cache.get("rate"),
    kept: yield* nkv.get("settings", "theme"),
    found: hits.map(({ id, text }) => ({ id, text })),
    secret: Redacted.value(yield* vault.get("mail")),
    secrets: [yield* vault.exists("mail"), yield* vault.exists("no such")],
    remembered: answer,
    said,
    bobReads: (yield* asBob(Effect.flip(storage.read("smythfs://ann.user/reports/monday"))))._tag,
    bobFinds: Option.isSome(yield* asBob(cache.get("rate")))
  }
}).pipe(Candidate.as(Candidate.user("ann")))

/** Files below `SRE_DATA` and memory; a model that says what it is told. No server, no key, no network. */
export const embedded = {
  Log: { Connector: "SmythLog", Settings: { destination: "file" } },
  ModelsProvider: { Connector: "JSONModels", Settings: { models: { house: { provider: "Echo" } } } }
}

export const program = async () => {
  process.env["SRE_DATA"] = await mkdtemp(join(tmpdir(), "effect-sre-"))
  const done = await Effect.runPromise(Effect.provide(work, Configuration.layerFromConfig(embedded)))
    .finally(() => rm(process.env["SRE_DATA"]!, { recursive: true }))
  console.log("stored:", done.stored)
  console.log("found:", done.found.map(({ id }) => id).join(", "))
  console.log("the agent says:", done.said)
  console.log("bob reads:", done.bobReads)
}
