import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as AgentsConfiguration from "../../src/boot/AgentsConfiguration.ts"
import { layerFromConfig } from "../../src/boot/Configuration.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { agentDocument, endpoint } from "../agents/documents.ts"

const inMemory = {
  Log: { Connector: "ConsoleLog", Settings: { level: "error" } },
  Storage: { Connector: "Memory" },
  Cache: { Connector: "RAM" },
  NKV: { Connector: "RAM" },
  Vault: { Connector: "NullVault" }
}

describe("the key Agents of a configuration", () => {
  it.effect("is read with times in milliseconds; all else is left for the connectors", () =>
    Effect.gen(function*() {
      const { rest, settings } = yield* AgentsConfiguration.split({
        ...inMemory,
        Agents: { maxRuns: 5, maxQueued: 0, runTimeout: 60_000, backPressure: { eventLoopDelay: 200, cpuLoad: 0.9 } }
      })
      assert.deepStrictEqual(rest, inMemory)
      assert.deepStrictEqual(settings, {
        maxRuns: 5,
        maxQueued: 0,
        runTimeout: Duration.minutes(1),
        backPressure: { eventLoopDelay: Duration.millis(200), cpuLoad: 0.9 }
      })
      assert.deepStrictEqual(yield* AgentsConfiguration.split({}), { settings: {}, rest: {} })
    }))

  it.effect("refuses what is no setting, with the one that was meant, and values that do not fit", () =>
    Effect.gen(function*() {
      const wrong = { maxRun: 5, maxQueued: -1, backPressure: { cpuLoad: "high" } }
      const { accepted, message, path, service } = yield* Effect.flip(AgentsConfiguration.split({ Agents: wrong }))
      assert.strictEqual(service, "Agents")
      assert.strictEqual(path, "Agents")
      assert.match(message, /^Cannot start Agents: maxRun: there is no such setting\. Did you mean "maxRuns"/)
      assert.include(message, "; maxQueued: ")
      assert.include(message, "; backPressure.cpuLoad: ")
      assert.include(accepted ?? [], "jobTimeout")
    }))

  it.scopedLive("bounds the process table", () =>
    Effect.gen(function*() {
      const config = { ...inMemory, Agents: { maxRounds: 3 } }
      const context = yield* Layer.build(layerFromConfig(config))
      const document = agentDocument(
        { E: endpoint("n"), L: { name: "JSONFilter", data: { fields: "n" }, in: ["Input"] } },
        ["E.n -> L.Input", "L.Output -> L.Input"]
      )
      const failure = yield* Effect.gen(function*() {
        const agents = yield* Agents
        yield* agents.load(yield* AgentDefinition.fromUnknown(document))
        return yield* Effect.flip(agents.call("a1", { endpoint: "go", body: { n: { n: 1 } } }))
      }).pipe(Effect.provide(context), Candidate.as(Candidate.user("local")))
      assert.deepInclude(failure, { _tag: "RoundsExceeded" })
      assert.include(failure.message, "3")
    }))

  it.scopedLive("is suggested for names like it", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(Layer.build(layerFromConfig({ Agent: { Connector: "x" } })))
      assert.include(message, `Did you mean "Agents"`)
    }))
})
