import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Component from "../../src/components/Component.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { Scheduler } from "../../src/subsystems/compute/Scheduler.ts"
import { agentDocument, endpoint } from "./documents.ts"
import { asA, asB, system } from "./processes.ts"

const seen: Array<unknown> = []
const Seen = Component.make("Seen", {
  description: "Remembers what it got, and who asked; fails at `bad`.",
  category: "data",
  openInputs: true,
  openOutputs: true,
  run: ({ inputs }) =>
    Effect.flatMap(Candidate.current, (who) => {
      seen.push([inputs["v"], Candidate.format(who)])
      return inputs["v"] === "bad" ? new Component.ComponentFailed({ message: "no good" }) : Effect.succeed({ out: 1 })
    })
})

const job = (x: unknown, agent = "agentA") => ({
  task: { kind: "endpoint", data: { agent, endpoint: "go", body: { x } } },
  schedule: { interval: "1s" }
})

const firstRun = (id: string) =>
  Effect.flatMap(Scheduler, ({ history }) => history(id)).pipe(
    Effect.delay("50 millis"),
    Effect.repeat({ until: (runs) => runs.length > 0 }),
    Effect.map((runs) => runs.at(-1)!)
  )

describe("jobs that call endpoints", () => {
  it.scopedLive("run the endpoint, as the agent, where the owner of the job may call it", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), S: { name: "Seen", in: ["v"] } }, ["E.x -> S.v"], {
        id: "agentA"
      })
      const agents = yield* Agents
      const scheduler = yield* Scheduler
      yield* asA(Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load))
      yield* asA(scheduler.add("good", job("hi")))
      yield* asA(scheduler.add("bad", job("bad")))
      yield* asB(scheduler.add("stranger", job("mine")))
      assert.deepInclude(yield* asA(firstRun("good")), { outcome: "succeeded" })
      const bad = yield* asA(firstRun("bad"))
      assert.strictEqual(bad.outcome, "failed")
      assert.include(bad.error, "no good")
      const stranger = yield* asB(firstRun("stranger"))
      assert.strictEqual(stranger.outcome, "failed")
      assert.include(stranger.error, "agentA")
      assert.deepInclude(seen, ["hi", "agent:agentA"])
      assert.isFalse(JSON.stringify(seen).includes("mine"))
    }).pipe(Effect.provide(system({ components: [Seen] }))))

  it.scopedLive("are refused when the call makes no sense", () =>
    Effect.gen(function*() {
      const scheduler = yield* Scheduler
      const wrong = { task: { kind: "endpoint", data: { agent: "agentA" } }, schedule: { interval: "1s" } }
      const error = yield* Effect.flip(asA(scheduler.add("x", wrong)))
      assert.deepInclude(error, { _tag: "InvalidJob" })
      assert.include(error.message, "endpoint")
      assert.deepStrictEqual(yield* asA(scheduler.get("x")), Option.none())
    }).pipe(Effect.provide(system())))
})
