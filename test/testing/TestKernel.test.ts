/** How an app tests its own program: the whole system in memory, and a model that says what the test tells it to. */
import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { AgentDefinition, Agents, Candidate, Conversation, LLM, Prompt, Storage, Vault } from "effect-sre"
import { TestKernel, TestLLM } from "effect-sre/testing"

/** The program under test: summarises what is stored under a key, and keeps the summary. */
const summarise = (key: string) =>
  Effect.gen(function*() {
    const storage = yield* Storage.Storage
    const llm = yield* LLM.LLM
    const text = new TextDecoder().decode(yield* storage.read(key))
    const { text: summary } = yield* llm.generate({
      model: "gpt-4o",
      messages: [Prompt.system("Summarise."), Prompt.user(text)]
    })
    yield* storage.write(`${key}.summary`, new TextEncoder().encode(summary))
    return summary
  })

const ann = Candidate.user("ann")
const script = TestLLM.layer(["It is short.", { toolCalls: [{ name: "go", arguments: {} }] }, "Gone."])
const system = TestKernel.layer({
  llm: script,
  teams: { sales: { users: { ann: {} }, agents: { goer: {} } }, legal: { users: { bob: {} } } },
  secrets: { "team:sales": { crm: "s3cret" } }
})

layer(system)("a program tested with TestKernel", (it) => {
  it.effect("uses the services of the system, and the script of the test", () =>
    Effect.gen(function*() {
      const storage = yield* Storage.Storage
      yield* Candidate.as(storage.write("report", new TextEncoder().encode("A long report.")), ann)
      assert.strictEqual(yield* Candidate.as(summarise("report"), ann), "It is short.")
      const kept = yield* Candidate.as(storage.read("report.summary"), ann)
      assert.strictEqual(new TextDecoder().decode(kept), "It is short.")
      const { requests } = yield* TestLLM.TestLLM
      assert.deepStrictEqual((yield* requests)[0]?.messages.at(-1), Prompt.user("A long report."))
    }))

  it.effect("sees the tools of an agent called as the script says", () =>
    Effect.gen(function*() {
      const agents = yield* Agents.Agents
      const endpoint = { id: "E", name: "APIEndpoint", data: { endpoint: "go" } }
      const definition = yield* AgentDefinition.fromUnknown({
        id: "goer",
        defaultModel: "gpt-4o",
        components: [endpoint]
      })
      yield* agents.load(definition)
      const answer = yield* Conversation.answerOf(agents.prompt("goer", { message: "Go!" }))
      assert.strictEqual(answer, "Gone.")
      assert.strictEqual(yield* (yield* TestLLM.TestLLM).remaining, 0)
    }).pipe(Candidate.as(ann)))

  it.effect("is refused what belongs to another team", () =>
    Effect.gen(function*() {
      const vault = yield* Vault.Vault
      assert.strictEqual(Redacted.value(yield* Candidate.as(vault.get("crm"), ann)), "s3cret")
      const bob = Candidate.user("bob")
      assert.strictEqual((yield* Effect.flip(Candidate.as(vault.get("crm"), bob)))._tag, "SecretNotFound")
      const error = yield* Effect.flip(Candidate.as(summarise("smythfs://ann.user/report"), bob))
      assert.strictEqual(error._tag, "AccessDenied")
    }))
})
