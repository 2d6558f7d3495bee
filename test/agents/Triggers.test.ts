/** Triggers in the process table: whose they are, and what their runs may do. Each kind has tests of its own. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Component from "../../src/components/Component.ts"
import * as Entry from "../../src/components/Entry.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { NKV } from "../../src/subsystems/io/NKV.ts"
import { agentDocument, endpoint, type Short } from "./documents.ts"
import {
  asA,
  asB,
  asTeamA,
  components,
  gated,
  open,
  pass,
  reaches,
  resultOf,
  system,
  until,
  waiting
} from "./processes.ts"

/** Takes whatever comes: one payload for each line of the body. */
const Lines = Component.make("Lines", {
  description: "Takes lines.",
  category: "entry",
  openOutputs: true,
  entry: {
    kind: "hook",
    receive: ({ body }) =>
      Effect.suspend(() => {
        const text = new TextDecoder().decode(body)
        return text === "crash"
          ? Effect.dieMessage("a bug")
          : Effect.succeed({ deliveries: text.split("\n").map((payload) => ({ payload, ids: [payload] })) })
      })
  },
  config: Schema.Struct(Entry.settings),
  run: ({ step }) => ({ Payload: step.run.request.body })
})

const request = (body: string): Entry.HookRequest => ({
  method: "POST",
  headers: {},
  query: {},
  body: new TextEncoder().encode(body)
})

const asAnyone = Candidate.as(Candidate.anyone)

const agentA = (parts: Record<string, Short>, connections: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    const document = agentDocument(
      { T: { name: "Lines", data: { triggerEndpoint: "lines" } }, ...parts },
      connections,
      {
        id: "agentA"
      }
    )
    yield* asA(Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load))
    const receive = (body: string) => asAnyone(agents.receive("agentA", "lines", request(body)))
    return { agents, receive, register: asA(agents.register("agentA", "lines")) }
  })

const test = <A, E>(
  name: string,
  body: Effect.Effect<A, E, Agents | NKV>,
  options: Parameters<typeof system>[0] = {}
) => it.scopedLive(name, () => Effect.provide(body, system({ components: [...components, Lines], ...options })))

