import { assert, describe, layer } from "@effect/vitest"
import { Cause, Chunk, Deferred, Effect, Either, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Component from "../../src/components/Component.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { Storage } from "../../src/subsystems/io/Storage.ts"
import * as TestLLM from "../../src/testing/TestLLM.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import * as System from "../fixtures/System.ts"
import { agentDocument, Crash, endpoint, Fail, Pass, Wait } from "./documents.ts"

/** Writes under a key, so that a test sees who the agent was. */
const Write = Component.make("Write", {
  description: "Writes a file.",
  category: "storage",
  openInputs: true,
  run: ({ inputs }) =>
    Effect.as(
      Effect.flatMap(Storage, (storage) => storage.write("out.txt", new TextEncoder().encode(String(inputs["v"])))),
      { done: true }
    )
})
const Say = Component.make("Say", {
  description: "Streams.",
  category: "ai",
  openInputs: true,
  run: ({ step }) => {
    for (const word of ["one", "two"]) step.emit("content", word)
    step.log("info", "said it")
    return { done: true }
  }
})
let stopping: Effect.Effect<unknown> = Effect.void
/** Takes a minute, unless it is stopped. */
const Long = Component.make("Long", {
  description: "Takes long.",
  category: "data",
  openInputs: true,
  run: () => Effect.onInterrupt(Effect.as(Effect.sleep("1 minute"), {}), () => stopping)
})
const components = [Long, Pass, Wait, Fail, Crash, Write, Say]

const load = (document: Record<string, unknown>) =>
  Effect.flatMap(
    AgentDefinition.fromUnknown(document),
    (definition) => Effect.flatMap(Agents, (agents) => agents.load(definition))
  )

const named = (id: string, component = "Pass", data: Record<string, unknown> = {}) =>
  agentDocument({ E: endpoint("x"), A: { name: component, in: ["v"], data } }, ["E.x -> A.v"], { id })

const asA = Candidate.as(Candidate.user("a"))
const asB = Candidate.as(Candidate.user("b"))

describe("the process table", () => {
  layer(System.layer({ components }), { excludeTestServices: true })((it) => {
    it.effect("calls an agent, whose parts run as the agent", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA", "Write"))
        const { failed } = yield* agents.call("agentA", { endpoint: "go", body: { x: "hello" } })
        assert.isFalse(failed)
        const storage = yield* Storage
        assert.isTrue(Either.isLeft(yield* Effect.either(storage.read("out.txt"))))
        const bytes = yield* Candidate.as(storage.read("out.txt"), Candidate.agent("agentA"))
        assert.strictEqual(new TextDecoder().decode(bytes), "hello")
      }).pipe(asA))

    it.effect("an agent is called by its owner and its team; to others it does not exist", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* asA(load(named("agentA")))
        const call = agents.call("agentA", { endpoint: "go", body: { x: 1 } })
        assert.isFalse((yield* Candidate.as(call, Candidate.team("ta"))).failed)
        const refused = yield* Effect.flip(asB(call))
        assert.deepInclude(refused, { _tag: "AgentNotFound", available: [] })
        assert.strictEqual((yield* Effect.flip(call))._tag, "NoCandidate")
        assert.deepStrictEqual((yield* asB(agents.list)).map(({ id }) => id), [])
        assert.strictEqual((yield* Effect.flip(asB(load(named("agentA")))))._tag, "AccessDenied")
        assert.strictEqual(
          (yield* Effect.flip(Candidate.as(agents.unload("agentA"), Candidate.team("ta"))))._tag,
          "AccessDenied"
        )
      }))

    it.effect("a document gives an identity of a team only to who belongs to it", () =>
      Effect.gen(function*() {
        const refused = yield* Effect.flip(asB(load(named("a1"))))
        assert.deepInclude(refused, { _tag: "AccessDenied", operation: "load", resource: "a1" })
        const agents = yield* Agents
        yield* Candidate.as(load(named("a1")), Candidate.agent("a1"))
        assert.isFalse((yield* asA(agents.call("a1", { endpoint: "go", body: { x: 1 } }))).failed)
        yield* Candidate.as(agents.unload("a1"), Candidate.agent("a1"))
      }))

    it.effect("names what is near when an agent or an endpoint is not there", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA"))
        assert.match((yield* Effect.flip(agents.call("agntA", { endpoint: "go" }))).message, /Did you mean "agentA"/)
        const missing = yield* Effect.flip(agents.call("agentA", { endpoint: "gp" }))
        assert.deepInclude(missing, { _tag: "EndpointNotFound", available: ["POST go"] })
        assert.strictEqual(
          (yield* Effect.flip(agents.call("agentA", { endpoint: "go", method: "GET" })))._tag,
          "EndpointNotFound"
        )
      }).pipe(asA))

    it.effect("refuses a request with the list of inputs that are missing or do not fit", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        const inputs = [{ name: "n", type: "Number" }, { name: "d", type: "Date" }, {
          name: "o",
          type: "Text",
          optional: true
        }]
        yield* load(agentDocument({ E: { ...endpoint(), in: inputs } }, [], { id: "agentA" }))
        const error = yield* Effect.flip(agents.call("agentA", { endpoint: "go", body: { n: "12abc" } }))
        assert.strictEqual(error._tag, "BadInput")
        assert.deepStrictEqual(error._tag === "BadInput" && error.inputs.map(({ input, reason }) => [input, reason]), [
          ["n", "invalid"],
          ["d", "missing"]
        ])
        assert.match(error.message, /expected Number, got "12abc"/)
        const { answer } = yield* agents.call("agentA", {
          endpoint: "go",
          body: { n: "42", d: "2024-01-20", extra: 1 }
        })
        assert.deepStrictEqual((answer as { result: { body: unknown } }).result.body, {
          n: 42,
          d: "2024-01-20T00:00:00.000Z",
          extra: 1
        })
      }).pipe(asA))

    it.effect("tokens in a request are text, also those of secrets and variables", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load({ ...named("agentA"), variables: { salt: "{{KEY(pepper)}}", plain: "p" } })
        const { answer } = yield* agents.call("agentA", {
          endpoint: "go",
          body: { x: "{{salt}} {{plain}} {{KEY(pepper)}}" }
        })
        assert.include(JSON.stringify(answer), "{{salt}} {{plain}} {{KEY(pepper)}}")
      }).pipe(asA))

    it.effect("a run as events: numbered, from start to end, with what components stream", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA", "Say"))
        const events = Chunk.toReadonlyArray(
          yield* Stream.runCollect(agents.stream("agentA", { endpoint: "go", body: { x: 1 } }))
        )
        assert.deepStrictEqual(events.map(({ seq }) => seq), events.map((_, at) => at))
        assert.deepStrictEqual(events.map(({ event }) => event._tag), [
          "RunStarted",
          "StepStarted",
          "StepEnded",
          "StepStarted",
          "Content",
          "Content",
          "Logged",
          "StepEnded",
          "RunEnded"
        ])
      }).pipe(asA))

    it.effect("who stops reading stops the run", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA", "Wait", { millis: 60_000 }))
        const stream = agents.stream("agentA", { endpoint: "go", body: { x: 1 } })
        yield* Stream.runDrain(
          Stream.takeUntil(stream, ({ event }) => event._tag === "StepStarted" && event.component === "Wait")
        )
        assert.strictEqual((yield* agents.counts).running, 0)
      }).pipe(asA))

    it.effect("a request that is refused fails the stream before any event", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA"))
        const error = yield* Effect.flip(Stream.runCollect(agents.stream("agentA", { endpoint: "go", body: {} })))
        assert.strictEqual(error._tag, "BadInput")
      }).pipe(asA))

    it.effect("jobs outlive the answer, are seen by later runs, and end with the agent", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        const stopped = yield* Deferred.make<void>()
        stopping = Deferred.succeed(stopped, undefined)
        yield* load({
          ...agentDocument({
            E: endpoint("x"),
            J: { name: "Async", in: ["v"] },
            A: { name: "Long", in: ["v"] },
            F: { ...endpoint("jobs"), data: { endpoint: "look" } },
            W: { name: "Await", in: ["Jobs"], data: { max_time: 1 } }
          }, ["E.x -> J.v", "J.v -> A.v", "F.jobs -> W.Jobs"]),
          id: "agentA"
        })
        const started = yield* agents.call("agentA", { endpoint: "go", body: { x: 60_000 } })
        const { JobID } = (started.answer as { readonly result: { readonly JobID: string } }).result
        const look = yield* agents.call("agentA", { endpoint: "look", body: { jobs: JobID } })
        assert.deepInclude((look.answer as { readonly result: object }).result, {
          Results: { [JobID]: { status: "pending" } }
        })
        yield* agents.unload("agentA")
        yield* Deferred.await(stopped)
      }).pipe(asA))

    it.effect("a crash takes no other run with it", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA", "Crash"))
        yield* load(named("a1", "Wait", { millis: 30 }))
        const [crashed, fine] = yield* Effect.all([
          agents.call("agentA", { endpoint: "go", body: { x: 1 } }),
          agents.call("a1", { endpoint: "go", body: { x: 1 } })
        ], { concurrency: 2 })
        assert.isTrue(crashed.failed)
        assert.isFalse(fine.failed)
      }).pipe(asA))

    it.effect("a conversation without any model says what to do", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA"))
        const error = yield* Effect.flip(Stream.runDrain(agents.prompt("agentA", { message: "hi" })))
        assert.strictEqual(error._tag, "NoModel")
        assert.match(error.message, /defaultModel/)
      }).pipe(asA))

    it.effect("a conversation on the Echo model is kept for its caller alone", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* asA(load({ ...named("agentA"), defaultModel: "Echo" }))
        const say = (message: string) =>
          Stream.runFold(agents.prompt("agentA", { message, conversationId: "c1" }), "", (text, event) =>
            event.type === "end" ? event.text : text)
        assert.include(yield* asA(say("hello there")), "hello there")
        yield* Candidate.as(say("other"), Candidate.team("ta"))
        const history = yield* asA(agents.history("agentA", "c1"))
        assert.deepStrictEqual(
          history.map(({ role }) =>
            role
          ),
          ["user", "assistant"]
        )
        yield* asA(agents.forget("agentA", "c1"))
        assert.deepStrictEqual(yield* asA(agents.history("agentA", "c1")), [])
        assert.strictEqual((yield* Candidate.as(agents.history("agentA", "c1"), Candidate.team("ta"))).length, 2)
      }))
  })
})

