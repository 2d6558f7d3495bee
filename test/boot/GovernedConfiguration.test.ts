import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import { layerFromConfig } from "../../src/boot/Configuration.ts"
import * as GovernedConfiguration from "../../src/boot/GovernedConfiguration.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import * as Conversation from "../../src/subsystems/llm/Conversation.ts"
import { LLM } from "../../src/subsystems/llm/LLM.ts"
import * as Prompt from "../../src/subsystems/llm/Prompt.ts"
import * as Usage from "../../src/subsystems/llm/Usage.ts"
import { TestKernel, TestLLM } from "../../src/testing/index.ts"
import { agentDocument, endpoint } from "../agents/documents.ts"
import { hasRedis, redisServer } from "../fixtures/RedisServer.ts"

const inMemory = {
  Log: { Connector: "ConsoleLog", Settings: { level: "error" } },
  Storage: { Connector: "Memory" },
  Cache: { Connector: "RAM" },
  NKV: { Connector: "RAM" },
  Vault: { Connector: "NullVault" }
}
const u1 = Candidate.as(Candidate.user("u1"))
const ask = (text: string, more: object = {}) =>
  Effect.flatMap(LLM, (llm) => llm.generate({ model: "Echo", messages: [Prompt.user(text)], ...more }))

describe("the keys that govern calls of models", () => {
  it.effect("are read with times in milliseconds; all else is left for the connectors", () =>
    Effect.gen(function*() {
      const { rest, settings } = yield* GovernedConfiguration.split({
        ...inMemory,
        Budgets: { user: { money: 1, per: 86_400_000 } },
        AnswerCache: { timeToLive: 60_000 },
        Routing: { circuit: {} }
      })
      assert.deepStrictEqual(rest, inMemory)
      assert.deepStrictEqual(settings.Budgets?.user, { money: 1, per: Duration.days(1) })
      assert.deepStrictEqual(settings.AnswerCache?.timeToLive, Duration.minutes(1))
      assert.strictEqual(settings.Routing?.circuit?.failures, 5)
      assert.isUndefined(settings.RateLimits)
    }))

  it.effect("refuse what is no setting, and values that do not fit", () =>
    Effect.gen(function*() {
      const refusal = (config: object) =>
        Effect.map(Effect.flip(GovernedConfiguration.split(config)), ({ message }) => message)
      assert.match(
        yield* refusal({ Budgets: { users: {} } }),
        /Budgets\.users: there is no such setting\. Did you mean "user"/
      )
      assert.match(yield* refusal({ Budgets: { user: { tokens: -1 } } }), /Budgets\.user\.tokens/)
      const nested = yield* refusal({ Budgets: { agent: { mony: 1 } } })
      assert.match(nested, /^Cannot start Budgets\.agent\.mony: .*there is no such setting\. Did you mean "money"\?/)
      assert.notMatch(nested, /Expected undefined/)
      assert.match(yield* refusal({ Budgets: { of: { u1: {} } } }), /Budgets\.of/)
      assert.match(yield* refusal({ RateLimits: {} }), /RateLimits\.providers/)
    }))

  it.scopedLive("govern the system that is booted with them", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(layerFromConfig({ ...inMemory, Budgets: { of: { "user:u1": { calls: 1 } } } }))
      yield* Effect.gen(function*() {
        const llm = yield* LLM
        yield* llm.check("Echo")
        assert.strictEqual((yield* ask("one")).text, "one")
        assert.strictEqual((yield* Effect.flip(ask("two")))._tag, "BudgetExceeded")
        yield* Candidate.as(ask("two"), Candidate.user("u2"))
      }).pipe(u1, Effect.provide(context))
    }))
})

