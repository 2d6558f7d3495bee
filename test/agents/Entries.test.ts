import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Compile from "../../src/agents/Compile.ts"
import { builtIn } from "../../src/components/registry.ts"
import { agentDocument, compiled, endpoint, Pass, type Short } from "./documents.ts"

const registry = Compile.registry([...builtIn, Pass])

const trigger = (name: string): Short => ({ name: "JobSchedulerTrigger", data: { triggerEndpoint: name } })
const pass: Short = { name: "Pass", in: ["v"] }

const compile = (
  parts: Record<string, Short>,
  connections: ReadonlyArray<string> = []
) => compiled(agentDocument(parts, connections), registry)

describe("entries", () => {
  it.effect("of an agent that has triggers alone: nothing is missing, nothing unreachable", () =>
    Effect.gen(function*() {
      const { program, warnings } = yield* compile({ T: trigger("tick"), P: pass }, ["T.Payload -> P.v"])
      assert.deepStrictEqual(warnings, [])
      assert.deepStrictEqual(Array.from(program.triggers.keys()), ["trigger tick"])
      assert.deepStrictEqual(Array.from(program.plans.keys()), [])
    }))

  it.effect("of an agent that has none: said once", () =>
    Effect.gen(function*() {
      const { warnings } = yield* compile({ P: pass })
      assert.deepStrictEqual(warnings.map(({ path, problem }) => [path, problem]), [
        ["components", "no APIEndpoint: nothing can be called. A conversation with the agent still works"]
      ])
    }))

  it.effect("an endpoint and a trigger may have one name, two triggers may not", () =>
    Effect.gen(function*() {
      const parts = { E: endpoint("x"), T1: trigger("go"), T2: trigger("go") }
      const { program, warnings } = yield* compile(parts)
      assert.deepStrictEqual(warnings.map(({ component, path, problem }) => [component, path, problem]), [
        ["T2", "components[2].data.triggerEndpoint", "a second trigger go: the last one answers"]
      ])
      assert.strictEqual(program.nodes[program.triggers.get("trigger go")!.entry]?.info.id, "T2")
    }))

  it.effect("a trigger needs its name, in the letters of a path", () =>
    Effect.gen(function*() {
      for (const triggerEndpoint of [undefined, "a b", "../x", ""]) {
        const error = yield* Effect.flip(compile({ T: { name: "JobSchedulerTrigger", data: { triggerEndpoint } } }))
        assert.strictEqual(error.problems[0]?.path, "components[0].data.triggerEndpoint")
      }
    }))

  it.effect("what none of them leads to is unreachable", () =>
    Effect.gen(function*() {
      const { warnings } = yield* compile({ T: trigger("tick"), P: pass, Q: pass }, ["P.out -> Q.v"])
      assert.deepStrictEqual(warnings.map(({ component, problem }) => [component, problem]), [
        ["P", "unreachable: nothing is connected to its inputs, so it never runs"],
        ["Q", "unreachable: no endpoint and no trigger leads to it, so it never runs"]
      ])
    }))

  it.effect("a position of -1 connects triggers with endpoints, and nothing else", () =>
    Effect.gen(function*() {
      const parts = { T: trigger("tick"), E: endpoint("x"), P: pass }
      const { program, warnings } = yield* compile(parts, ["T.Payload -> E.-1", "E.x -> P.v"])
      assert.deepStrictEqual(warnings, [])
      assert.lengthOf(program.triggers.get("trigger tick")!.members, 3)
      const error = yield* Effect.flip(compile(parts, ["T.Payload -> P.-1"]))
      assert.include(error.message, `Pass has no input "-1"`)
    }))
})