describe("a conversation with tools", () => {
  const script = TestLLM.layer([
    { toolCalls: [{ name: "go", arguments: { x: 5 } }, { name: "go", arguments: {} }] },
    "done"
  ])
  layer(System.layer({ components, llm: script }), { excludeTestServices: true })((it) => {
    it.effect("calls endpoints as the agent, passes on what they stream, and tells what was wrong", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load({ ...named("agentA", "Say"), defaultModel: "gpt-4o" })
        const events = Chunk.toReadonlyArray(
          yield* Stream.runCollect(agents.prompt("agentA", { message: "hi", conversationId: "c" }))
        )
        const content = events.flatMap((event) => event.type === "content" ? [event.text] : [])
        assert.deepStrictEqual(content, ["one", "two", "done"])
        assert.deepInclude(events.at(-1), { type: "end", text: "onetwodone", reason: "stop" })
        const results = events.flatMap((event) => event.type === "toolResult" ? [event] : [])
        assert.deepInclude(results[0], { isFailure: false, result: { id: "A", name: "Say", result: { done: true } } })
        assert.match(String(results[1]?.result), /x: required Any is missing/)
        const history = yield* agents.history("agentA", "c")
        assert.deepStrictEqual(history.map(({ role }) => role), ["user", "assistant", "tool", "assistant"])
      }).pipe(asA))
  })
})

