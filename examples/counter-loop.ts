/** A cycle: what goes back to an input starts another round, until nothing goes back. Here a counter, wired to itself. */
import { Effect, Schema } from "effect"
import { AgentDefinition, Agents, Candidate, Component, Port, Settings, Sre } from "effect-sre"
import { MemoryStorageLive } from "effect-sre/connectors/storage/MemoryStorage"

const Count = Component.make("Count", {
  description: "Adds one; says Again below the limit, and Done at it.",
  category: "logic",
  config: Schema.Struct({ limit: Settings.integer({ min: 1, max: 1000, default: 10 }) }),
  inputs: Schema.Struct({ Number: Port.Number }),
  outputs: Schema.Struct({ Again: Port.Number, Done: Port.Number }),
  run: ({ config, inputs }) =>
    inputs.Number + 1 < config.limit ? { Again: inputs.Number + 1 } : { Done: inputs.Number + 1 }
})

const wire = (sourceId: string, sourceIndex: string, targetId: string, targetIndex: string) => ({
  sourceId,
  sourceIndex,
  targetId,
  targetIndex
})

const document = {
  id: "counter",
  components: [
    {
      id: "E",
      name: "APIEndpoint",
      data: { endpoint: "count" },
      inputs: [{ name: "from", type: "Number" }],
      outputs: [{ name: "from", expression: "body.from" }]
    },
    { id: "C", name: "Count", data: { limit: 5 } },
    { id: "O", name: "APIOutput", data: { format: "minimal" }, inputs: [{ name: "total" }] }
  ],
  connections: [wire("E", "from", "C", "Number"), wire("C", "Again", "C", "Number"), wire("C", "Done", "O", "total")]
}

const main = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown(document))
  const { answer } = yield* agents.call("counter", { endpoint: "count", body: { from: 0 } })
  console.log("counted:", JSON.stringify(answer))
  // Rounds are bounded, so that a cycle that never ends is an error and no hang.
  const endless = {
    ...document,
    components: document.components.map((one) => one.id === "C" ? { ...one, data: { limit: 1000 } } : one)
  }
  yield* agents.load(yield* AgentDefinition.fromUnknown(endless))
  const error = yield* Effect.flip(agents.call("counter", { endpoint: "count", body: { from: 0 } }))
  console.log("refused:", error.message)
}).pipe(Candidate.as(Candidate.user("me")))

export const program = () =>
  Effect.runPromise(Effect.provide(main, Sre.layer({ storage: MemoryStorageLive }, { components: [Count] })))
