/** An Effect program on the services of the system. Which connectors stand behind them is decided in one place, below. */
import { Effect, Option, Redacted, Stream } from "effect"
import { AgentDefinition, Agents, Cache, Candidate, Conversation, LLM, Prompt, Sre, Storage, Vault } from "effect-sre"
import { RAMCacheLive } from "effect-sre/connectors/cache/RAMCache"
import { LocalStorageLive } from "effect-sre/connectors/storage/LocalStorage"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const main = Effect.gen(function*() {
  const storage = yield* Storage.Storage
  yield* storage.write("notes/today", new TextEncoder().encode("buy milk"))
  console.log("stored:", new TextDecoder().decode(yield* storage.read("notes/today")))

  const cache = yield* Cache.Cache
  yield* cache.set("greeting", "hello", { timeToLive: "1 minute" })
  console.log("cached:", Option.getOrNull(yield* cache.get("greeting")))

  const vault = yield* Vault.Vault
  yield* vault.set("token", Redacted.make("s3cret"))
  console.log("in the vault:", (yield* vault.list).join(", "))

  const llm = yield* LLM.LLM
  const answer = yield* llm.generate({ model: "Echo", messages: [Prompt.user("Is anybody there?")] })
  console.log("the model says:", answer.text)

  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown({ id: "parrot", defaultModel: "Echo", components: [] }))
  const events = agents.prompt("parrot", { message: "Pieces of eight!" })
  console.log("the agent says:", yield* Conversation.answerOf(events))
  console.log("in pieces:", yield* Stream.runCount(events))
})

// Everybody else gets nothing of what alice keeps: a program without a candidate is refused.
const asAlice = Candidate.as(main, Candidate.user("alice"))

export const program = async () => {
  process.env["SRE_DATA"] = await mkdtemp(join(tmpdir(), "effect-sre-"))
  await Effect.runPromise(
    Effect.provide(asAlice, Sre.layer({ storage: LocalStorageLive, cache: RAMCacheLive }))
  ).finally(() => rm(process.env["SRE_DATA"]!, { recursive: true }))
}
