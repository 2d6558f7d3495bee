import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, TestClock } from "effect"
import type { AgentEventBody } from "../../src/agents/AgentEvents.ts"
import { agentDocument, endpoint, runDocument } from "./documents.ts"

const pass = { name: "Pass", in: ["v"] }
const passAny = { name: "Pass", in: ["v?"] }
const record = (id: string, result: unknown, name = "Pass") => ({ id, name, result })
const go = (document: unknown, body: Record<string, unknown> = { x: 1 }) => runDocument(document, { body })

describe("what a run answers", () => {
  it.effect("one leaf gives its record, several a list in document order", () =>
    Effect.gen(function*() {
      const one = agentDocument({ E: endpoint("x"), A: pass }, ["E.x -> A.v"])
      assert.deepStrictEqual((yield* go(one)).answer, record("A", { v: 1, out: 1 }))
      const slow = { name: "Wait", in: ["v"], data: { millis: 5 } }
      const two = agentDocument({ E: endpoint("x"), A: slow, B: pass }, ["E.x -> A.v", "E.x -> B.v"])
      const fiber = yield* Effect.fork(go(two))
      yield* TestClock.adjust(10)
      const { answer } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(answer, [record("A", { v: 1, out: 1 }, "Wait"), record("B", { v: 1, out: 1 })])
    }))

  it.effect("an endpoint alone answers its request", () =>
    Effect.gen(function*() {
      const { answer } = yield* go(agentDocument({ E: endpoint("x") }, []))
      assert.deepStrictEqual(answer, {
        id: "E",
        name: "APIEndpoint",
        result: { headers: {}, body: { x: 1 }, query: {}, params: {} }
      })
    }))

  for (const value of [0, false, "", null]) {
    it.effect(`${JSON.stringify(value)} flows and is a result`, () =>
      Effect.gen(function*() {
        const document = agentDocument({ E: endpoint("x?"), P: { name: "Give", in: ["v?"] }, A: passAny }, [
          "E.body -> P.v",
          "P.out -> A.v"
        ])
        const { components } = yield* Effect.promise(() => import("./documents.ts"))
        const Component = yield* Effect.promise(() => import("../../src/components/Component.ts"))
        const Give = Component.make("Give", {
          description: "Gives a constant.",
          category: "data",
          openInputs: true,
          openOutputs: true,
          run: () => ({ out: value })
        })
        const { answer } = yield* runDocument(document, { body: {} }, {
          registry: new Map([...components, ["Give", Give]])
        })
        assert.deepStrictEqual(answer, record("A", { v: value, out: value }))
      }))
  }

  it.effect("a component whose connections all stay silent answers when nothing else does", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), A: { ...pass, out: ["never"] }, B: pass }, [
        "E.x -> A.v",
        "A.never -> B.v"
      ])
      assert.deepStrictEqual((yield* go(document)).answer, record("A", { v: 1, out: 1 }))
    }))
})