if (hasRedis()) {
  it.scopedLive(
    "two systems on one Redis server have one budget, and one limit of a key",
    () =>
      Effect.gen(function*() {
        const { url } = yield* redisServer()
        const store = { Connector: "Redis", Settings: { url } }
        const config = { ...inMemory, BudgetStore: store, RateLimitStore: store, Budgets: { user: { calls: 2 } } }
        const [one, other] = yield* Effect.all([
          Layer.build(layerFromConfig(config)),
          Layer.build(layerFromConfig(config))
        ])
        yield* u1(Effect.provide(ask("one"), one))
        yield* u1(Effect.provide(ask("two"), other))
        for (const system of [one, other]) {
          const error = yield* Effect.flip(u1(Effect.provide(ask("three"), system)))
          assert.deepInclude(error, { _tag: "BudgetExceeded", what: "calls", limit: 2, used: 2 })
        }
        const limits = { maxWait: 1000, providers: { Echo: { requestsPerMinute: 1 } } }
        const limited = layerFromConfig({ ...inMemory, RateLimitStore: store, RateLimits: limits })
        yield* u1(Effect.provide(ask("one"), yield* Layer.build(limited)))
        const refused = yield* Effect.flip(u1(Effect.provide(ask("two"), yield* Layer.build(limited))))
        assert.deepInclude(refused, { _tag: "ConnectorError", reason: "RateLimited" })
        const gone = Layer.build(
          layerFromConfig({ ...inMemory, BudgetStore: { Connector: "Redis", Settings: { url: 1 } } })
        )
        assert.strictEqual((yield* Effect.flip(gone))._tag, "BootError")
      }),
    30_000
  )
}

describe("a system", () => {
  const prompt = (name: string) => ({ name: "GenAILLM", data: { model: "gpt-4o", prompt: name }, in: ["Input"] })
  const document = agentDocument(
    { E: endpoint("n"), A: prompt("first"), B: prompt("second") },
    ["E.n -> A.Input", "A.Reply -> B.Input"]
  )
  const usage = { inputTokens: 1000, outputTokens: 100, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
  const turns = Array.from({ length: 6 }, (_, at) => ({ text: `turn ${at}`, usage }))
  const call = Effect.flatMap(Agents, (agents) => agents.call("a1", { endpoint: "go", body: { n: "x" } }))
  const load = Effect.flatMap(Agents, (agents) => Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load))

  it.scopedLive("counts what calls cost without being told to; runs have their own budgets, and their agent's", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(TestKernel.layer({
        llm: TestLLM.layer(turns),
        governed: { Budgets: { run: { calls: 1 }, longestCall: Duration.minutes(1) } }
      }))
      yield* Effect.gen(function*() {
        yield* load
        // The second component of each run has no budget left, and that of the next run is a new one.
        assert.match(JSON.stringify(yield* call), /budget of run:.* is used up: 1 of 1 calls/)
        yield* call
        const asked = yield* Candidate.as(
          Effect.flatMap(Usage.Usage, (service) => service.query({})),
          Candidate.agent("a1")
        )
        assert.deepStrictEqual(asked, [{
          model: "gpt-4o",
          provider: "OpenAI",
          calls: 2,
          usage: Usage.sum(usage, usage),
          units: {},
          cost: 0.007,
          unpricedCalls: 0
        }])
      }).pipe(u1, Effect.provide(context))
    }))

  it.scopedLive("keeps answers for those who ask for it", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(TestKernel.layer({ llm: TestLLM.layer(turns) }))
      yield* Effect.gen(function*() {
        const texts = yield* Effect.forEach([{}, { cache: "1 minute" }, { cache: "1 minute" }, {}], (more) =>
          Effect.map(ask("hi", { model: "gpt-4o", ...more }), ({ text }) => text))
        assert.deepStrictEqual(texts, ["turn 0", "turn 1", "turn 1", "turn 2"])
      }).pipe(u1, Effect.provide(context))
    }))

  it.scopedLive("has long conversations of agents summed up where the operator says so", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(
        TestKernel.layer({ llm: TestLLM.layer(turns), governed: { ContextWindow: { strategy: "summarise" } } })
      )
      yield* Effect.gen(function*() {
        const agents = yield* Agents
        yield* agents.load(
          yield* AgentDefinition.fromUnknown({ id: "talker", defaultModel: "gpt-4o", components: [] })
        )
        const say = (words: string) =>
          Conversation.answerOf(agents.prompt("talker", { message: words.repeat(30_000), conversationId: "c1" }))
        assert.strictEqual(yield* say("long "), "turn 0")
        // The second turn of the script was the summary of the first message, which does not fit beside another.
        assert.strictEqual(yield* say("even longer "), "turn 2")
      }).pipe(u1, Effect.provide(context))
    }))
})
