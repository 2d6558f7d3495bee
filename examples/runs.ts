/** A run in the background: watched, held between two steps, looked into, and let go on. */
import { Effect, Stream } from "effect"
import { AgentDefinition, Agents, Candidate, Sre } from "effect-sre"
import { MemoryStorageLive } from "effect-sre/connectors/storage/MemoryStorage"
import { readFile } from "node:fs/promises"

const main = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  const source = yield* Effect.promise(() => readFile("examples/agents/digest.smyth", "utf8"))
  const { definition } = yield* agents.load(yield* AgentDefinition.fromText(source))

  // Held in front of every hash: the state is data now, and outlives this process when the cache does.
  const breakpoints = definition.document.components.filter(({ name }) => name === "FHash").map(({ id }) => id)
  const { id } = yield* agents.start("digest", { endpoint: "digest", body: { text: "hi" }, debug: { breakpoints } })
  const run = { agent: "digest", run: id }
  const held = Stream.takeUntil(agents.events(run), ({ event }) => event._tag === "RunPaused")
  yield* Stream.runForEach(held, ({ event, seq }) => Effect.sync(() => console.log(seq, event._tag)))
  const { values } = yield* agents.inspect(run)
  console.log("values:", values.map(({ from, to, value }) => `${from} -> ${to}: ${JSON.stringify(value)}`).join(", "))

  const { next } = yield* agents.resume(run, "into") // one step
  console.log("next:", next)
  yield* agents.resume(run)
  console.log("answer:", (yield* agents.result(run)).answer)
}).pipe(Candidate.as(Candidate.user("ann")))

export const program = () => Effect.runPromise(Effect.provide(main, Sre.layer({ storage: MemoryStorageLive })))