describe("readiness", () => {
  it.effect("a join waits for paths of different length, also for optional inputs", () =>
    Effect.gen(function*() {
      const document = agentDocument(
        {
          E: endpoint("x"),
          A: pass,
          B: { name: "Wait", in: ["v"], data: { millis: 50 } },
          J: { name: "Pass", in: ["a", "b?"] }
        },
        ["E.x -> A.v", "A.out -> B.v", "E.x -> J.a", "B.out -> J.b"]
      )
      const fiber = yield* Effect.fork(go(document))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).answer, record("J", { a: 1, b: 1, out: 1 }))
    }))

  it.effect("values of one input are gathered in the order of the connections, not of arrival", () =>
    Effect.gen(function*() {
      const wait = (millis: number) => ({ name: "Wait", in: ["v"], data: { millis } })
      const document = agentDocument({ E: endpoint("x", "y"), A: wait(20), B: wait(10), J: pass }, [
        "E.x -> A.v",
        "E.y -> B.v",
        "A.out -> J.v",
        "B.out -> J.v"
      ])
      const fiber = yield* Effect.fork(go(document, { x: [1], y: 2 }))
      yield* TestClock.adjust(20)
      const { answer } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(answer, record("J", { v: [[1], 2], out: [[1], 2] }))
    }))

  it.effect("a dead path is skipped to its end, and every skip says why", () =>
    Effect.gen(function*() {
      const events: Array<AgentEventBody> = []
      const document = agentDocument(
        { E: endpoint("x", "y?"), A: pass, B: { name: "Pass", in: ["a", "b"] }, C: pass },
        ["E.x -> B.a", "E.y -> A.v", "A.out -> B.b", "B.out -> C.v"]
      )
      const { answer } = yield* runDocument(document, { body: { x: 1 } }, { emit: (event) => events.push(event) })
      const skips = events.flatMap((event) => event._tag === "StepSkipped" ? [[event.key, event.reason]] : [])
      assert.deepStrictEqual(skips, [
        ["A", `the required input "v" got no value`],
        ["B", `the required input "b" got no value`],
        ["C", `the required input "v" got no value`]
      ])
      assert.deepStrictEqual(answer, [])
    }))

  it.effect("an optional input may stay empty, but something must have arrived", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x", "y?"), J: { name: "Pass", in: ["a?", "b?"] }, N: passAny }, [
        "E.x -> J.a",
        "E.y -> J.b",
        "E.y -> N.v"
      ])
      assert.deepStrictEqual((yield* go(document)).answer, record("J", { a: 1, out: 1 }))
    }))

  it.effect("a default counts as a value, also a falsy one", () =>
    Effect.gen(function*() {
      const inputs = [{ name: "a" }, { name: "b", defaultVal: 0 }, { name: "c", defaultVal: "{{who}}" }]
      const document = agentDocument({ E: endpoint("x", "y?"), J: { name: "Pass", in: inputs } }, [
        "E.x -> J.a",
        "E.y -> J.b"
      ], { variables: { who: "W" } })
      assert.deepStrictEqual((yield* go(document)).answer, record("J", { a: 1, b: 0, c: "W", out: 1 }))
    }))
})

describe("failure", () => {
  const failing = { name: "Fail", in: ["v"], out: ["out"] }

  it.effect("an unhandled failure is part of the answer; what follows is skipped", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), F: failing, A: pass }, ["E.x -> F.v", "F.out -> A.v"])
      const result = yield* go(document)
      assert.deepInclude(result, { answer: record("F", { detail: 7, _error: "no luck" }, "Fail"), failed: true })
    }))

  it.effect("a connected _error takes the failure out of the answer, and never fires on success", () =>
    Effect.gen(function*() {
      const wired = (name: string) =>
        agentDocument({ E: endpoint("x"), F: { ...failing, name }, A: pass, H: pass }, [
          "E.x -> F.v",
          "F.out -> A.v",
          "F._error -> H.v"
        ])
      assert.deepStrictEqual((yield* go(wired("Fail"))).answer, record("H", { v: "no luck", out: "no luck" }))
      assert.deepStrictEqual((yield* go(wired("Pass"))).answer, record("A", { v: 1, out: 1 }))
    }))

  it.effect("a component that throws fails alone, with its name", () =>
    Effect.gen(function*() {
      const document = agentDocument({ E: endpoint("x"), C: { name: "Crash", in: ["v"] }, A: pass }, [
        "E.x -> C.v",
        "E.x -> A.v"
      ])
      const { answer, failed } = yield* go(document)
      assert.deepStrictEqual(answer, [
        record("C", { _error: "Crash crashed: bug" }, "Crash"),
        record("A", { v: 1, out: 1 })
      ])
      assert.isFalse(failed)
    }))

  it.effect("a value that does not fit an input fails that component", () =>
    Effect.gen(function*() {
      const typed = { name: "Pass", in: [{ name: "v", type: "Number" }] }
      const document = agentDocument({ E: endpoint("x"), A: typed }, ["E.x -> A.v"])
      const { answer } = yield* go(document, { x: "abc" })
      assert.match(JSON.stringify(answer), /input \\"v\\".*Number.*abc/)
    }))
})

