/** One definition of a component of one's own: in a document, in code with its types, and as the tool of a model. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Component, Port, Settings } from "effect-sre"
import { SDK, SRE, wrap } from "effect-sre/sdk"
import * as OpenAIServer from "../fixtures/OpenAIServer.ts"
import { inMemory, rejection } from "./systems.ts"

const Shout = Component.make("Shout", {
  description: "Says it louder.",
  category: "data",
  config: Schema.Struct({ marks: Settings.integer({ min: 0, max: 10, default: 1 }) }),
  inputs: Schema.Struct({ Text: Port.Text }),
  outputs: Schema.Struct({ Loud: Port.Text }),
  run: ({ config, inputs }) => ({ Loud: inputs.Text.toUpperCase() + "!".repeat(config.marks) })
})
const shout = wrap(Shout)

const started = (...turns: ReadonlyArray<OpenAIServer.Turn>) =>
  Effect.gen(function*() {
    const server = yield* OpenAIServer.make(...turns)
    const LLM = { Connector: "OpenAI", Settings: { apiKey: "sk-1", baseURL: server.baseURL } }
    yield* Effect.acquireRelease(
      Effect.sync(() => SRE.init({ ...inMemory, LLM }, { components: [Shout] })),
      (sre) => Effect.promise(() => sre.stop())
    )
    return server
  })

const crier = (settings: Parameters<typeof shout>[0]) => {
  const agent = new SDK.Agent({ name: "Crier", model: "gpt-4o-mini" })
  const skill = agent.addSkill({ name: "cry", description: "Says it louder", inputs: { text: { type: "Text" } } })
  shout(settings, agent).in({ Text: skill.out["text"]! })
  return agent
}

describe("a component of one's own", () => {
  it.scopedLive("is used by a document", () =>
    Effect.gen(function*() {
      yield* started()
      const agent = yield* Effect.promise(() =>
        SDK.Agent.import({
          id: "crier",
          components: [
            {
              id: "E",
              name: "APIEndpoint",
              data: { endpoint: "cry" },
              inputs: [{ name: "text" }],
              outputs: [{ name: "text", expression: "body.text" }]
            },
            { id: "S", name: "Shout", data: { marks: "2" } }
          ],
          connections: [{ sourceId: "E", sourceIndex: "text", targetId: "S", targetIndex: "Text" }]
        })
      )
      const answer = yield* Effect.promise(() => agent.call("cry", { text: "hear ye" }))
      assert.include(JSON.stringify(answer), `"Loud":"HEAR YE!!"`)
    }))

  it.scopedLive("has a wrapper with its types, and is checked as those of the system are", () =>
    Effect.gen(function*() {
      yield* started()
      const answer = yield* Effect.promise(() => crier({ marks: 3 }).call("cry", { text: "hear ye" }))
      assert.include(JSON.stringify(answer), `"Loud":"HEAR YE!!!"`)
      const { message } = yield* rejection(() => crier({ marks: 11 }).call("cry", { text: "x" }))
      assert.include(message, "from 0 to 10")
      // @ts-expect-error: there is no such setting, and the type says so.
      shout({ volume: 11 })
      // @ts-expect-error: nor is a list a number.
      shout({ marks: [] })
    }))

  it.scopedLive("is a tool of the model behind a skill", () =>
    Effect.gen(function*() {
      const server = yield* started({ toolCalls: [{ name: "cry", arguments: { text: "hear ye" } }] }, "done")
      assert.strictEqual(yield* Effect.promise(() => Promise.resolve(crier({}).prompt("Cry it out"))), "done")
      assert.include(server.requests.at(-1)!.body, "HEAR YE!")
    }))
})