describe("triggers of agents", () => {
  test(
    "are registered and listed by owners of the agent, and by nobody else",
    Effect.gen(function*() {
      const { agents, register } = yield* agentA({ P: pass }, ["T.Payload -> P.v"])
      for (const asOther of [asB, asAnyone]) {
        const calls: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
          agents.register("agentA", "lines"),
          agents.unregister("agentA", "lines"),
          agents.triggers("agentA")
        ]
        for (const call of calls) assert.strictEqual((yield* Effect.flip(asOther(call)))._tag, "AgentNotFound")
      }
      // Who may call the agent is no owner of it.
      assert.strictEqual((yield* Effect.flip(asTeamA(agents.register("agentA", "lines"))))._tag, "AccessDenied")
      assert.isTrue((yield* register).registered)
      assert.isTrue((yield* asA(agents.triggers("agentA")))[0]?.registered)
      const nobody = yield* Effect.flip(agents.receive("agentA", "lines", request("x")))
      assert.strictEqual(nobody._tag, "NoCandidate")
    })
  )

  test(
    "start a run for each payload, which the owner sees and the public does not",
    Effect.gen(function*() {
      const { agents, receive, register } = yield* agentA({ P: pass }, ["T.Payload -> P.v"])
      yield* register
      const { duplicates, result, runs } = yield* receive("one\ntwo\none")
      assert.deepStrictEqual([runs.length, duplicates, result], [2, 1, undefined])
      const answers = yield* Effect.forEach(runs, (run) => asA(agents.result({ agent: "agentA", run })))
      assert.deepStrictEqual(answers.map(({ answer }) => resultOf(answer)["v"]), ["one", "two"])
      assert.strictEqual(
        (yield* Effect.flip(asAnyone(agents.result({ agent: "agentA", run: runs[0]! }))))._tag,
        "AgentNotFound"
      )
    })
  )

  test(
    "can be paused, and go on, like any other",
    Effect.gen(function*() {
      const { agents, receive, register } = yield* agentA({ G: gated, P: pass }, ["T.Payload -> G.v", "G.out -> P.v"])
      yield* register
      const { runs: [run] } = yield* receive("held")
      const ref = { agent: "agentA", run: run! }
      yield* waiting("held")
      yield* asA(agents.pause(ref))
      yield* open("held")
      yield* asA(reaches(ref, "paused"))
      assert.deepStrictEqual((yield* asA(agents.inspect(ref))).next, ["P"])
      yield* asA(agents.resume(ref))
      assert.deepStrictEqual(resultOf((yield* asA(agents.result(ref))).answer)["v"], "held")
    })
  )

  test(
    "hand their payload to an endpoint they are connected with",
    Effect.gen(function*() {
      const { agents, receive, register } = yield* agentA(
        { E: { ...endpoint("x"), out: ["body"] }, P: pass },
        ["T.Payload -> E.-1", "E.body -> P.v"]
      )
      yield* register
      const { runs: [run] } = yield* receive("hi")
      const { answer } = yield* asA(agents.result({ agent: "agentA", run: run! }))
      assert.strictEqual(resultOf(answer)["v"], "hi")
    })
  )

  test(
    "crash alone: the sender is told that it failed, and the agent goes on",
    Effect.gen(function*() {
      const { receive, register } = yield* agentA({ P: pass }, ["T.Payload -> P.v"])
      yield* register
      assert.strictEqual((yield* Effect.flip(receive("crash")))._tag, "TriggerFailed")
      assert.lengthOf((yield* receive("fine")).runs, 1)
    })
  )

  test(
    "are within the bounds of runs, of one caller that all of the public are",
    Effect.gen(function*() {
      const { agents, receive, register } = yield* agentA({ G: gated }, ["T.Payload -> G.v"])
      yield* register
      yield* receive("first")
      const refused = yield* Effect.flip(receive("second"))
      assert.deepInclude(refused, { _tag: "Overloaded", limit: "candidate" })
      yield* open("first")
      yield* until(asA(agents.counts), ({ running }) => running === 0)
      assert.lengthOf((yield* receive("second")).runs, 1)
      yield* open("second")
    }),
    { agents: { maxRunsPerCandidate: 1, maxQueued: 0 } }
  )

  test(
    "are not those of branches, and are gone for senders with the agent",
    Effect.gen(function*() {
      const { agents, receive, register } = yield* agentA({ P: pass }, ["T.Payload -> P.v"])
      yield* register
      const branch = yield* asA(agents.fork("agentA", "T"))
      assert.deepStrictEqual(yield* asA(agents.triggers(branch.id)), [])
      const error = yield* Effect.flip(asAnyone(agents.receive(branch.id, "lines", request("x"))))
      assert.strictEqual(error._tag, "TriggerNotFound")
      yield* asA(agents.unload("agentA"))
      assert.strictEqual((yield* Effect.flip(receive("x")))._tag, "TriggerNotFound")
    })
  )

  test(
    "are kept in the home of the agent, and a registration that cannot be read is told",
    Effect.gen(function*() {
      const nkv = yield* NKV
      const { agents, receive, register } = yield* agentA({ P: pass }, ["T.Payload -> P.v"])
      yield* register
      const asAgent = Candidate.as(Candidate.agent("agentA"))
      assert.isTrue(Option.isSome(yield* asAgent(nkv.get("triggers", "lines"))))
      yield* asAgent(nkv.set("triggers", "lines", "broken"))
      assert.deepInclude(yield* Effect.flip(receive("x")), { _tag: "ConnectorError", reason: "Corrupted" })
      yield* asA(agents.unregister("agentA", "lines"))
      yield* register
      assert.lengthOf((yield* receive("x")).runs, 1)
    })
  )
})