describe("a model of the caller's own", () => {
  layer(System.layer({ components, secrets: { "team:ta": { openai: "sk-team" } } }), { excludeTestServices: true })(
    (it) => {
      it.effect("is asked without a key of the agent's vault", () =>
        Effect.scoped(Effect.gen(function*() {
          const server = yield* HttpServer.make((_, response) => HttpServer.json(response, 401, {}))
          const agents = yield* Agents
          yield* load({ ...named("agentA"), defaultModel: "gpt-4o" })
          const model = { provider: "OpenAI", modelId: "gpt-4o", baseURL: `${server.url}/v1` }
          yield* Effect.flip(Stream.runDrain(agents.prompt("agentA", { message: "hi", model })))
          assert.isAbove(server.requests.length, 0)
          assert.notInclude(JSON.stringify(server.requests.map(({ headers }) => headers)), "sk-team")
        })).pipe(asA))
    }
  )
})

describe("limits", () => {
  const limited = (options: NonNullable<Parameters<typeof System.layer>[0]>["agents"] & {}) =>
    System.layer({ components, agents: options })

  layer(limited({ maxRuns: 2, maxQueued: 0, runTimeout: "50 millis" }), { excludeTestServices: true })((it) => {
    it.effect("more runs than allowed are refused, and a run that takes too long is stopped", () =>
      Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA", "Wait", { millis: 60_000 }))
        const call = Effect.flip(agents.call("agentA", { endpoint: "go", body: { x: 1 } }))
        const tags = (yield* Effect.all([call, call, call], { concurrency: 3 })).map(({ _tag }) => _tag)
        assert.deepStrictEqual(tags, ["RunTimedOut", "RunTimedOut", "Overloaded"])
        assert.strictEqual((yield* agents.counts).running, 0)
      }).pipe(asA))
  })

  const drained = (millis: number, drainTimeout: string) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(limited({ drainTimeout: drainTimeout as "1 second" }), scope)
      const begun = yield* Deferred.make<void>()
      const running = yield* Effect.gen(function*() {
        const agents = yield* Agents
        yield* load(named("agentA", "Wait", { millis }))
        yield* Deferred.succeed(begun, undefined)
        return yield* agents.call("agentA", { endpoint: "go", body: { x: 1 } })
      }).pipe(asA, Effect.provide(context), Effect.fork)
      yield* Deferred.await(begun)
      yield* Effect.sleep("20 millis")
      yield* Scope.close(scope, Exit.void)
      return yield* Fiber.await(running)
    })

  layer(Layer.empty, { excludeTestServices: true })((it) => {
    it.effect("shutdown lets runs end", () =>
      Effect.gen(function*() {
        const exit = yield* drained(100, "5 seconds")
        assert.isTrue(Exit.isSuccess(exit) && !exit.value.failed)
      }))

    it.effect("and stops those that do not", () =>
      Effect.gen(function*() {
        const exit = yield* drained(60_000, "50 millis")
        assert.deepInclude(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, {
          _tag: "RunStopped",
          reason: "the system is shutting down"
        })
      }))
  })
})
