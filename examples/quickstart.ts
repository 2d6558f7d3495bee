/** Services by tag, connectors by layer, and a candidate who asks. */
import { Effect } from "effect"
import { AgentDefinition, Agents, Candidate, Sre, Storage } from "effect-sre"
import { MemoryStorageLive } from "effect-sre/connectors/storage/MemoryStorage"
import { readFile } from "node:fs/promises"

const main = Effect.gen(function*() {
  const storage = yield* Storage.Storage
  yield* storage.write("notes.txt", new TextEncoder().encode("Ann was here")) // in the home of user:ann

  const agents = yield* Agents.Agents
  const source = yield* Effect.promise(() => readFile("examples/agents/digest.smyth", "utf8"))
  yield* agents.load(yield* AgentDefinition.fromText(source))
  const { answer } = yield* agents.call("digest", { endpoint: "digest", body: { text: "hi" } })
  console.log(answer)
}).pipe(Candidate.as(Candidate.user("ann")))

// What is not chosen here gets its embedded default. On a cluster only this line changes.
export const program = () => Effect.runPromise(Effect.provide(main, Sre.layer({ storage: MemoryStorageLive })))
