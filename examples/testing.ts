/** A test without a network: the whole system in memory, and a model that says its part and checks what it is asked. */
import { Effect } from "effect"
import { AgentDefinition, Agents, Candidate, Conversation } from "effect-sre"
import { TestKernel, TestLLM } from "effect-sre/testing"
import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"

const test = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  const source = yield* Effect.promise(() => readFile("examples/agents/digest.smyth", "utf8"))
  yield* agents.load(yield* AgentDefinition.fromText(source))

  const turn = agents.prompt("digest", { message: "What is the digest of hi?", model: "gpt-4o" })
  const answer = yield* Conversation.answerOf(turn)
  assert.equal(answer, "It begins with 8f43.")
  assert.equal(yield* (yield* TestLLM.TestLLM).remaining, 0)
  console.log("passed:", answer)
}).pipe(Candidate.as(Candidate.user("ann")))

// The endpoint of the agent is its tool. What the model is asked differently fails the test, with the difference.
const system = TestKernel.layer({
  llm: TestLLM.layer([
    { expect: { text: /digest of hi/, tools: ["digest"] }, toolCalls: [{ name: "digest", arguments: { text: "hi" } }] },
    { expect: { text: /8f434346648f6b96/ }, text: "It begins with 8f43." }
  ])
})

export const program = () => Effect.runPromise(Effect.provide(test, system))
