import { assert, describe, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as AgentDefinition from "../../../src/agents/AgentDefinition.ts"
import * as Agents from "../../../src/agents/Agents.ts"
import * as Component from "../../../src/components/Component.ts"
import * as Port from "../../../src/components/Port.ts"
import * as Settings from "../../../src/components/Settings.ts"
import { ComponentHost } from "../../../src/components/system/ComponentHost.ts"
import * as Candidate from "../../../src/security/Candidate.ts"
import { agentDocument, endpoint } from "../../agents/documents.ts"
import * as System from "../../fixtures/System.ts"
import { runComponent } from "../harness.ts"

const Shout = Component.make("Shout", {
  description: "Says it louder.",
  category: "data",
  config: Schema.Struct({ marks: Settings.integer({ min: 0, max: 10, default: 1 }) }),
  inputs: Schema.Struct({ Text: Port.Text }),
  outputs: Schema.Struct({ Loud: Port.Text }),
  run: ({ config, inputs }) => ({ Loud: inputs.Text.toUpperCase() + "!".repeat(config.marks) })
})

const call = (data: Record<string, unknown>) =>
  Effect.gen(function*() {
    const agents = yield* Agents.Agents
    const document = agentDocument(
      { E: endpoint("text"), H: { name: "ComponentHost", data, in: ["Text"], out: ["Loud"] } },
      ["E.text -> H.Text"]
    )
    yield* agents.load(yield* AgentDefinition.fromUnknown(document))
    return yield* agents.call("a1", { endpoint: "go", body: { text: "hear ye" } })
  }).pipe(Candidate.as(Candidate.user("a")))

describe("ComponentHost", () => {
  layer(System.layer({ components: [Shout] }), { excludeTestServices: true, timeout: "30 seconds" })((it) => {
    it.effect("runs as the component it names, with its own settings", () =>
      Effect.map(
        call({ _component: "Shout", marks: "3" }),
        ({ answer }) => assert.include(JSON.stringify(answer), `"Loud":"HEAR YE!!!"`)
      ))

    it.effect("is checked as that component when the document is loaded", () =>
      Effect.gen(function*() {
        const problem = (data: Record<string, unknown>) => Effect.map(Effect.flip(call(data)), ({ message }) => message)
        assert.include(yield* problem({ _component: "Shout", marks: 11 }), "from 0 to 10")
        assert.include(yield* problem({ _component: "Shuot" }), `Did you mean "Shout"`)
        assert.include(yield* problem({}), "_component")
      }))

    it.effect("does not hold its own place", () =>
      Effect.map(
        Effect.flip(runComponent(ComponentHost, { settings: { _component: "ComponentHost" } })),
        ({ message }) => assert.include(message, "a place for others")
      ))
  })
})
