/** What agents may spend on models, and what they spent. A model that is told what to say stands in for a real one. */
import { Duration, Effect } from "effect"
import { AgentDefinition, Agents, Candidate, Conversation, Usage } from "effect-sre"
import { TestKernel, TestLLM } from "effect-sre/testing"

const usage = { inputTokens: 2000, outputTokens: 500, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }

const main = Effect.gen(function*() {
  const agents = yield* Agents.Agents
  yield* agents.load(yield* AgentDefinition.fromUnknown({ id: "poet", defaultModel: "gpt-4o", components: [] }))
  const ask = (message: string) => Conversation.answerOf(agents.prompt("poet", { message }))
  console.log("the poet:", yield* ask("A line about the sea, please."))
  console.log("refused:", yield* Effect.flip(ask("And one about the shore.")))

  const { query } = yield* Usage.Usage
  const [spent] = yield* Candidate.as(query({ from: 0 }), Candidate.agent("poet"))
  console.log(`spent: ${spent?.calls} call, ${spent?.usage.outputTokens} tokens written, $${spent?.cost}`)
})

// The most a call can cost is reserved before it is made: 16 384 tokens of this model's answers are 16 cents and more.
const system = TestKernel.layer({
  llm: TestLLM.layer([{ text: "The sea is everything.", usage }]),
  governed: { Budgets: { agent: { money: 0.17, per: Duration.days(1) }, longestCall: Duration.minutes(1) } }
})

export const program = () => Effect.runPromise(Effect.provide(Candidate.as(main, Candidate.user("alice")), system))
