/** A model is asked until what it writes is valid, and told what was wrong with it: a cycle of at most five rounds. */
import { Effect, Either, Schema } from "effect"
import { AgentDefinition, Agents, Candidate, Component, Port } from "effect-sre"
import { TestKernel, TestLLM } from "effect-sre/testing"

const Person = Schema.Struct({ name: Schema.NonEmptyString, age: Schema.Int })

const Check = Component.make("Check", {
  description: "Passes a valid person on, and else says what is wrong.",
  category: "logic",
  inputs: Schema.Struct({ Draft: Port.Any }),
  outputs: Schema.Struct({ Valid: Port.Any, Problem: Port.Text }),
  run: ({ inputs }) =>
    Either.match(Schema.decodeUnknownEither(Person)(inputs.Draft), {
      onRight: (Valid) => ({ Valid }),
      onLeft: ({ message }) => ({ Problem: `${message}\nWrite it again.` })
    })
})

const wire = (sourceId: string, sourceIndex: string, targetId: string, targetIndex: string) => ({
  sourceId,
  sourceIndex,
  targetId,
  targetIndex
})

const document = {
  id: "clerk",
  components: [
    {
      id: "E",
      name: "APIEndpoint",
      data: { endpoint: "read" },
      inputs: [{ name: "text" }],
      outputs: [{ name: "text", expression: "body.text" }]
    },
    {
      id: "M",
      name: "GenAILLM",
      data: { model: "gpt-4o-mini", prompt: "Write the person as JSON with name and age. {{Input}}" },
      inputs: [{ name: "Input" }]
    },
    { id: "C", name: "Check" },
    { id: "O", name: "APIOutput", data: { format: "minimal" }, inputs: [{ name: "person" }] }
  ],
  connections: [
    wire("E", "text", "M", "Input"),
    wire("M", "Reply", "C", "Draft"),
    wire("C", "Problem", "M", "Input"),
    wire("C", "Valid", "O", "person")
  ]
}

const main = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown(document))
  const { answer } = yield* agents.call("clerk", { endpoint: "read", body: { text: "Ann is 41." } })
  console.log("valid:", JSON.stringify(answer))
  const llm = yield* TestLLM.TestLLM
  console.log("asked:", (yield* llm.requests).length, "times")
}).pipe(Candidate.as(Candidate.user("me")))

// A scripted model, so that it takes no key: the third answer is right.
const script = TestLLM.layer(["I cannot.", `{"name":"Ann","age":"forty"}`, `{"name":"Ann","age":41}`])

const system = TestKernel.layer({ llm: script, components: [Check], agents: { maxRounds: 5 } })

export const program = () => Effect.runPromise(Effect.provide(main, system))
