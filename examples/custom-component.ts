/** A component of one's own, used by a document as any other. */
import { Effect, Schema } from "effect"
import { AgentDefinition, Agents, Candidate, Component, Port, Settings, Sre } from "effect-sre"
import { MemoryStorageLive } from "effect-sre/connectors/storage/MemoryStorage"

const Shout = Component.make("Shout", {
  description: "Says it louder.",
  category: "data",
  config: Schema.Struct({ marks: Settings.integer({ min: 0, max: 10, default: 1 }) }),
  inputs: Schema.Struct({ Text: Port.Text }),
  outputs: Schema.Struct({ Loud: Port.Text }),
  run: ({ config, inputs }) => ({ Loud: inputs.Text.toUpperCase() + "!".repeat(config.marks) })
})

const document = {
  id: "crier",
  components: [
    {
      id: "E",
      name: "APIEndpoint",
      data: { endpoint: "cry" },
      inputs: [{ name: "text" }],
      outputs: [{ name: "text", expression: "body.text" }]
    },
    { id: "S", name: "Shout", data: { marks: 3 } }
  ],
  connections: [{ sourceId: "E", sourceIndex: "text", targetId: "S", targetIndex: "Text" }]
}

const main = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown(document))
  const { answer } = yield* agents.call("crier", { endpoint: "cry", body: { text: "hear ye" } })
  console.log("answer:", JSON.stringify(answer))
}).pipe(Candidate.as(Candidate.user("me")))

export const program = () =>
  Effect.runPromise(Effect.provide(main, Sre.layer({ storage: MemoryStorageLive }, { components: [Shout] })))
