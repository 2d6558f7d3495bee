import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import type { Problem } from "../../src/agents/Problem.ts"
import * as Component from "../../src/components/Component.ts"
import * as Port from "../../src/components/Port.ts"
import * as Settings from "../../src/components/Settings.ts"
import { agentDocument, compiled, components, endpoint } from "./documents.ts"

const Typed = Component.make("Typed", {
  description: "Has everything a document can get wrong.",
  category: "data",
  config: Schema.Struct({
    size: Settings.integer({ min: 1, max: 9 }),
    mode: Settings.literal(["fast", "slow"], { default: "fast" })
  }),
  inputs: Schema.Struct({ Data: Port.Record, Extra: Schema.optional(Port.Any) }),
  outputs: Schema.Struct({ Count: Port.Number, List: Port.List }),
  run: () => ({ Count: 1 })
})
const registry = new Map([...components, ["Typed", Typed]])

const problemsOf = (document: unknown) =>
  Effect.map(
    Effect.merge(Effect.mapBoth(compiled(document, registry), {
      onFailure: ({ problems }) => problems,
      onSuccess: ({ warnings }) => warnings
    })),
    (problems): ReadonlyArray<Problem> => problems
  )

const brief = ({ component, path, port, severity }: Problem) =>
  [severity, path, component, port].filter(Boolean).join(" ")

const typed = { name: "Typed", data: { size: "3" } }

describe("what is wrong with a document", () => {
  it.effect("is reported all at once, each with its place", () =>
    Effect.gen(function*() {
      const document = agentDocument({
        E: endpoint("x"),
        A: { name: "Typd", in: ["v"] },
        B: { ...typed, data: { size: "12", mode: "quick" } },
        C: typed
      }, ["E.x -> A.v", "E.body -> B.Data", "B.Count -> C.Data", "E.x -> C.Dat", "E.nothing -> C.Data", "E.x -> Z.v"])
      const problems = yield* problemsOf({ ...document, components: [...document.components, document.components[3]] })
      assert.deepStrictEqual(problems.filter(({ severity }) => severity === "error").map(brief), [
        "error components[1].name A",
        "error components[2].data.size B",
        "error components[2].data.mode B",
        "error components[4].id C",
        "error connections[2] C Data",
        "error connections[3].targetIndex C Dat",
        "error connections[4].sourceIndex E nothing",
        "error connections[5].targetId"
      ])
      const text = problems.map(({ accepted, problem }) => `${problem} ${accepted?.join(",") ?? ""}`).join("\n")
      assert.match(text, /unknown component "Typd"\. Did you mean "Typed"\?/)
      assert.match(text, /whole number.* 1 .*9.*12/)
      assert.match(text, /fast.*slow/)
      assert.match(text, /B\.Count gives Number, which cannot become Object/)
      assert.match(text, /no input "Dat"\. Did you mean "Data"\? Data,Extra/)
      assert.match(text, /no component has the id "Z"/)
    }))

  it.effect("a position beyond the ports names what there is", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), C: typed }, ["E.body -> C.Data"])
      const [problem] = yield* problemsOf({
        ...document,
        connections: [{ sourceId: "E", sourceIndex: 9, targetId: "C", targetIndex: -1 }]
      })
      assert.strictEqual(problem?.path, "connections[0].sourceIndex")
      assert.include(problem?.accepted ?? [], "body")
    }))

  it.effect("what no endpoint leads to is a warning, whatever is wrong with it", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), A: { name: "Pass", in: ["v"] }, L: { name: "Typed" } }, [
        "E.x -> A.v"
      ])
      const { program, warnings } = yield* compiled(document, registry)
      assert.strictEqual(program.plans.size, 1)
      assert.deepStrictEqual(warnings.map(brief), ["warning components[2].data.size L", "warning components[2] L"])
      assert.match(warnings[1]?.problem ?? "", /unreachable: nothing is connected to its inputs/)
    }))

  it.effect("a cycle without progress names the input and where its value would come from", () =>
    Effect.gen(function*() {
      const document = agentDocument({
        E: endpoint("x"),
        A: { name: "Pass", in: ["v", "again"] },
        B: { name: "Pass", in: ["v"] }
      }, [
        "E.x -> A.v",
        "A.v -> B.v",
        "B.v -> A.again"
      ])
      const [problem] = yield* problemsOf(document)
      assert.deepInclude(problem, { severity: "error", component: "A", port: "again" })
      assert.match(problem?.problem ?? "", /cycle without progress.*comes only from B/)
    }))

  it.effect("a document without endpoints still compiles, with a warning", () =>
    Effect.gen(function*() {
      const { warnings } = yield* compiled(agentDocument({}, []))
      assert.strictEqual(warnings.length, 1)
    }))

  it.effect("ports that are named like members of every object are ordinary ports", () =>
    Effect.gen(function*() {
      const document = agentDocument({
        E: endpoint("toString", "__proto__"),
        A: { name: "Pass", in: ["constructor", "__proto__"] }
      }, [
        "E.toString -> A.constructor",
        "E.__proto__ -> A.__proto__"
      ])
      assert.deepStrictEqual(yield* problemsOf(document), [])
    }))
})

describe("malformed documents", () => {
  const refused = (document: unknown) =>
    Effect.map(
      Effect.flip(AgentDefinition.fromUnknown(document)),
      ({ problems }) => problems.map(({ path, problem }) => `${path}: ${problem}`)
    )

  for (
    const [name, document, expected] of [
      ["null", null, /expected an agent document/],
      ["a list", [], /an array/],
      ["no components", { id: "x" }, /components: missing/],
      ["an id that cannot be one", { id: "a/b", components: [] }, /id: "a\/b" is not a valid id/],
      ["no id", { components: [] }, /id: missing/],
      ["a component without a name", { id: "x", components: [{ id: "A" }] }, /components\[0\]\.name/],
      ["a wrapped one", { data: { id: "x", components: [{ name: "A" }] } }, /data\.components\[0\]\.id/],
      ["a connection without ends", { id: "x", components: [], connections: [{}] }, /connections\[0\]\.sourceId/]
    ] as const
  ) {
    it.effect(`${name} is told with its place`, () =>
      Effect.gen(function*() {
        assert.match((yield* refused(document)).join("\n"), expected)
      }))
  }

  it.effect("text that is not JSON is told with line and column", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(AgentDefinition.fromText("{\n  \"id\": \"x\",\n  \"components\": [}\n}"))
      assert.match(error.message, /line 3, column 18/)
    }))
})
