/** What an agent remembers of those who talk with it, asked for with the message. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents, type PromptRequest } from "../../src/agents/Agents.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { NKV } from "../../src/subsystems/io/NKV.ts"
import { VectorDB } from "../../src/subsystems/io/VectorDB.ts"
import * as TestLLM from "../../src/testing/TestLLM.ts"
import { agentDocument, endpoint } from "./documents.ts"
import { asA, asTeamA, pass, system } from "./processes.ts"

const asAnyone = Candidate.as(Candidate.anyone)

const load = (id: string) =>
  Effect.gen(function*() {
    const document = agentDocument({ E: endpoint("x"), A: pass }, ["E.x -> A.v"], { id, defaultModel: "gpt-4o" })
    yield* Effect.flatMap(Agents, (agents) => Effect.flatMap(AgentDefinition.fromUnknown(document), agents.load))
  })

const say = (agent: string, message: string, request: Omit<PromptRequest, "message"> = {}) =>
  Effect.flatMap(
    Agents,
    (agents) => Stream.runDrain(agents.prompt(agent, { message, conversationId: "c1", ...request }))
  )

const lastMessages = Effect.flatMap(
  TestLLM.TestLLM,
  ({ requests }) => Effect.map(requests, (all) => JSON.stringify(all.at(-1)?.messages))
)

const memory = { working: true, recall: { minScore: 0.1 } }
const remember = (note: string) => ({ toolCalls: [{ name: "remember", arguments: { note } }] })

/** One model, for the system and for what the test asks of it. */
const scripted = (...turns: ReadonlyArray<TestLLM.Turn>) => {
  const llm = TestLLM.layer(turns)
  return Layer.merge(system({ llm }), llm)
}

describe("an agent remembers a caller", () => {
  layer(scripted(remember("likes tea"), "noted", "tea", "?", "?", "?", "?"), { excludeTestServices: true })((it) => {
    it.effect("in all their conversations, as long as they ask for it, and tells nobody else", () =>
      Effect.gen(function*() {
        yield* Effect.forEach(["agentA", "a1"], load)
        yield* say("agentA", "my favourite drink is tea", { memory })
        const question = "what is my favourite drink?"
        yield* say("agentA", question, { memory, conversationId: "c2" })
        assert.include(yield* lastMessages, "likes tea")
        assert.include(yield* lastMessages, "my favourite drink is tea")

        yield* say("agentA", question, { conversationId: "c3" })
        assert.notInclude(yield* lastMessages, "tea")
        yield* say("a1", question, { memory, conversationId: "c4" })
        assert.notInclude(yield* lastMessages, "tea")
        yield* asTeamA(say("agentA", question, { memory, conversationId: "c5" }))
        assert.notInclude(yield* lastMessages, "tea")
        // Who may call the agent has no part in its home.
        const [note, found] = yield* Effect.all([
          Effect.flatMap(NKV, (nkv) => nkv.get("smythfs://agentA.agent/working-memory", "user:a")),
          Effect.flatMap(VectorDB, (db) => db.search("smythfs://agentA.agent/recall/user:a", "tea"))
        ].map((one) => Effect.flip(Effect.asVoid<unknown, { readonly _tag: string }, NKV | VectorDB>(one))))
        assert.deepStrictEqual([note?._tag, found?._tag], ["AccessDenied", "AccessDenied"])

        const agents = yield* Agents
        yield* agents.forget("agentA", "c1")
        yield* say("agentA", question, { memory: { recall: { minScore: -1, topK: 20 } }, conversationId: "c6" })
        assert.notInclude(yield* lastMessages, "my favourite drink is tea")
      }).pipe(asA))
  })

  layer(scripted(remember("likes tea"), "noted", remember("likes jam"), "noted", "?"), { excludeTestServices: true })(
    (it) => {
      it.effect("until it is told to forget them: all that they said, and nobody else", () =>
        Effect.gen(function*() {
          yield* load("agentA")
          const agents = yield* Agents
          const all = { memory: { working: true, recall: { minScore: -1, topK: 20 } } }
          yield* agents.forget("agentA", "c1", { caller: true })
          yield* say("agentA", "my favourite drink is tea", all)
          yield* asTeamA(say("agentA", "my favourite food is jam", all))
          yield* agents.forget("agentA", "c2", { caller: true })
          yield* say("agentA", "what do I like?", { ...all, conversationId: "c3" })
          assert.notInclude(yield* lastMessages, "tea")
          assert.lengthOf(yield* agents.history("agentA", "c1"), 4)
          const note = Effect.flatMap(NKV, (nkv) => nkv.get("working-memory", "team:ta"))
          assert.deepStrictEqual(yield* Candidate.as(note, Candidate.agent("agentA")), Option.some("likes jam"))
        }).pipe(asA))
    }
  )

  layer(scripted(remember("one of many"), "noted", "?", "?"), { excludeTestServices: true })((it) => {
    it.effect("whom it knows: others have it in a conversation alone", () =>
      Effect.gen(function*() {
        yield* load("open")
        yield* say("open", "hi", { memory })
        yield* say("open", "hi", { memory, conversationId: "c2" })
        assert.notInclude(yield* lastMessages, "one of many")
        yield* say("open", "hi", { memory })
        assert.include(yield* lastMessages, "one of many")
        const nkv = yield* NKV
        const shared = yield* Candidate.as(nkv.get("working-memory", "public:public"), Candidate.agent("open"))
        assert.isTrue(Option.isNone(shared))
      }).pipe(asAnyone))
  })

  layer(scripted("ok"), { excludeTestServices: true })((it) => {
    it.effect("in a conversation, and as the options say", () =>
      Effect.gen(function*() {
        yield* load("agentA")
        const without = yield* Effect.flip(say("agentA", "hi", { memory, conversationId: undefined }))
        assert.strictEqual(without._tag, "InvalidMemory")
        const wrong = yield* Effect.flip(say("agentA", "hi", { memory: { recall: { topK: 1000 } } }))
        assert.strictEqual(wrong._tag, "InvalidMemory")
        yield* say("agentA", "hi", { memory: {}, conversationId: undefined })
      }).pipe(asA))
  })
})