describe("cycles", () => {
  const loop = (limit: number) =>
    agentDocument({
      E: endpoint("x"),
      N: { name: "Count", in: ["n"], out: ["out", "done"], data: { limit } },
      A: pass
    }, ["E.x -> N.n", "N.out -> N.n", "N.done -> A.v"])

  it.effect("a value on a closing edge starts another round and replaces what the input held", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* go(loop(10), { x: 0 })).answer, record("A", { v: 10, out: 10 }))
    }))

  it.effect("rounds are bounded, with an error that names the component", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(runDocument(loop(1e9), { body: { x: 0 } }, { maxRounds: 25 }))
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(runDocument(loop(1e9), { body: { x: 0 } }, { maxRounds: 25 }))
      assert.strictEqual(error._tag, "RoundsExceeded")
      assert.match(error.message, /through N went round 25 times/)
    }))

  it.effect("values from outside the cycle are seen in every round", () =>
    Effect.gen(function*() {
      const document = agentDocument({
        E: endpoint("x", "y"),
        N: { name: "Count", in: ["n", "k"], out: ["out", "done"], data: { limit: 3 } },
        B: { name: "Pass", in: ["n", "k"] },
        A: pass
      }, ["E.x -> N.n", "E.y -> B.k", "E.y -> N.k", "N.out -> B.n", "B.n -> N.n", "N.done -> A.v"])
      assert.deepStrictEqual((yield* go(document, { x: 0, y: "k" })).answer, record("A", { v: 3, out: 3 }))
    }))
})

describe("fibers", () => {
  it.effect("interrupting a run interrupts everything in flight", () =>
    Effect.gen(function*() {
      const wait = { name: "Wait", in: ["v"], data: { millis: 60_000 } }
      const document = agentDocument({ E: endpoint("x"), A: wait, B: wait, C: wait }, [
        "E.x -> A.v",
        "E.x -> B.v",
        "E.x -> C.v"
      ])
      const events: Array<string> = []
      const fiber = yield* Effect.fork(
        runDocument(document, { body: { x: 1 } }, {
          emit: (event) => events.push(event._tag),
          around: (_step, _inputs, execute) =>
            Effect.onInterrupt(execute, () => Effect.sync(() => events.push("stopped")))
        })
      )
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(events.filter((event) => event === "stopped").length, 3)
    }))

  it.effect("what is ready while a run is being stopped does not begin", () =>
    Effect.gen(function*() {
      const wait = (millis: number) => ({ name: "Wait", in: ["v"], data: { millis } })
      const document = agentDocument(
        { E: endpoint("x"), A: wait(10), Slow: wait(30), B: wait(60_000), C: wait(60_000), D: wait(60_000) },
        ["E.x -> A.v", "E.x -> Slow.v", "E.x -> B.v", "A.out -> C.v", "A.out -> D.v"]
      )
      const begun: Array<string> = []
      const fiber = yield* Effect.fork(
        runDocument(document, { body: { x: 1 } }, {
          emit: (event) => event._tag === "StepStarted" && begun.push(event.key),
          around: (step, _inputs, execute) => step.component.id === "Slow" ? Effect.uninterruptible(execute) : execute
        })
      )
      yield* TestClock.adjust(5)
      const stopping = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust(100)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.join(stopping)))
      assert.deepStrictEqual(begun, ["E", "A", "Slow", "B"])
    }))

  it.effect("20,000 components in a row need no stack", () =>
    Effect.gen(function*() {
      const length = 20_000
      const chain = Object.fromEntries(Array.from({ length }, (_, at) => [`P${at}`, { ...pass, out: ["out"] }]))
      const connections = Array.from({ length: length - 1 }, (_, at) => `P${at}.out -> P${at + 1}.v`)
      const document = agentDocument({ E: endpoint("x"), ...chain }, ["E.x -> P0.v", ...connections])
      const { answer } = yield* go(document)
      assert.deepStrictEqual(answer, record(`P${length - 1}`, { v: 1, out: 1 }))
    }))
})
